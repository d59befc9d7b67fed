/**
 * The store as a member, a door or a lambda uses it: any key, wherever its shard lies. Checks what
 * it is asked, finds the pool and the shard, and hands on to the shard here or at another member.
 *
 * Thread: event loop.
 */
import {
  allOutcomes,
  type CallLimits,
  checkBatch,
  checkedEventTime,
  checkKey,
  checkPoint,
  checkSize,
  type Clock,
  compareText,
  decodeToken,
  FreshetError,
  type GetRequest,
  type HistoryRequest,
  limits,
  type ListRequest,
  type ObjectRecord,
  oneResult,
  type OutcomeSink,
  type PutOutcome,
  type PutRequest,
  type PutResult,
  type RemoveRequest,
  type ShardFrontier,
  toFreshetError,
  type TriggerRequest,
  type TriggerResult,
  Watch,
  type WatchEvent,
  type WatchRequest,
} from '../base/mod.ts';
import { Placement } from '../bridge/mod.ts';
import { type Group, MemberClock, type MemberCore } from '../group/mod.ts';
import { callLimits } from './call-limits.ts';
import type { Catalog } from './catalog.ts';
import { KeyPlaces } from './key-places.ts';
import { mergeKeys } from './listing.ts';
import { ObjectChanges } from './object-changes.ts';
import { openFeeds } from './open-feeds.ts';
import type { PoolInfo, PoolOptions } from './pool.ts';
import { PoolDirectory } from './pool-directory.ts';
import { PoolManager } from './pool-manager.ts';
import {
  plainScan,
  type ShardAccess,
  type ShardCallLimits,
  type ShardScan,
} from './shard-access.ts';
import type { TriggerRouter } from './trigger-router.ts';

export interface ObjectStoreOptions {
  readonly core: MemberCore;
  readonly group: Group;
  readonly catalog: Catalog;
  readonly triggers: TriggerRouter;
  readonly access: (shard: number) => ShardAccess;
  readonly clock: Clock;
  /** µs that a time asked for may lie ahead of this member's clock. */
  readonly maxClockSkewUs: number;
}

export class ObjectStore {
  readonly directory: PoolDirectory;
  readonly placement: Placement;
  readonly #places: KeyPlaces;
  readonly #options: ObjectStoreOptions;
  readonly #pools: PoolManager;
  readonly #changes: ObjectChanges;

  constructor(options: ObjectStoreOptions) {
    const { catalog, group, access, core } = options;
    this.#options = options;
    this.directory = new PoolDirectory(catalog, group);
    const poolsMax = core.addon.limits['poolsMax'] ?? Infinity;
    this.#pools = new PoolManager(catalog, this.directory, group, access, poolsMax);
    this.placement = new Placement(core.addon);
    this.#places = new KeyPlaces(this.directory, this.placement, access);
    this.#changes = new ObjectChanges({
      ...options,
      directory: this.directory,
      placement: this.placement,
      places: this.#places,
      pools: this.#pools,
      poolOf: (key, call) => this.#poolOf(key, call),
    });
  }

  /**
   * Rejects CONDITION_FAILED, VALUE_TOO_LARGE, UNKNOWN_POOL, OVERLOADED, SHARD_STOPPED, TIMEOUT …
   */
  put(request: PutRequest): Promise<PutResult> {
    return oneResult((sink) => {
      this.#changes.make('put', [request], sink);
    });
  }

  remove(request: RemoveRequest): Promise<PutResult> {
    return oneResult((sink) => {
      this.#changes.make('remove', [request], sink);
    });
  }

  /** Many puts, not atomic: outcomes in order. Rejects only for too many, or too many bytes. */
  async putMany(requests: readonly PutRequest[]): Promise<readonly PutOutcome[]> {
    checkBatch(requests);
    return allOutcomes(requests.length, (sink) => {
      this.#changes.make('put', requests, sink, true);
    });
  }

  /** As `putMany`, of any number; each outcome is told as it comes. */
  putEach(requests: readonly PutRequest[], sink: OutcomeSink): void {
    this.#changes.make('put', requests, sink);
  }

  /** null: there is no such object, or not at that point. */
  get(request: GetRequest): Promise<ObjectRecord | null> {
    let found: ObjectRecord | null = null;
    try {
      found = this.#glance(request);
    } catch (caught) {
      // What is wrong with the request is told below.
      if (!(caught instanceof FreshetError)) return Promise.reject(toFreshetError(caught));
    }
    return found === null ? this.#read(request, true) : Promise.resolve(found);
  }

  /** As `get`; a large value may be one that others read too, which is not to be written to. */
  async getShared(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#read(request, true, true);
  }

  /** As `get`, without the value. */
  async stat(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#read(request, false);
  }

  /** Versions of one key, oldest first unless `reverse`; removes are among them. */
  async *history(request: HistoryRequest & CallLimits): AsyncGenerator<ObjectRecord, undefined> {
    const pool = await this.#newestPoolOf(request.key, request);
    const shard = this.#access(this.placement.shardOf(pool, request.key));
    const { key, reverse = false, limit = Infinity } = request;
    const from = request.fromVersion ?? 0;
    const call = callLimits(request);
    const page = limits.pageObjectsMax;
    let to: number | null = request.toVersion ?? Number.MAX_SAFE_INTEGER;
    let left = limit;
    const oldestFirst: ObjectRecord[] = [];
    while (to !== null && left > 0) {
      const size = Math.min(page, reverse ? left : page);
      const heads: readonly ObjectRecord[] = await shard.history(key, from, to, size, call);
      if (reverse) {
        yield* this.#withValues(shard, heads, call);
        left -= heads.length;
      } else {
        oldestFirst.push(...heads);
      }
      to = heads.length < size ? null : (heads.at(-1)?.previousVersionOfKey ?? null);
    }
    const forward = oldestFirst.reverse().slice(0, limit);
    yield* this.#withValues(shard, forward, call);
    return undefined;
  }

  /** Keys that begin with the prefix, in byte order. */
  async *list(request: ListRequest & CallLimits): AsyncGenerator<string, undefined> {
    const { prefix, after, limit = Infinity, at, read = 'linearizable' } = request;
    const pools = await this.#poolsUnder(prefix, request, read === 'linearizable');
    const call = callLimits(request);
    const only = pools.length === 1 ? pools[0] : undefined;
    const shards = this.#shardsOf(pools);
    const scanOf = async (shard: ShardAccess): Promise<ShardScan> => ({
      ...plainScan,
      kind: 'objects',
      prefix: only?.name === prefix ? `${prefix}/` : prefix,
      toVersion: at === undefined ? Infinity : await shard.versionAtTime(at, read, call),
      read,
    });
    let left = limit;
    for await (const key of mergeKeys(shards, scanOf, call)) {
      if (left <= 0) {
        break;
      }
      const isWanted = after === undefined || compareText(key, after) > 0;
      if (isWanted && isUnder(key, pools)) {
        yield key;
        left--;
      }
    }
    return undefined;
  }

  /**
   * Changes under a prefix: from a token, from the `start`, or from now (what was acknowledged
   * before this call is not shown, what is acknowledged after it returned the iterator's first
   * promise is).
   */
  async *watch(request: WatchRequest): AsyncGenerator<WatchEvent, undefined> {
    const watch = await this.openWatch(request);
    try {
      for await (const event of watch) {
        yield event;
      }
    } finally {
      await watch.return();
    }
    return undefined;
  }

  /** As `watch`; resolves once nothing after now can be missed. */
  async openWatch(request: WatchRequest): Promise<Watch> {
    const { prefix, from, signal } = request;
    const all = await this.#poolsUnder(prefix, {});
    const pools = all.filter((pool) => !this.#changes.isRaw(pool));
    if (pools.length === 0) {
      throw new FreshetError('UNSUPPORTED', `What is put into ${prefix} has no order to watch`, {
        mend: 'Register a lambda on it, or put into a pool of an ordered subgroup',
      });
    }
    const only = all.length === 1 ? pools[0] : undefined;
    const bytes = only?.name === prefix ? `${prefix}/` : prefix;
    const positions = decodeToken(from === undefined || from === 'start' ? '' : from);
    const feeds = await openFeeds(this.#shardsOf(pools), positions, {
      prefix: bytes,
      frontier: request.frontier ?? 'persisted',
      isFromStart: from === 'start',
    });
    const wants = (key: string): boolean => isUnder(key, pools);
    return new Watch({ feeds, positions, wants, signal: signal ?? null });
  }

  /** Hands bytes to the lambdas of members; nothing is stored. */
  async triggerPut(request: TriggerRequest): Promise<TriggerResult> {
    const pool = await this.#poolOf(request.key, request);
    checkSize(request.key, request.value.byteLength, pool);
    checkedEventTime(request.key, request.eventTime);
    const placeOf = (members: number): number => this.placement.triggerPlace(request.key, members);
    const shard = this.placement.shardOf(pool, request.key);
    const { timeoutMs } = callLimits(request);
    return this.#options.triggers.send(request, { shard, placeOf, timeoutMs });
  }

  /** How far each shard of the pool is. */
  async frontier(pool: string): Promise<readonly ShardFrontier[]> {
    const { shards } = await this.pool(pool);
    const call = callLimits({});
    return Promise.all(shards.map((shard) => this.#access(shard).frontier('local', call)));
  }

  async createPool(options: PoolOptions): Promise<PoolInfo> {
    return this.#pools.create(options);
  }

  async removePool(name: string): Promise<void> {
    return this.#pools.remove(name);
  }

  pools(): Promise<readonly PoolInfo[]> {
    return Promise.resolve(this.directory.list());
  }

  /** Throws UNKNOWN_POOL, which names the nearest. */
  async pool(name: string): Promise<PoolInfo> {
    return this.directory.get(name) ?? this.newestPool(name);
  }

  /** As the catalog has it, not as this member has heard of it; throws as `pool` does. */
  async newestPool(name: string): Promise<PoolInfo> {
    const pool = await this.#afterCatchUp(name, 'get', {});
    if (pool === null) {
      throw this.directory.unknown(name);
    }
    return pool;
  }

  /** What needs no waiting. null: it does, or is not there, or is refused. */
  #glance(request: GetRequest): ObjectRecord | null {
    const { key, read = 'linearizable', version, exact, at, maxBytes = 0 } = request;
    const isNewest = version === undefined && exact === undefined && at === undefined;
    if (!isNewest || !Number.isSafeInteger(maxBytes) || maxBytes < 0) return null;
    const found = this.#places.of(key)?.shard.glance(key, read) ?? null;
    const isLeftOut = found !== null && found.size > (request.maxBytes ?? Infinity);
    return isLeftOut ? null : found;
  }

  async #read(
    request: GetRequest,
    wantValue: boolean,
    shared = false,
  ): Promise<ObjectRecord | null> {
    const { key, read = 'linearizable', version = null, exact = false, at = null } = request;
    const { clock } = this.#options;
    const { timeoutMs, signal } = callLimits(request);
    const deadline = clock.monotonicMs() + timeoutMs;
    const left = (): ShardCallLimits => {
      return { timeoutMs: Math.max(1, deadline - clock.monotonicMs()), signal };
    };
    let pool = await this.#poolOf(key, { timeoutMs });
    checkPoint(request);
    if (at !== null) this.#checkTime(at);
    const { maxBytes = Infinity } = request;
    const point = { key, read, version, exact, at, wantValue, shared, maxBytes };
    for (;;) {
      const shard = this.#access(this.placement.shardOf(pool, key));
      const found = await shard.read(point, left());
      if (found !== null && !found.removed) return found;
      if (read !== 'linearizable') return null;
      // It may have been removed, and another one made in its place, before that was heard of here.
      const newest = await this.#newestPoolOf(key, { timeoutMs: left().timeoutMs });
      if (newest.id === pool.id) return null;
      pool = newest;
    }
  }

  /** What members have answered as a time is no future, whatever the clock here says. */
  #checkTime(at: number): void {
    const { clock, maxClockSkewUs, core } = this.#options;
    const newestUs = new MemberClock(core).read()?.newestUs ?? 0;
    const latest = Math.max(clock.wallUs() + maxClockSkewUs, newestUs);
    if (at > latest) {
      throw new FreshetError('INVALID_ARGUMENT', `at: ${String(at)} lies in the future`, {
        mend: `Ask for a time up to ${String(latest)} µs`,
        details: { at, latest },
      });
    }
  }

  async *#withValues(
    shard: ShardAccess,
    heads: readonly ObjectRecord[],
    call: ShardCallLimits,
  ): AsyncGenerator<ObjectRecord, undefined> {
    for (const head of heads) {
      if (head.removed) {
        yield head;
        continue;
      }
      const { key, version } = head;
      const point = { key, read: 'linearizable', version, exact: true, at: null } as const;
      const found = await shard.read({ ...point, wantValue: true }, call);
      yield found ?? head;
    }
    return undefined;
  }

  async #poolOf(key: string, call: CallLimits): Promise<PoolInfo> {
    checkKey(key);
    return this.directory.find(key) ?? this.#newestPoolOf(key, call);
  }

  async #newestPoolOf(key: string, call: CallLimits): Promise<PoolInfo> {
    checkKey(key);
    const pool = await this.#afterCatchUp(key, 'find', call);
    if (pool === null) throw this.directory.unknown(key);
    return pool;
  }

  /** `isNewest`: as the catalog is, not as this member has heard of it. */
  async #poolsUnder(
    prefix: string,
    call: CallLimits,
    isNewest = false,
  ): Promise<readonly PoolInfo[]> {
    checkKey(prefix.endsWith('/') && prefix.length > 1 ? prefix.slice(0, -1) : prefix);
    let pools = isNewest ? [] : this.directory.under(prefix);
    if (pools.length === 0) {
      await this.#afterCatchUp(prefix, 'find', call);
      pools = this.directory.under(prefix);
    }
    if (pools.length === 0) {
      throw this.directory.unknown(prefix);
    }
    return pools;
  }

  /** Another member may have created the pool a moment ago. */
  async #afterCatchUp(
    name: string,
    how: 'get' | 'find',
    call: CallLimits,
  ): Promise<PoolInfo | null> {
    await this.#options.catalog.catchUp(callLimits(call).timeoutMs);
    return this.directory[how](name);
  }

  #shardsOf(pools: readonly PoolInfo[]): ShardAccess[] {
    const shards = new Set(pools.flatMap((pool) => pool.shards));
    return [...shards].map((shard) => this.#access(shard));
  }

  #access(shard: number): ShardAccess {
    return this.#options.access(shard);
  }
}

function isUnder(key: string, pools: readonly PoolInfo[]): boolean {
  return pools.some(({ name }) => key.startsWith(`${name}/`));
}
