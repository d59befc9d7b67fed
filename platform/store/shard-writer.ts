/**
 * Changes of this member to one shard. What the native side has no room for waits here in its order
 * and is offered again, until its deadline.
 *
 * Thread: event loop.
 * Invariants
 *  1. While anything waits, nothing overtakes it.
 *  2. A waiting change has never been queued below: giving it up has no effect.
 *  3. Waiting changes and bytes are bounded.
 */
import { type Clock, FreshetError, toFreshetError } from '../base/mod.ts';
import type { Completion, CoreChange, Group, MemberCore } from '../group/mod.ts';
import { storeLimits } from './store-limits.ts';

interface Waiting {
  readonly change: CoreChange;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | null;
  readonly resolve: (completion: Promise<Completion | null>) => void;
  readonly reject: (error: FreshetError) => void;
}

interface InFlight {
  readonly deadlineMs: number;
  readonly change: CoreChange;
  readonly reject: (error: FreshetError) => void;
}

export class ShardWriter {
  readonly #shard: number;
  readonly #core: MemberCore;
  readonly #group: Group;
  readonly #clock: Clock;
  readonly #overloaded: number;
  readonly #stopped: number;
  readonly #notHere: number;
  readonly #waiting: Waiting[] = [];
  readonly #inFlight = new Set<InFlight>();
  #waitingBytes = 0;
  #pumping = false;
  #sweeping = false;

  constructor(shard: number, core: MemberCore, group: Group, clock: Clock) {
    this.#shard = shard;
    this.#core = core;
    this.#group = group;
    this.#clock = clock;
    this.#overloaded = core.addon.statusNames.indexOf('OVERLOADED');
    this.#stopped = core.addon.statusNames.indexOf('SHARD_STOPPED');
    this.#notHere = core.addon.statusNames.indexOf('NOT_A_MEMBER');
  }

  get isBacklogged(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * The completion as the native side gave it, of any status; null with ack none. Rejects
   * OVERLOADED, SHARD_STOPPED or NOT_A_MEMBER, where this member only observes the shard (never
   * queued, no effect), TIMEOUT (effect unknown), CANCELLED.
   */
  async submit(
    change: CoreChange,
    timeoutMs: number,
    signal: AbortSignal | null,
  ): Promise<Completion | null> {
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs;
    if (signal?.aborted === true) {
      throw cancelled(change);
    }
    const queued = this.isBacklogged ? this.#overloaded : this.#submitNow(change);
    const answer =
      typeof queued === 'number' ? this.#wait(queued, change, deadlineMs, signal) : queued;
    return this.#within(answer, change, deadlineMs, signal);
  }

  #wait(
    refused: number,
    change: CoreChange,
    deadlineMs: number,
    signal: AbortSignal | null,
  ): Promise<Completion | null> {
    if (refused !== this.#overloaded && refused !== this.#stopped) {
      throw this.#core.error(refused, `The change of ${change.key}`, { key: change.key });
    }
    const size = change.value?.byteLength ?? 0;
    const full =
      this.#waiting.length >= storeLimits.waitingPuts ||
      (this.#waitingBytes > 0 && this.#waitingBytes + size > storeLimits.waitingBytes);
    if (full) {
      throw this.#overloadedError(change);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, deadlineMs, signal, resolve, reject });
      this.#waitingBytes += size;
      this.#schedulePump(refused);
    });
  }

  /**
   * What is given to a shard that stands still comes back with its effect unknown: it waits here.
   */
  #submitNow(change: CoreChange): Promise<Completion | null> | number {
    if (this.#group.isRunning(this.#shard)) return this.#core.submit(change);
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
      const waiting = this.#waiting[done] as Waiting;
      if (waiting.signal?.aborted === true) {
        waiting.reject(cancelled(waiting.change));
        continue;
      }
      const queued = this.#offer(waiting);
      if (queued === this.#stopped && !this.#group.isHere(this.#shard)) {
        waiting.reject(this.#leftError(waiting.change));
        continue;
      }
      if (queued === this.#overloaded || queued === this.#stopped) {
        refused = queued;
        if (now < waiting.deadlineMs) {
          break;
        }
        waiting.reject(this.#givenUp(queued, waiting.change));
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

  /** 0: taken or answered; else why it must wait on. */
  #offer(waiting: Waiting): number {
    try {
      const queued = this.#submitNow(waiting.change);
      if (typeof queued !== 'number') {
        waiting.resolve(queued);
        return 0;
      }
      if (queued === this.#overloaded || queued === this.#stopped) {
        return queued;
      }
      const { key } = waiting.change;
      waiting.reject(this.#core.error(queued, `The change of ${key}`, { key }));
    } catch (caught) {
      waiting.reject(toFreshetError(caught));
    }
    return 0;
  }

  #dropOverdue(now: number, refused: number): void {
    const overdue = this.#waiting.filter(({ deadlineMs }) => now >= deadlineMs);
    for (const waiting of overdue) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      this.#waitingBytes -= waiting.change.value?.byteLength ?? 0;
      waiting.reject(this.#givenUp(refused, waiting.change));
    }
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

  #within(
    answer: Promise<Completion | null>,
    change: CoreChange,
    deadlineMs: number,
    signal: AbortSignal | null,
  ): Promise<Completion | null> {
    return new Promise((resolve, reject) => {
      const flight: InFlight = { deadlineMs, change, reject };
      this.#inFlight.add(flight);
      const onAbort = (): void => {
        this.#inFlight.delete(flight);
        reject(cancelled(change));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const settle = (): void => {
        this.#inFlight.delete(flight);
        signal?.removeEventListener('abort', onAbort);
      };
      answer.then(
        (completion) => {
          settle();
          resolve(completion);
        },
        (error: unknown) => {
          settle();
          reject(toFreshetError(error));
        },
      );
      this.#scheduleSweep();
    });
  }

  #scheduleSweep(): void {
    if (this.#sweeping) {
      return;
    }
    this.#sweeping = true;
    this.#clock.after(storeLimits.overdueSweepMs, () => {
      this.#sweeping = false;
      // Those that still wait for room are told by the pump, which knows that they had no effect.
      const now = this.#clock.monotonicMs() - 2 * storeLimits.overdueSweepMs;
      for (const flight of this.#inFlight) {
        const { deadlineMs, change, reject } = flight;
        if (now >= deadlineMs) {
          this.#inFlight.delete(flight);
          const message = `The change of ${change.key} was not answered in time`;
          reject(
            new FreshetError('TIMEOUT', message, {
              details: { key: change.key, shard: this.#shard },
            }),
          );
        }
      }
      if (this.#inFlight.size > 0) {
        this.#scheduleSweep();
      }
    });
  }
}

function cancelled(change: CoreChange): FreshetError {
  return new FreshetError('CANCELLED', `The change of ${change.key} was given up`);
}
