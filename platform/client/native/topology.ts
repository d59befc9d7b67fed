/**
 * Where everything is, as a member told it: the members' native doors, shards, pools. A snapshot:
 * who is asked for what has moved says so, and the next snapshot knows better.
 */
import {
  type Clock,
  type NativeAddress,
  type NativeDoorInfo,
  type NativePool,
  type NativeShard,
  type NativeTicket,
  poolOfKey,
  poolsUnder,
} from '../../base/mod.ts';
import type { Placement } from '../../bridge/mod.ts';

/** A shard, and whom a client asks first, next …: node ids whose doors are known. */
export interface RoutedShard extends NativeShard {
  readonly readers: readonly number[];
  readonly writers: readonly number[];
}

export class Topology {
  readonly ticket: NativeTicket;
  readonly view: number;
  readonly addresses: ReadonlyMap<number, NativeAddress>;
  /** Every member of a shard has a door that is known. */
  readonly isComplete: boolean;
  readonly #placement: Placement;
  readonly #pools: ReadonlyMap<string, NativePool>;
  readonly #shards: ReadonlyMap<number, RoutedShard>;

  /**
   * `turn`: by so many places members are turned round before they are asked in order. One for all
   * shards, so that a client speaks with few members and its batches grow; another one at each
   * client, so that members share the work. `before`: a door that is not known to who tells this,
   * being connected with its member anew, is where it was.
   */
  constructor(
    info: NativeDoorInfo,
    placement: Placement,
    turn: number,
    before: Topology | null = null,
  ) {
    this.ticket = info.ticket;
    this.view = info.view;
    this.#placement = placement;
    const needed = new Set(info.shards.flatMap(({ members }) => members));
    const told = new Map(info.members.map((address) => [address.nodeId, address]));
    this.isComplete = [...needed].every((node) => told.has(node));
    const kept = [...(before?.addresses ?? [])].filter(([node]) => needed.has(node));
    this.addresses = new Map([...kept, ...told]);
    this.#pools = new Map(info.pools.map((pool) => [pool.name, pool]));
    const nodes = [...this.addresses.keys()].sort((a, b) => a - b);
    const first = nodes.length === 0 ? 0 : turn % nodes.length;
    const order = [...nodes.slice(first), ...nodes.slice(0, first)];
    const inOrder = (some: readonly number[]): readonly number[] =>
      order.filter((node) => some.includes(node));
    this.#shards = new Map(
      info.shards.map((shard) => {
        const routes = { readers: inOrder(shard.members), writers: inOrder(shard.senders) };
        return [shard.shard, { ...shard, ...routes }];
      }),
    );
  }

  /** null: none that is known here. */
  poolOf(key: string): NativePool | null {
    return poolOfKey(this.#pools, key);
  }

  /** Pools that have, or may have, keys that begin with these characters. */
  poolsUnder(prefix: string): readonly NativePool[] {
    return poolsUnder(this.#pools, prefix);
  }

  /** Which of so many members takes a trigger of this key. */
  triggerPlace(key: string, members: number): number {
    return this.#placement.triggerPlace(key, members);
  }

  /** The shard of a key; null: it is not known here. */
  shardOf(pool: NativePool, key: string): RoutedShard | null {
    const [only] = pool.shards;
    const isOnly = pool.shards.length === 1 && only !== undefined;
    return this.shard(isOnly ? only : this.#placement.shardOf(pool, key));
  }

  shard(shard: number): RoutedShard | null {
    return this.#shards.get(shard) ?? null;
  }

  isRaw({ shards }: NativePool): boolean {
    return shards.some((shard) => this.#shards.get(shard)?.raw === true);
  }
}

export interface TopologyKeeperOptions {
  readonly fetch: () => Promise<NativeDoorInfo>;
  readonly placement: Placement;
  readonly clock: Clock;
  readonly turn: number;
  readonly onChange: (topology: Topology) => void;
}

/** Between two fetches: what changes together is fetched once. Grows while one tells too little. */
const fetchPauseMsMin = 100;
const fetchPauseMsMax = 30_000;

/**
 * The newest snapshot; fetched again when told to, by one call at a time, with pauses, and by
 * itself while a newer view is known of, or a member whose door is not.
 */
export class TopologyKeeper {
  readonly #options: TopologyKeeperOptions;
  #current: Topology | null = null;
  /** Number of the newest view that any member told of. */
  #newestView = 0;
  #isFetching = false;
  #isWanted = false;
  #pauseMs = fetchPauseMsMin;
  #isClosed = false;

  constructor(options: TopologyKeeperOptions) {
    this.#options = options;
  }

  /** null: nobody has told it yet. */
  get current(): Topology | null {
    return this.#current;
  }

  onView(view: number): void {
    if (view <= this.#newestView) return;
    this.#newestView = view;
    this.#pauseMs = fetchPauseMsMin;
    if (view > (this.#current?.view ?? 0)) this.refresh();
  }

  /** Has it fetched soon; until then, and if that fails, it is as it was before. */
  refresh(): void {
    this.#isWanted = true;
    if (this.#isFetching || this.#isClosed) return;
    this.#isFetching = true;
    void this.#fetchOnce();
  }

  /** Fetches it now. Rejects as the call does. */
  async load(): Promise<void> {
    const { fetch, placement, turn, onChange } = this.#options;
    const info = await fetch();
    if (this.#isClosed) return;
    this.#current = new Topology(info, placement, turn, this.#current);
    onChange(this.#current);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #fetchOnce(): Promise<void> {
    this.#isWanted = false;
    await this.load().catch(() => undefined);
    const isNew = this.#current !== null && this.#current.view >= this.#newestView;
    const isEnough = isNew && this.#current?.isComplete === true;
    this.#pauseMs = isEnough ? fetchPauseMsMin : Math.min(2 * this.#pauseMs, fetchPauseMsMax);
    this.#options.clock.after(this.#pauseMs, () => {
      this.#isFetching = false;
      if (this.#isWanted || !isEnough) this.refresh();
    });
  }
}
