/**
 * The copy of one replicated object at this member, which is there while its shard is: made when
 * the shard comes to be held here (at the start, as a spare, by a move), let go when it is held no
 * more. Where there is none, calls go to a member that has one.
 *
 * Thread: event loop.
 * Invariant: there is one replica at most, and none of a shard that is not held.
 */
import { type Clock, FreshetError, type Logger, toFreshetError } from '../base/mod.ts';
import type { Outcome, CallRecord } from './call-record.ts';
import type { CopyAccess } from './ordered-caller.ts';
import type { Replica } from './replica.ts';
import { replicatedLimits } from './replicated-limits.ts';

export interface ObjectCopyOptions {
  readonly name: string;
  /** Whether the shard runs here now; `isHeld` also while it stands still. */
  readonly isHeld: () => boolean;
  readonly isRunning: () => boolean;
  readonly makeReplica: () => Replica;
  /** Through another member. */
  readonly elsewhere: CopyAccess;
  readonly clock: Clock;
  readonly log: Logger;
}

export class ObjectCopy implements CopyAccess {
  readonly #options: ObjectCopyOptions;
  #replica: Replica | null = null;
  #isStarting = false;
  #closed = false;

  constructor(options: ObjectCopyOptions) {
    this.#options = options;
  }

  /** Null: calls go elsewhere. */
  get replica(): Replica | null {
    return this.#replica;
  }

  /** Resolves once there is a copy, if the shard is held. Rejects what its start rejects. */
  async open(): Promise<void> {
    if (this.#options.isHeld()) await this.#gain();
  }

  /** The view may be another one. */
  onView(): void {
    const { isHeld, isRunning } = this.#options;
    if (this.#closed) return;
    if (this.#replica !== null && !isHeld()) {
      this.#replica.close();
      this.#replica = null;
    } else if (this.#replica !== null) {
      this.#replica.onView();
    } else if (isRunning()) {
      this.#gain().catch((caught: unknown) => {
        this.#gainLater(caught);
      });
    }
  }

  count(): Promise<number> {
    const { elsewhere } = this.#options;
    return this.#replica === null ? elsewhere.count() : Promise.resolve(this.#replica.state.count);
  }

  async submit(call: CallRecord, timeoutMs: number): Promise<Outcome> {
    const { elsewhere, name } = this.#options;
    const replica = this.#replica;
    if (replica === null) return elsewhere.submit(call, timeoutMs);
    try {
      return await replica.submit(call, timeoutMs);
    } catch (caught) {
      if (this.#closed || this.#replica === replica) throw caught;
      // Its number tells the others whether they have run it.
      const text = `This member has no copy of ${name} any more`;
      throw new FreshetError('NOT_A_MEMBER', text, { cause: caught });
    }
  }

  close(): void {
    this.#closed = true;
    this.#replica?.close();
  }

  async #gain(): Promise<void> {
    if (this.#isStarting) return;
    this.#isStarting = true;
    const replica = this.#options.makeReplica();
    try {
      await replica.start();
    } catch (caught) {
      replica.close();
      throw caught;
    } finally {
      this.#isStarting = false;
    }
    if (this.#isLost()) replica.close();
    else this.#replica = replica;
  }

  /** While the copy was made. */
  #isLost(): boolean {
    return this.#closed || !this.#options.isHeld();
  }

  #gainLater(caught: unknown): void {
    const { clock, log, name } = this.#options;
    if (this.#closed) return;
    log.info({ object: name, error: toFreshetError(caught).toJSON() }, 'no copy yet');
    clock.after(replicatedLimits.retryPauseMs, () => {
      this.onView();
    });
  }
}
