/**
 * A shard of this member that goes on without it while it is too slow (`slowMember: demote`): then it
 * only observes the shard. It answers `local` reads itself; all else is done by a member that holds
 * the shard, so no door of an observer shows what may be out of date as if it were not.
 *
 * Thread: event loop.
 */
import {
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
import { MovingFeed } from './moving-feed.ts';
import type { RemoteShard } from './remote-shard.ts';
import type {
  FeedOptions,
  ScanPage,
  ShardAccess,
  ShardCallLimits,
  ShardChange,
  ShardFeed,
  ShardRead,
  ShardScan,
} from './shard-access.ts';

export class DemotableShard implements ShardAccess {
  readonly shard: number;
  readonly #local: LocalShard;
  readonly #remote: RemoteShard;
  readonly #group: Group;

  constructor(local: LocalShard, remote: RemoteShard, group: Group) {
    this.shard = local.shard;
    this.#local = local;
    this.#remote = remote;
    this.#group = group;
  }

  /** For other members, who have to ask a holder. Throws NOT_A_MEMBER: it is observed here. */
  here(): LocalShard {
    if (this.#isObserving) {
      const message = `This member only observes shard ${String(this.shard)}, as it was slow`;
      throw new FreshetError('NOT_A_MEMBER', message, { details: { shard: this.shard } });
    }
    return this.#local;
  }

  async put(change: ShardChange, call: ShardCallLimits): Promise<PutResult> {
    return this.#orElsewhere((shard) => shard.put(change, call));
  }

  async putMany(
    changes: readonly ShardChange[],
    call: ShardCallLimits,
  ): Promise<readonly PutOutcome[]> {
    const outcomes = await this.#at(null).putMany(changes, call);
    const left = outcomes.flatMap((outcome, nth) => (this.#wasNotTaken(outcome) ? [nth] : []));
    if (left.length === 0) return outcomes;
    const again = await this.#remote.putMany(
      left.map((nth) => changes[nth] as ShardChange),
      call,
    );
    return outcomes.map((outcome, nth) => again[left.indexOf(nth)] ?? outcome);
  }

  async read(read: ShardRead, call: ShardCallLimits): Promise<ObjectRecord | null> {
    return this.#at(read.read).read(read, call);
  }

  async scan(scan: ShardScan, resume: Uint8Array | null, call: ShardCallLimits): Promise<ScanPage> {
    return this.#at(scan.read).scan(scan, resume, call);
  }

  async history(
    key: string,
    from: number,
    to: number,
    limit: number,
    call: ShardCallLimits,
  ): Promise<readonly ObjectRecord[]> {
    return this.#at(null).history(key, from, to, limit, call);
  }

  feed(options: FeedOptions): ShardFeed {
    const open = (from: number | null): ShardFeed => this.#at(null).feed({ ...options, from });
    return new MovingFeed(options, open, () => this.#isObserving, this.#group);
  }

  async frontier(): Promise<ShardFrontier> {
    return this.#at(null).frontier();
  }

  async epochOf(version: number): Promise<number | null> {
    return this.#at(null).epochOf(version);
  }

  async versionAtTime(time: number, read: ReadLevel, call: ShardCallLimits): Promise<number> {
    return this.#at(read).versionAtTime(time, read, call);
  }

  get #isObserving(): boolean {
    return this.#group.isObserving(this.shard);
  }

  /** Who answers at this level now; null: at the highest. */
  #at(read: ReadLevel | null): ShardAccess {
    return this.#isObserving && read !== 'local' ? this.#remote : this.#local;
  }

  /** What waited here when the shard went on without this member was never taken. */
  async #orElsewhere<Result>(run: (shard: ShardAccess) => Promise<Result>): Promise<Result> {
    try {
      return await run(this.#at(null));
    } catch (caught) {
      if (!this.#wasNotTaken(caught)) throw caught;
      return run(this.#remote);
    }
  }

  #wasNotTaken(outcome: unknown): boolean {
    return this.#isObserving && isFreshetError(outcome, 'NOT_A_MEMBER');
  }
}
