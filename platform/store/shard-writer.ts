/**
 * Changes of this member to one shard. What the native side has no room for waits here in its order
 * and is offered again, until its deadline.
 *
 * Thread: event loop.
 * Invariants
 *  1. While anything waits, nothing overtakes it.
 *  2. A waiting change has never been queued below: giving it up has no effect.
 *  3. Waiting changes and bytes are bounded.
 *  4. Every submission ends once.
 */
import { type Clock, FreshetError, leaveUncaught, toFreshetError } from '../base/mod.ts';
import { acks } from '../bridge/mod.ts';
import {
  ChangeWaiter,
  type Completion,
  type CoreChange,
  type Group,
  type MemberCore,
} from '../group/mod.ts';
import { PackedPuts } from './packed-puts.ts';
import { storeLimits } from './store-limits.ts';

/** A change on its way; one object, as a member makes many. It is submitted once. */
export abstract class Submission extends ChangeWaiter {
  readonly #writer: ShardWriter;
  readonly change: CoreChange;
  /** Monotonic ms. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | null;
  #onAbort: (() => void) | null = null;

  constructor(
    writer: ShardWriter,
    change: CoreChange,
    deadlineMs: number,
    signal: AbortSignal | null,
  ) {
    super();
    this.#writer = writer;
    this.change = change;
    this.deadlineMs = deadlineMs;
    this.signal = signal;
  }

  /** The completion as the native side gave it, of any status; null with ack none. */
  protected abstract onDone(completion: Completion | null): void;
  /**
   * OVERLOADED, SHARD_STOPPED or NOT_A_MEMBER, where this member only observes the shard (never
   * queued, no effect), TIMEOUT (effect unknown), CANCELLED, CLOSED.
   */
  protected abstract onFailed(error: FreshetError): void;

  /** false: the caller has given up already. */
  begin(): boolean {
    const { signal } = this;
    if (signal === null) return true;
    if (signal.aborted) return false;
    this.#onAbort = () => {
      this.fail(cancelled(this.change));
    };
    signal.addEventListener('abort', this.#onAbort, { once: true });
    return true;
  }

  complete(completion: Completion | null): void {
    if (!this.#end()) return;
    try {
      this.onDone(completion);
    } catch (caught) {
      leaveUncaught(caught);
    }
  }

  fail(error: FreshetError): void {
    if (!this.#end()) return;
    try {
      this.onFailed(error);
    } catch (caught) {
      leaveUncaught(caught);
    }
  }

  #end(): boolean {
    if (this.#onAbort !== null) this.signal?.removeEventListener('abort', this.#onAbort);
    return this.#writer.leave(this);
  }
}

export class ShardWriter {
  readonly #shard: number;
  readonly #core: MemberCore;
  readonly #group: Group;
  readonly #clock: Clock;
  readonly #overloaded: number;
  readonly #stopped: number;
  readonly #notHere: number;
  readonly #packed: PackedPuts;
  readonly #waiting: Submission[] = [];
  /** All that have not ended, those that wait among them. */
  readonly #open = new Set<Submission>();
  #waitingBytes = 0;
  #pumping = false;
  #sweeping = false;

  constructor(shard: number, core: MemberCore, group: Group, clock: Clock) {
    this.#shard = shard;
    this.#core = core;
    this.#group = group;
    this.#clock = clock;
    this.#packed = new PackedPuts(core);
    this.#overloaded = core.addon.statusNames.indexOf('OVERLOADED');
    this.#stopped = core.addon.statusNames.indexOf('SHARD_STOPPED');
    this.#notHere = core.addon.statusNames.indexOf('NOT_A_MEMBER');
  }

  get isBacklogged(): boolean {
    return this.#waiting.length > 0;
  }

  submit(submission: Submission): void {
    this.#open.add(submission);
    if (!submission.begin()) {
      submission.fail(cancelled(submission.change));
      return;
    }
    try {
      const refused = this.isBacklogged ? this.#overloaded : this.#submitNow(submission);
      if (refused !== 0) this.#wait(refused, submission);
      else if (submission.change.ack === acks.none) submission.complete(null);
    } catch (caught) {
      submission.fail(toFreshetError(caught));
    }
    this.#scheduleSweep();
  }

  /** As `submit` of each in order, with one native call where that can be. */
  submitMany(submissions: readonly Submission[]): void {
    let taken = 0;
    // What waits already goes first; and a borrowed value cannot be packed.
    if (!this.isBacklogged && this.#group.isRunning(this.#shard)) {
      const packable = submissions.every(({ change: { value, ack }, signal }) => {
        const size = value?.byteLength ?? 0;
        return size <= this.#core.borrowThreshold && ack !== acks.none && signal === null;
      });
      if (packable) taken = this.#packed.submit(submissions);
    }
    submissions.forEach((submission, nth) => {
      if (nth < taken) this.#open.add(submission);
      else this.submit(submission);
    });
    this.#scheduleSweep();
  }

  /** It has ended; false: it had before. */
  leave(submission: Submission): boolean {
    return this.#open.delete(submission);
  }

  #wait(refused: number, submission: Submission): void {
    const { change } = submission;
    if (refused !== this.#overloaded && refused !== this.#stopped) {
      submission.fail(this.#refusedError(refused, change));
      return;
    }
    const size = change.value?.byteLength ?? 0;
    const full =
      this.#waiting.length >= storeLimits.waitingPuts ||
      (this.#waitingBytes > 0 && this.#waitingBytes + size > storeLimits.waitingBytes);
    if (full) {
      submission.fail(this.#overloadedError(change));
      return;
    }
    this.#waiting.push(submission);
    this.#waitingBytes += size;
    this.#schedulePump(refused);
  }

  /**
   * 0: queued; else why not. What is given to a shard that stands still comes back with its effect
   * unknown: it waits here.
   */
  #submitNow(submission: Submission): number {
    if (this.#group.isRunning(this.#shard)) {
      return this.#core.submit(submission.change, submission);
    }
    return this.#group.isObserving(this.#shard) ? this.#notHere : this.#stopped;
  }

  #schedulePump(refused: number): void {
    if (this.#pumping) {
      return;
    }
    this.#pumping = true;
    const stopped = refused === this.#stopped;
    this.#clock.after(stopped ? storeLimits.stoppedPauseMs : storeLimits.ringPauseMs, () => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    const now = this.#clock.monotonicMs();
    let done = 0;
    let refused = 0;
    for (; done < this.#waiting.length; done++) {
      const submission = this.#waiting[done] as Submission;
      // Its caller gave it up.
      if (!this.#open.has(submission)) continue;
      const queued = this.#offer(submission);
      if (queued === this.#stopped && !this.#group.isHere(this.#shard)) {
        submission.fail(this.#leftError(submission.change));
        continue;
      }
      if (queued === this.#overloaded || queued === this.#stopped) {
        refused = queued;
        if (now < submission.deadlineMs) {
          break;
        }
        submission.fail(this.#givenUp(queued, submission.change));
      }
    }
    for (const { change } of this.#waiting.splice(0, done)) {
      this.#waitingBytes -= change.value?.byteLength ?? 0;
    }
    this.#dropOverdue(now, refused);
    if (this.#waiting.length > 0) {
      this.#schedulePump(refused);
    }
  }

  /** 0: taken or ended; else why it must wait on. */
  #offer(submission: Submission): number {
    try {
      const queued = this.#submitNow(submission);
      if (queued === 0) {
        if (submission.change.ack === acks.none) submission.complete(null);
        return 0;
      }
      if (queued === this.#overloaded || queued === this.#stopped) {
        return queued;
      }
      submission.fail(this.#refusedError(queued, submission.change));
    } catch (caught) {
      submission.fail(toFreshetError(caught));
    }
    return 0;
  }

  #dropOverdue(now: number, refused: number): void {
    const overdue = this.#waiting.filter(({ deadlineMs }) => now >= deadlineMs);
    for (const submission of overdue) {
      this.#waiting.splice(this.#waiting.indexOf(submission), 1);
      this.#waitingBytes -= submission.change.value?.byteLength ?? 0;
      submission.fail(this.#givenUp(refused, submission.change));
    }
  }

  #refusedError(status: number, { key }: CoreChange): FreshetError {
    return this.#core.error(status, `The change of ${key}`, { key });
  }

  #givenUp(refused: number, change: CoreChange): FreshetError {
    return refused === this.#stopped
      ? this.#group.stoppedError(this.#shard, `The change of ${change.key} was not made`)
      : this.#overloadedError(change);
  }

  /** Nothing was queued: another member may be asked for it. */
  #leftError({ key }: CoreChange): FreshetError {
    const text = `The change of ${key} was not made: this member does not hold its shard any more`;
    return new FreshetError('NOT_A_MEMBER', text, { details: { key, shard: this.#shard } });
  }

  #overloadedError(change: CoreChange): FreshetError {
    const message = `Shard ${String(this.#shard)} has no room for the change of ${change.key}`;
    return new FreshetError('OVERLOADED', message, {
      details: { key: change.key, shard: this.#shard, waiting: this.#waiting.length },
    });
  }

  #scheduleSweep(): void {
    if (this.#sweeping || this.#open.size === 0) {
      return;
    }
    this.#sweeping = true;
    this.#clock.after(storeLimits.overdueSweepMs, () => {
      this.#sweeping = false;
      // Those that still wait for room are told by the pump, which knows that they had no effect.
      const now = this.#clock.monotonicMs() - 2 * storeLimits.overdueSweepMs;
      for (const submission of this.#open) {
        if (now < submission.deadlineMs) continue;
        const { key } = submission.change;
        const details = { key, shard: this.#shard };
        const text = `The change of ${key} was not answered in time`;
        submission.fail(new FreshetError('TIMEOUT', text, { details }));
      }
      this.#scheduleSweep();
    });
  }
}

function cancelled(change: CoreChange): FreshetError {
  return new FreshetError('CANCELLED', `The change of ${change.key} was given up`);
}
