/**
 * A shard wherever it runs now: at this member as long as it is one of the shard's, else through one
 * that is. Shards move while they are used, so whoever keeps one keeps this. A member that goes on
 * without the shard because it is slow (`slowMember: demote`) observes it, and answers `local` reads.
 *
 * Thread: event loop.
 * Invariant: what is sent again elsewhere was not made here (NOT_A_MEMBER), or has a session
 * identity under which it is made once.
 */
import {
  type Clock,
  FreshetError,
  isFreshetError,
  type ObjectRecord,
  type PutOutcome,
  type PutResult,
  type ReadLevel,
  type ShardFrontier,
} from '../base/mod.ts';
import type { Group } from '../group/mod.ts';
import type { LocalShard } from './local-shard.ts';
import { RoamingFeed } from './roaming-feed.ts';
import type {
  FeedOptions,
  MadeChange,
  ScanPage,
  ShardAccess,
  ShardCallLimits,
  ShardChange,
  ShardFeed,
  ShardRead,
  ShardScan,
  VersionPlace,
} from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

/** How the shard is used in each case; made when first needed. */
export interface ShardPlaces {
  readonly group: Group;
  readonly clock: Clock;
  /** Reads here; `sends`: changes too. */
  readonly here: (sends: boolean) => LocalShard;
  readonly elsewhere: () => ShardAccess;
}

export class RoamingShard implements ShardAccess {
  readonly shard: number;
  readonly #places: ShardPlaces;
  #generation = -1;
  #local: LocalShard | null = null;
  /** This member makes changes itself; else they go to one that does, and may come to be there. */
  #sends = false;
  readonly #feeds = new Set<RoamingFeed>();

  constructor(shard: number, places: ShardPlaces) {
    this.shard = shard;
    this.#places = places;
  }

  /** The shard as this member has it; null: it is elsewhere. */
  get here(): LocalShard | null {
    const { group, here } = this.#places;
    if (this.#generation !== group.generation) {
      this.#generation = group.generation;
      this.#sends = group.senders(this.shard).includes(group.nodeId);
      // A view may still have places in what was taken away.
      const isHere = group.layout.has(this.shard) && group.isHere(this.shard);
      this.#local = isHere ? here(this.#sends) : null;
    }
    return this.#local;
  }

  get #makesChanges(): boolean {
    return this.here !== null && this.#sends;
  }

  /** Where it is used now. Throws UNKNOWN_POOL: it was taken away with its subgroup. */
  get current(): ShardAccess {
    const { group, elsewhere } = this.#places;
    if (!group.layout.has(this.shard)) {
      throw group.stoppedError(this.shard, 'This was not done');
    }
    return this.here ?? elsewhere();
  }

  /** The view may be another one. */
  onView(): void {
    for (const feed of this.#feeds) feed.onView();
  }

  async put(change: ShardChange, call: ShardCallLimits): Promise<PutResult> {
    if (!this.#makesChanges) return this.current.put(change, call);
    return this.#following(call, (shard, left) => shard.put(change, left));
  }

  async putMany(
    changes: readonly ShardChange[],
    call: ShardCallLimits,
  ): Promise<readonly PutOutcome[]> {
    if (!this.#makesChanges) return this.current.putMany(changes, call);
    const { clock } = this.#places;
    const deadline = clock.monotonicMs() + call.timeoutMs;
    const outcomes = await this.#following(call, (shard, left) => shard.putMany(changes, left));
    const timeoutMs = Math.max(1, deadline - clock.monotonicMs());
    return Promise.all(
      outcomes.map(async (outcome, nth) => {
        const change = changes[nth];
        const isLeft = isFreshetError(outcome, 'NOT_A_MEMBER') && change !== undefined;
        return isLeft ? asOutcome(this.put(change, { ...call, timeoutMs })) : outcome;
      }),
    );
  }

  begin(changes: readonly MadeChange[]): boolean {
    return this.#makesChanges && this.here?.begin(changes) === true;
  }

  glance(key: string, read: ReadLevel): ObjectRecord | null {
    return this.here?.glance(key, read) ?? null;
  }

  read(read: ShardRead, call: ShardCallLimits): Promise<ObjectRecord | null> {
    const observed = this.#observed(read.read);
    if (observed !== null) return observed.read(read, call);
    return this.#following(call, (shard, left) => shard.read(read, left));
  }

  readPart(place: VersionPlace, from: number, call: ShardCallLimits): Promise<Uint8Array> {
    return this.#following(call, (shard, left) => shard.readPart(place, from, left));
  }

  checkVersion(place: VersionPlace, call: ShardCallLimits): Promise<void> {
    return this.#following(call, (shard, left) => shard.checkVersion(place, left));
  }

  scan(scan: ShardScan, resume: Uint8Array | null, call: ShardCallLimits): Promise<ScanPage> {
    const observed = this.#observed(scan.read);
    if (observed !== null) return observed.scan(scan, resume, call);
    return this.#following(call, (shard, left) => shard.scan(scan, resume, left));
  }

  history(
    key: string,
    from: number,
    to: number,
    limit: number,
    call: ShardCallLimits,
  ): Promise<readonly ObjectRecord[]> {
    return this.#following(call, (shard, left) => shard.history(key, from, to, limit, left));
  }

  feed(options: FeedOptions): ShardFeed {
    const feed: RoamingFeed = new RoamingFeed(this, this.#places.clock, options, () => {
      this.#feeds.delete(feed);
    });
    this.#feeds.add(feed);
    return feed;
  }

  frontier(read: ReadLevel, call: ShardCallLimits): Promise<ShardFrontier> {
    return this.#following(call, (shard, left) => shard.frontier(read, left));
  }

  async epochOf(version: number): Promise<number | null> {
    return this.current.epochOf(version);
  }

  versionAtTime(time: number, read: ReadLevel, call: ShardCallLimits): Promise<number> {
    const observed = this.#observed(read);
    if (observed !== null) return observed.versionAtTime(time, read, call);
    return this.#following(call, (shard, left) => shard.versionAtTime(time, read, left));
  }

  /** For a read that may be out of date; null: it may not, or the shard is not observed here. */
  #observed(read: ReadLevel): LocalShard | null {
    const { group, here } = this.#places;
    if (read !== 'local' || !group.isObserving(this.shard)) return null;
    return group.layout.has(this.shard) ? here(false) : null;
  }

  /** Here, and elsewhere for the rest of the call's time when this member has left the shard. */
  async #following<Result>(
    call: ShardCallLimits,
    run: (shard: ShardAccess, call: ShardCallLimits) => Promise<Result>,
  ): Promise<Result> {
    const { clock, group } = this.#places;
    const deadline = clock.monotonicMs() + call.timeoutMs;
    for (;;) {
      const { here } = this;
      const left = { ...call, timeoutMs: Math.max(1, deadline - clock.monotonicMs()) };
      if (here === null) return run(this.current, left);
      try {
        return await run(here, left);
      } catch (caught) {
        if (!isFreshetError(caught, 'NOT_A_MEMBER')) throw caught;
      }
      if (this.here === null) continue;
      // The core has left it, and its view is yet to come to this loop.
      if (clock.monotonicMs() >= deadline) {
        throw group.stoppedError(this.shard, 'This was not done');
      }
      await new Promise<void>((resolve) => {
        clock.after(storeLimits.stoppedPauseMs, resolve);
      });
    }
  }
}

async function asOutcome(result: Promise<PutResult>): Promise<PutOutcome> {
  try {
    return await result;
  } catch (caught) {
    if (caught instanceof FreshetError) return caught;
    throw caught;
  }
}
