/**
 * Ordered calls of this member: numbers them, and sends one again under the same number until a
 * copy has applied it or its time is over.
 *
 * Thread: event loop.
 */
import {
  type Clock,
  type ErrorCode,
  FreshetError,
  outageCodes,
  toFreshetError,
} from '../base/mod.ts';
import { type CallId, encodeValue, type Outcome, type CallRecord } from './call-record.ts';
import { replicatedLimits } from './replicated-limits.ts';

/** A copy, here or at another member. */
export interface CopyAccess {
  /** Calls that it had applied, no later than now. */
  count(): Promise<number>;
  submit(call: CallRecord, timeoutMs: number): Promise<Outcome>;
}

export interface OrderedCallerOptions {
  readonly name: string;
  readonly node: number;
  readonly run: string;
  readonly clock: Clock;
  readonly copy: CopyAccess;
}

export class OrderedCaller {
  readonly #options: OrderedCallerOptions;
  /** Requests without an answer, ascending. */
  readonly #open = new Set<number>();
  #requests = 0;

  constructor(options: OrderedCallerOptions) {
    this.#options = options;
  }

  /**
   * Runs `then` with the outcome while it is still kept at every copy. Rejects TIMEOUT (it may be
   * applied later), OVERLOADED, INVALID_ARGUMENT, or what is final.
   */
  async call<Result>(
    method: string,
    args: readonly unknown[],
    timeoutMs: number,
    then: (outcome: Outcome, id: CallId, leftMs: number) => Promise<Result> | Result,
  ): Promise<Result> {
    const { name, node, run, clock, copy } = this.#options;
    const bytes = encodeValue(args, `The arguments of ${method}`);
    if (bytes.byteLength > replicatedLimits.argumentBytes) {
      const message = `The arguments of ${method} have ${String(bytes.byteLength)} bytes`;
      throw new FreshetError('VALUE_TOO_LARGE', message, {
        mend: `Send up to ${String(replicatedLimits.argumentBytes)} bytes`,
      });
    }
    if (this.#open.size >= replicatedLimits.callsInFlight) {
      throw new FreshetError('OVERLOADED', `Too many calls of ${name} have no answer yet`);
    }
    const deadline = clock.monotonicMs() + timeoutMs;
    const left = (): number => Math.max(1, deadline - clock.monotonicMs());
    this.#requests++;
    const id = { node, run, request: this.#requests };
    this.#open.add(id.request);
    try {
      const asOf = await this.#again(() => copy.count(), method, deadline);
      const send = (): Promise<Outcome> => {
        const [lowestUnanswered = id.request] = this.#open;
        return copy.submit({ id, lowestUnanswered, asOf, method, args: bytes }, left());
      };
      const outcome = await this.#again(send, method, deadline);
      return await then(outcome, id, left());
    } finally {
      this.#open.delete(id.request);
    }
  }

  /** Until it succeeds, fails for good, or time is over. */
  async #again<Result>(
    send: () => Promise<Result>,
    method: string,
    deadline: number,
  ): Promise<Result> {
    const { clock } = this.#options;
    for (;;) {
      const leftMs = Math.max(1, deadline - clock.monotonicMs());
      try {
        return await this.#within(send(), method, leftMs);
      } catch (caught) {
        const error = toFreshetError(caught);
        const isOver = clock.monotonicMs() + replicatedLimits.retryPauseMs >= deadline;
        if (!sentAgain.has(error.code) || isOver) throw error;
        await new Promise<void>((resolve) => {
          clock.after(replicatedLimits.retryPauseMs, resolve);
        });
      }
    }
  }

  #within<Result>(work: Promise<Result>, method: string, timeoutMs: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(timeoutMs, () => {
        const message = `The call ${method} of ${this.#options.name} was not applied in time`;
        reject(new FreshetError('TIMEOUT', message, { mend: stillApplied }));
      });
      work.then(resolve, reject).finally(cancel);
    });
  }
}

/** What a change of the view may bring about. */
const sentAgain: ReadonlySet<ErrorCode> = new Set([...outageCodes, 'TIMEOUT', 'OVERLOADED']);

const stillApplied = 'It may be applied later: read the state before calling again';
