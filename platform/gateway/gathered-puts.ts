import { oneResult, type OutcomeSink, type PutRequest, type PutResult } from '../base/mod.ts';
import type { Backend } from './backend.ts';

/**
 * Puts that come one by one over many connections: what one turn of the event loop brings goes on
 * together, at its end.
 *
 * Thread: event loop.
 */
export class GatheredPuts {
  readonly #putEach: Backend['putEach'];
  #requests: PutRequest[] = [];
  #sinks: OutcomeSink[] = [];

  constructor(putEach: Backend['putEach']) {
    this.#putEach = putEach;
  }

  put(request: PutRequest): Promise<PutResult> {
    return oneResult((sink) => {
      if (this.#requests.length === 0) setImmediate(this.#flush);
      this.#requests.push(request);
      this.#sinks.push(sink);
    });
  }

  readonly #flush = (): void => {
    const sinks = this.#sinks;
    const requests = this.#requests;
    this.#sinks = [];
    this.#requests = [];
    this.#putEach(requests, {
      settle: (nth, outcome) => {
        sinks[nth]?.settle(0, outcome);
      },
    });
  };
}
