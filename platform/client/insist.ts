/** Asking again, elsewhere, what failed because a member is gone, until the call's time is over. */
import { type Clock, type ErrorCode, type FreshetError, toFreshetError } from '../base/mod.ts';
import { attemptMs, expiredError, isGone, pauseMs, unknownError } from './retry-policy.ts';

export interface InsistOptions {
  readonly clock: Clock;
  /** Resolves after so many ms, and keeps the process alive until then. */
  readonly pause: (delayMs: number) => Promise<void>;
  /** Of the call as a whole, from `deadline − timeoutMs` on. */
  readonly timeoutMs: number;
  /** Monotonic ms. */
  readonly deadline: number;
  /** That go with each try. */
  readonly bytes?: number;
  readonly signal: AbortSignal | undefined;
  /** Of a change, whose outcome is not known once a try of it was given up; null: of no change. */
  readonly key: string | null;
  /** How many may be asked. */
  readonly members: () => number;
  readonly isClosed: () => boolean;
  /** The one that was asked failed so: the next try is another's. */
  readonly leave: (error: FreshetError) => void;
  /** Codes beyond those of `isGone` after which another try makes sense. */
  readonly passing?: ReadonlySet<ErrorCode>;
}

/** `failed`: how the first try ended, which was made already; null: none was. */
export async function insist<Result>(
  options: InsistOptions,
  run: (timeoutMs: number) => Promise<Result>,
  failed: FreshetError | null = null,
): Promise<Result> {
  const { clock, deadline, timeoutMs, bytes, key, signal, members, pause, passing } = options;
  let error = failed;
  for (let tries = 1; ; tries++) {
    if (error === null) {
      const left = Math.max(0, deadline - clock.monotonicMs());
      try {
        return await run(attemptMs(left, members(), bytes));
      } catch (caught) {
        error = toFreshetError(caught);
      }
    }
    if (key !== null && error.code === 'SESSION_EXPIRED') throw expiredError(key, error);
    const mayPass = isGone(error.code) || passing?.has(error.code) === true;
    if (options.isClosed() || signal?.aborted === true || !mayPass) throw error;
    options.leave(error);
    const delayMs = pauseMs(tries, members());
    if (clock.monotonicMs() + delayMs >= deadline) {
      throw key === null || tries === 1 ? error : unknownError(key, timeoutMs, error);
    }
    if (delayMs > 0) await pause(delayMs);
    error = null;
  }
}
