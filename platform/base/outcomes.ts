/** How changes end that are asked together: each on its own, and without a promise for each. */
import { FreshetError, toFreshetError } from './errors.ts';
import type { PutOutcome, PutResult } from './object.ts';

/** Hears once of each change of a call, by its place in it. */
export interface OutcomeSink {
  settle(nth: number, outcome: PutOutcome): void;
}

/** What `sink` throws is uncaught, and no matter of those that are told with this one. */
export function settleIn(sink: OutcomeSink, nth: number, outcome: PutOutcome): void {
  try {
    sink.settle(nth, outcome);
  } catch (caught) {
    leaveUncaught(caught);
  }
}

/** As if a caller had thrown it in a turn of its own. */
export function leaveUncaught(caught: unknown): void {
  void Promise.reject(toFreshetError(caught));
}

/** Settles as the only change that is begun does. */
export function oneResult(begin: (sink: OutcomeSink) => void): Promise<PutResult> {
  return new Promise((resolve, reject) => {
    begin({
      settle: (_nth, outcome) => {
        if (outcome instanceof FreshetError) reject(outcome);
        else resolve(outcome);
      },
    });
  });
}

/** Resolves once so many changes have ended; in their order. */
export function allOutcomes(
  count: number,
  begin: (sink: OutcomeSink) => void,
): Promise<readonly PutOutcome[]> {
  if (count === 0) return Promise.resolve([]);
  return new Promise((resolve) => {
    begin(new OutcomeList(count, resolve));
  });
}

class OutcomeList implements OutcomeSink {
  readonly #outcomes: PutOutcome[];
  readonly #resolve: (outcomes: readonly PutOutcome[]) => void;
  #left: number;

  constructor(count: number, resolve: (outcomes: readonly PutOutcome[]) => void) {
    this.#outcomes = new Array<PutOutcome>(count);
    this.#resolve = resolve;
    this.#left = count;
  }

  settle(nth: number, outcome: PutOutcome): void {
    this.#outcomes[nth] = outcome;
    this.#left--;
    if (this.#left === 0) this.#resolve(this.#outcomes);
  }
}
