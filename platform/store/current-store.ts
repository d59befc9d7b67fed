/**
 * When what this member has of a shard may be read, and that it still was the same store then: one
 * that a member comes back with is emptied, or cut, and filled anew, and meanwhile it is neither
 * current nor what it was.
 *
 * Thread: event loop, beside an agent that may take the store away at any moment.
 */
import { type Clock, FreshetError, type ReadLevel, toFreshetError } from '../base/mod.ts';
import type { Group, MemberCore, ShardLayout } from '../group/mod.ts';
import type { ShardCallLimits } from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

/** While a read waits for it to be current. NOT_A_MEMBER: damaged, and not mended yet. */
const waitedFor: ReadonlySet<string> = new Set(['SHARD_STOPPED', 'NOT_CURRENT', 'NOT_A_MEMBER']);

export class CurrentStore {
  readonly #shard: number;
  readonly #persistent: boolean;
  readonly #core: MemberCore;
  readonly #group: Group;
  readonly #clock: Clock;
  #hasBegun = false;

  constructor({ shard, persistent }: ShardLayout, core: MemberCore, group: Group, clock: Clock) {
    this.#shard = shard;
    this.#persistent = persistent;
    this.#core = core;
    this.#group = group;
    this.#clock = clock;
  }

  /**
   * What `look` finds, as `read` promises it; it looks again if another store took the place of the
   * one that was current. SHARD_STOPPED, NOT_A_MEMBER, TIMEOUT or CANCELLED where that cannot be.
   */
  async look<T>(read: ReadLevel, call: ShardCallLimits, look: () => T | Promise<T>): Promise<T> {
    const { addon, handle } = this.#core;
    const deadline = this.#clock.monotonicMs() + call.timeoutMs;
    for (;;) {
      const generation = addon.storeGeneration(handle, this.#shard);
      const isSame = (): boolean => addon.storeGeneration(handle, this.#shard) === generation;
      const timeoutMs = Math.max(1, deadline - this.#clock.monotonicMs());
      await this.#beReady(read, { ...call, timeoutMs });
      try {
        const found = await look();
        if (isSame()) return found;
      } catch (caught) {
        // Of a store that is gone it says nothing.
        if (isSame()) throw caught;
      }
      if (this.#clock.monotonicMs() >= deadline) {
        throw this.#group.stoppedError(this.#shard, 'The read cannot be current');
      }
    }
  }

  /** What is stable is known once an epoch began here: a restart may cut what the log holds. */
  async #beReady(read: ReadLevel, call: ShardCallLimits): Promise<void> {
    if (read === 'linearizable' || (read === 'stable' && !this.#hasBegun)) {
      await this.wait(call);
      this.#hasBegun = true;
    }
  }

  /** Waits until what was received here is shown; retries while the shard stands still. */
  async wait({ timeoutMs, signal }: ShardCallLimits): Promise<void> {
    const { addon, handle } = this.#core;
    if (addon.isCurrent(handle, this.#shard, this.#persistent)) {
      return;
    }
    const deadline = this.#clock.monotonicMs() + timeoutMs;
    for (let stood = false; ; stood = true) {
      if (signal?.aborted === true) {
        throw new FreshetError('CANCELLED', 'The read was given up');
      }
      const failed = await this.#waitCurrent(deadline);
      if (failed === null) {
        return;
      }
      // The last wait may be too short for any answer: the one before it tells why.
      if (!waitedFor.has(failed.code) && !(stood && failed.code === 'TIMEOUT')) {
        throw failed;
      }
      if (!this.#group.isHere(this.#shard)) {
        throw leftError(this.#shard);
      }
      const isRefused = this.#group.care.refusalOf(this.#shard) !== null;
      if (isRefused || this.#clock.monotonicMs() >= deadline) {
        throw this.#group.stoppedError(this.#shard, 'The read cannot be current');
      }
      await new Promise<void>((resolve) => {
        this.#clock.after(storeLimits.stoppedPauseMs, resolve);
      });
    }
  }

  async #waitCurrent(deadlineMs: number): Promise<FreshetError | null> {
    return new Promise((resolve) => {
      const left = Math.max(1, deadlineMs - this.#clock.monotonicMs());
      const cancel = this.#clock.after(left, () => {
        resolve(new FreshetError('TIMEOUT', 'The read did not become current in time'));
      });
      this.#core.waitCurrent(this.#shard, this.#persistent).then(
        () => {
          cancel();
          resolve(null);
        },
        (caught: unknown) => {
          cancel();
          resolve(toFreshetError(caught));
        },
      );
    });
  }
}

/** Another member may be asked. */
export function leftError(shard: number): FreshetError {
  const text = `This member does not hold shard ${String(shard)} any more`;
  return new FreshetError('NOT_A_MEMBER', text, { details: { shard } });
}
