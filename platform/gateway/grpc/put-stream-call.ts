import type { ServerDuplexStream } from '@grpc/grpc-js';
import { type PutOutcome, type PutRequest, toFreshetError } from '../../base/mod.ts';
import { outcomeToWire, putFromWire } from '../../client/grpc/mod.ts';
import type { PutBatch, PutReplyBatch, WirePutOutcome } from '../../wire/mod.ts';
import type { Backend } from '../backend.ts';

/** Puts of one stream under way; the stream is not read further beyond it. */
const putsInFlightMax = 8192;

/**
 * Purpose: one stream of put batches.
 * Thread: event loop.
 * Invariants
 *  1. Puts reach the door in the order of the stream; each is answered once.
 *  2. Answers that are there at the end of a turn go as one frame.
 *  3. While the other side does not read its answers, no further puts are read.
 */
export class PutStreamCall {
  readonly #putEach: Backend['putEach'];
  readonly #call: ServerDuplexStream<PutBatch, PutReplyBatch>;
  #outcomes: WirePutOutcome[] = [];
  #inFlight = 0;
  #isEnded = false;
  #isScheduled = false;
  #isBlocked = false;

  constructor(putEach: Backend['putEach'], call: ServerDuplexStream<PutBatch, PutReplyBatch>) {
    this.#putEach = putEach;
    this.#call = call;
  }

  start(): void {
    this.#call.on('data', (batch: PutBatch) => {
      this.#onBatch(batch);
    });
    this.#call.on('drain', () => {
      this.#isBlocked = false;
      this.#resumeWhenRoom();
    });
    this.#call.on('end', () => {
      this.#isEnded = true;
      this.#endWhenDone();
    });
    this.#call.on('error', () => {
      this.#isEnded = true;
    });
  }

  #onBatch({ firstSequence, puts }: PutBatch): void {
    const requests: PutRequest[] = [];
    const sequences: number[] = [];
    this.#inFlight += puts.length;
    puts.forEach((put, index) => {
      const sequence = firstSequence + index;
      try {
        requests.push(putFromWire(put));
        sequences.push(sequence);
      } catch (error) {
        this.#answer(sequence, toFreshetError(error));
      }
    });
    this.#putEach(requests, {
      settle: (nth, outcome) => {
        this.#answer(sequences[nth] as number, outcome);
      },
    });
    if (this.#inFlight >= putsInFlightMax) this.#call.pause();
  }

  #answer(sequence: number, outcome: PutOutcome): void {
    this.#inFlight--;
    this.#outcomes.push(outcomeToWire(sequence, outcome));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const outcomes = this.#outcomes;
      this.#outcomes = [];
      if (!this.#call.destroyed && !this.#call.write({ outcomes })) {
        this.#isBlocked = true;
        this.#call.pause();
      }
      this.#resumeWhenRoom();
      this.#endWhenDone();
    });
  }

  #resumeWhenRoom(): void {
    const hasRoom = this.#inFlight < putsInFlightMax / 2 && !this.#isBlocked;
    if (hasRoom && this.#call.isPaused()) this.#call.resume();
  }

  #endWhenDone(): void {
    if (this.#isEnded && this.#inFlight === 0 && this.#outcomes.length === 0) this.#call.end();
  }
}
