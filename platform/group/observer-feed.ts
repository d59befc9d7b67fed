/**
 * Feeds the shards that this member observes: it was slow, they go on without it, and it follows
 * their history at its own pace, from a member that holds them, until it keeps up with it.
 *
 * A round asks the donor where it is and fetches up to there. It keeps up as long as what it has is
 * never older than what the members would wait for: so it is let in again only if nobody would have
 * waited longer for it than that, pauses of its own included.
 *
 * Thread: event loop.
 * Invariants
 *  1. Only records of epochs that the installed view has without this member are taken: those of an
 *     epoch that it is in come by the epoch itself.
 *  2. While a view is on its way nothing is fetched here; what that view needs is fetched for it
 *     (group-steps.ts), and rounds and steps never run at once.
 */
import {
  type CancelTimer,
  type Clock,
  isFreshetError,
  type Logger,
  messageOf,
} from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { Position } from './group-events.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import type { ShardFiller } from './shard-filler.ts';
import type { Observation } from './slow-members.ts';
import { seeViews } from './view-calls.ts';
import { nodesOf } from './view-codec.ts';

/** Asks a member where a shard's history ends there: epoch and sequence. */
export const positionCall = 'group.position';

export interface ObserverOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly filler: ShardFiller;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where this member stands with a shard. */
  readonly position: (shard: number) => Promise<Position>;
  /** Runs a round when no step runs, unless it is given up first. */
  readonly queue: (round: (signal: AbortSignal) => Promise<void>) => Promise<void>;
  readonly onKeepsUp: (shard: number, ready: boolean) => void;
}

interface Followed extends Observation {
  /** What the donor had then is here. */
  freshMs: number;
  /** Since then it was never further behind than it may be. */
  keptMs: number;
  ready: boolean;
}

export class ObserverFeed {
  readonly #options: ObserverOptions;
  readonly #followed = new Map<number, Followed>();
  #cancelPause: CancelTimer | null = null;
  #isRunning = false;
  #closed = false;
  #donor = 0;

  constructor(options: ObserverOptions) {
    this.#options = options;
    options.messages.handle(positionCall, async (_from, argument) => {
      const { epoch, sequence } = await options.position(Number(argument));
      return [epoch, sequence];
    });
  }

  /** Follows these, and no others any more. */
  set(shards: readonly Observation[]): void {
    const now = this.#options.clock.monotonicMs();
    for (const shard of [...this.#followed.keys()]) {
      if (!shards.some((one) => one.shard === shard)) this.#followed.delete(shard);
    }
    for (const one of shards) {
      if (this.#followed.has(one.shard)) continue;
      this.#followed.set(one.shard, { ...one, freshMs: now, keptMs: now, ready: false });
    }
    // What it had when it was taken out is where the others' history went on from.
    this.#options.filler.trust([...this.#followed.keys()]);
    if (!this.#isRunning && this.#followed.size > 0) {
      this.#isRunning = true;
      void this.#run();
    }
  }

  /** How old what this member has of a shard may be, ms; null: it does not follow it. */
  lagMs(shard: number): number | null {
    const followed = this.#followed.get(shard);
    const now = this.#options.clock.monotonicMs();
    return followed === undefined ? null : Math.round(now - followed.freshMs);
  }

  close(): void {
    this.#closed = true;
    this.#cancelPause?.();
  }

  async #run(): Promise<void> {
    while (!this.#closed && this.#followed.size > 0) {
      for (const followed of [...this.#followed.values()]) {
        await this.#options.queue((signal) => this.#round(followed, signal));
      }
      await this.#pause();
    }
    this.#isRunning = false;
  }

  async #round(followed: Followed, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const { shard } = followed;
    const began = clock.monotonicMs();
    try {
      if (!(await this.#fetch(shard, signal))) return;
    } catch (caught) {
      if (isFreshetError(caught, 'CANCELLED')) return;
      this.#donor++;
      log.info({ shard, error: messageOf(caught) }, 'following a shard failed');
      return;
    }
    const now = clock.monotonicMs();
    if (now - followed.freshMs > followed.afterMs) followed.keptMs = now;
    followed.freshMs = began;
    const ready = now - followed.keptMs >= followed.keepUpMs;
    if (ready === followed.ready || this.#followed.get(shard) !== followed) return;
    followed.ready = ready;
    log.info({ shard, ready }, ready ? 'keeps up with a shard again' : 'fell behind a shard');
    this.#options.onKeepsUp(shard, ready);
  }

  /** True: all that the donor had is here. */
  async #fetch(shard: number, signal: AbortSignal): Promise<boolean> {
    const { core, messages, filler, position } = this.#options;
    const place = this.#donorOf(shard);
    if (place === null) return false;
    const options = { timeoutMs: groupLimits.fillTimeoutMs, signal };
    const there = await messages.call(place.donor, positionCall, shard, options);
    const [epoch = 0, sequence = -1] = Array.isArray(there) ? (there as number[]) : [];
    // It is in an epoch that is not known here yet.
    const isBeyond = epoch > place.epoch;
    // Looked at anew before each chunk: a view may have come.
    const mayGoOn = (): boolean => {
      const goesOn = this.#followed.has(shard) && !core.closed;
      return goesOn && this.#donorOf(shard)?.epoch === place.epoch;
    };
    for (let chunk = 0; chunk < groupLimits.observeChunks; chunk++) {
      const mine = await position(shard);
      const isThere = mine.epoch === epoch ? mine.sequence >= sequence : mine.epoch > epoch;
      if (isThere) return true;
      if (!mayGoOn()) return false;
      const fill = { shard, donor: place.donor };
      if (!(await filler.follow(fill, mine, place.epoch, signal, mayGoOn))) return !isBeyond;
    }
    return false;
  }

  /** A member that holds it, and the epoch that runs without this one. Null: there is none now. */
  #donorOf(shard: number): { readonly donor: number; readonly epoch: number } | null {
    const { core, messages } = this.#options;
    const views = seeViews(core);
    const view = views?.core.installed ?? null;
    const found = view?.shards.find((one) => one.shard === shard);
    if (views === null || view === null || found === undefined || views.proposal !== null) {
      return null;
    }
    const nodes = nodesOf(view, found);
    const donors = nodes.filter((node) => messages.up.has(node));
    const donor = donors[(shard + this.#donor) % Math.max(1, donors.length)];
    if (donor === undefined || found.closed || nodes.includes(core.nodeId)) return null;
    return { donor, epoch: found.epoch };
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#cancelPause = this.#options.clock.after(groupLimits.observePauseMs, resolve);
    });
  }
}
