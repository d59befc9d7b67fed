/**
 * Creates and removes pools: the catalog holds the intent; each shard of the pool's subgroup learns
 * its rules by an ordered control record, so that every member changes them at the same place.
 *
 * A record that got lost (its sender died, or a volatile shard began anew) is sent again by whoever
 * meets UNKNOWN_POOL of a pool that the catalog has: it says the same, so twice does no harm.
 *
 * Invariant: as long as the catalog has an entry of a name no other pool of it is made, and the
 * entry goes after all that its pool has left. So a pool goes in three steps: its entry says that
 * it is leaving; its shards close it, for good, and what is in it goes; then the entry goes.
 * Whoever removes it, or wants to make one in its place, takes those that are left.
 */
import { type Ack, FreshetError, isFreshetError, limits } from '../base/mod.ts';
import type { Group } from '../group/mod.ts';
import { type Catalog, catalogFolders } from './catalog.ts';
import { ClosedSubgroups, closedRefusal } from './closed-subgroups.ts';
import {
  compilePoolOptions,
  type PoolInfo,
  type PoolOptions,
  type PoolRecord,
  rulesChange,
  samePool,
} from './pool.ts';
import { type LeavingPool, PoolDirectory, type StoredPool } from './pool-directory.ts';
import {
  plainScan,
  type ScanPage,
  type ShardAccess,
  type ShardCallLimits,
  type ShardChange,
} from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

export class PoolManager {
  readonly #catalog: Catalog;
  readonly #directory: PoolDirectory;
  readonly #closed: ClosedSubgroups;
  readonly #group: Pick<Group, 'layout' | 'status'>;
  readonly #access: (shard: number) => ShardAccess;
  /** Ids are below it. */
  readonly #poolsMax: number;

  constructor(
    catalog: Catalog,
    directory: PoolDirectory,
    group: Pick<Group, 'layout' | 'status'>,
    access: (shard: number) => ShardAccess,
    poolsMax: number,
  ) {
    this.#poolsMax = poolsMax;
    this.#catalog = catalog;
    this.#directory = directory;
    this.#closed = new ClosedSubgroups(catalog, directory);
    this.#group = group;
    this.#access = access;
  }

  /**
   * A pool with the same options is simply returned; else POOL_EXISTS, also above and below.
   * NOT_CURRENT: its subgroup is being taken away, or this member may not know that it was.
   * UNKNOWN_POOL: it was made, and somebody has removed it since.
   */
  async create(options: PoolOptions): Promise<PoolInfo> {
    const record = compilePoolOptions(options, this.#group.layout);
    this.#checkName(record.name);
    const call = { timeoutMs: limits.requestTimeoutMsDefault, signal: null };
    for (let attempt = 0; attempt < storeLimits.catalogTries; attempt++) {
      await this.#catalog.catchUp(call.timeoutMs);
      const [leaving] = this.#directory.leaving(record.name);
      if (leaving !== undefined) {
        await this.#finishRemoval(leaving, call);
        continue;
      }
      const present = this.#present(record);
      if (present !== null) {
        await this.#open(present, call);
        if (await this.#isKept(present, present.shards, call)) return present;
        continue;
      }
      const seen = this.#catalog.applied.version;
      await this.#sweepLeft(record, seen, call);
      const version = await this.#tryWrite(record, seen);
      if (version !== null) {
        return this.#finish(record.name, version, call);
      }
    }
    throw this.#overloaded(record.name);
  }

  /**
   * Removes the pool, its keys too; goes on with a removal that was not finished. UNKNOWN_POOL:
   * there is neither. After any other failure it may be there, or be as if it were not, and the
   * call may be made again.
   */
  async remove(name: string): Promise<void> {
    const call = { timeoutMs: limits.requestTimeoutMsDefault, signal: null };
    for (let attempt = 0; attempt < storeLimits.catalogTries; attempt++) {
      await this.#catalog.catchUp(call.timeoutMs);
      const pool = this.#directory.get(name);
      if (pool !== null && !(await this.#tryLeave(pool))) continue;
      const leaving = this.#directory.leaving(name).find((one) => one.name === name);
      if (leaving !== undefined) return this.#finishRemoval(leaving, call);
      // Somebody else has finished it.
      if (pool !== null) return;
      if (this.#directory.isEarly(name)) throw earlyError(name);
      throw this.#directory.unknown(name);
    }
    throw this.#overloaded(name);
  }

  /** Called when a shard does not know a pool that the catalog has now: sends the rules again. */
  async repair(pool: PoolInfo, shard: number, call: ShardCallLimits): Promise<void> {
    await this.#sendRulesTo(shard, pool, false, call);
    if (!(await this.#isKept(pool, [shard], call))) throw this.#directory.unknown(pool.name);
  }

  /** Once it was opened: one that was removed meanwhile is closed again, and false. */
  async #isKept(
    pool: PoolInfo,
    shards: readonly number[],
    call: ShardCallLimits,
  ): Promise<boolean> {
    await this.#catalog.catchUp(call.timeoutMs);
    if (this.#directory.isKept(pool)) return true;
    await this.#close(pool, shards, call);
    return false;
  }

  #overloaded(pool: string): FreshetError {
    const text = 'The catalog is changed by many at once';
    return new FreshetError('OVERLOADED', text, { details: { pool } });
  }

  #checkName(name: string): void {
    const folders = Object.values(catalogFolders).map((folder) => folder.replace(/\/$/, ''));
    const reserved = folders.find((folder) => name === folder || name.startsWith(`${folder}/`));
    if (reserved !== undefined || name === '/system') {
      throw new FreshetError('INVALID_POOL', `${name} belongs to the catalog`, {
        mend: 'Choose a name outside /system',
      });
    }
  }

  #present(record: PoolRecord): PoolInfo | null {
    if (this.#directory.isEarly(record.name)) throw earlyError(record.name);
    const conflict = this.#directory.conflict(record.name);
    if (conflict === null) {
      return null;
    }
    const { id, shards, ...there } = conflict;
    if (samePool(there, record)) {
      return conflict;
    }
    const nests = conflict.name !== record.name;
    const message = nests
      ? `The pool ${conflict.name} exists, and pools never nest: ${record.name}`
      : `The pool ${record.name} exists with other options`;
    throw new FreshetError('POOL_EXISTS', message, {
      details: { pool: conflict.name, id, shards: shards.length },
    });
  }

  async #tryWrite(record: PoolRecord, seen: number): Promise<number | null> {
    const [first] = this.#group.layout.subgroup(record.subgroup).shards;
    const refusal = closedRefusal(this.#closed.now, this.#group.status.view, first?.shard ?? 0);
    if (refusal !== null) throw refusal;
    const stored: StoredPool =
      first === undefined ? record : { ...record, firstShard: first.shard };
    const value = Buffer.from(JSON.stringify(stored), 'utf8');
    const { catalogResidentBytes: bytesMax } = storeLimits;
    if (value.byteLength > bytesMax) {
      const mend = `Give fewer locations: all options take ${String(bytesMax)} bytes at most`;
      const text = `The options of the pool ${record.name} are too large`;
      throw new FreshetError('INVALID_POOL', text, { mend });
    }
    if (seen + 1 >= this.#poolsMax) {
      const most = String(this.#poolsMax);
      const text = `The pool ${record.name} has no number: the catalog has had ${most} changes`;
      throw new FreshetError('UNSUPPORTED', text, { mend: 'Use the pools that there are' });
    }
    const key = PoolDirectory.keyOf(record.name);
    try {
      return await this.#catalog.write(key, value, seen);
    } catch (caught) {
      if (isFreshetError(caught, 'CONDITION_FAILED')) {
        return null;
      }
      throw caught;
    }
  }

  /** False: the catalog does not have it as it is. */
  async #tryLeave({ id, shards, ...record }: PoolInfo): Promise<boolean> {
    const [firstShard = 0] = shards;
    const stored: StoredPool = { ...record, locations: {}, firstShard, leaving: id };
    const value = Buffer.from(JSON.stringify(stored), 'utf8');
    try {
      await this.#catalog.replace(PoolDirectory.keyOf(record.name), value, id);
      return true;
    } catch (caught) {
      if (isFreshetError(caught, 'CONDITION_FAILED')) return false;
      throw caught;
    }
  }

  async #finishRemoval(pool: LeavingPool, call: ShardCallLimits): Promise<void> {
    // Without a view a member goes by a layout that may never count.
    if (pool.shards === null || this.#group.status.view === 0) throw earlyError(pool.name);
    await this.#close(pool, pool.shards, call);
    try {
      await this.#catalog.remove(PoolDirectory.keyOf(pool.name), pool.version);
    } catch (caught) {
      // Somebody else has finished it.
      if (!isFreshetError(caught, 'CONDITION_FAILED')) throw caught;
    }
  }

  async #finish(name: string, id: number, call: ShardCallLimits): Promise<PoolInfo> {
    const pool = this.#directory.get(name);
    // Removed meanwhile: one that took its place may have other options.
    if (pool?.id !== id) {
      throw this.#directory.unknown(name);
    }
    try {
      await this.#open(pool, call);
    } finally {
      await this.#isKept(pool, pool.shards, call);
    }
    return pool;
  }

  /** Of a pool that was removed. Nothing comes into it once it is closed; then all goes. */
  async #close(
    pool: PoolRecord & Pick<PoolInfo, 'id'>,
    shards: readonly number[],
    call: ShardCallLimits,
  ): Promise<void> {
    // No shard knows one of so high a number.
    if (pool.id >= this.#poolsMax) return;
    await Promise.all(
      shards.map(async (shard) => {
        try {
          await this.#sendRulesTo(shard, pool, true, call);
          await this.#sweep(shard, pool, pool.id, call);
        } catch (caught) {
          // Its subgroup may go from now on, and all that is left with it.
          const isThere = this.#group.layout.has(shard);
          if (isThere || !isFreshetError(caught, 'UNKNOWN_POOL')) throw caught;
        }
      }),
    );
  }

  async #open(pool: PoolInfo, call: ShardCallLimits): Promise<void> {
    await Promise.all(pool.shards.map((shard) => this.#sendRulesTo(shard, pool, false, call)));
  }

  async #sendRulesTo(
    shard: number,
    pool: PoolRecord & Pick<PoolInfo, 'id'>,
    closed: boolean,
    call: ShardCallLimits,
  ): Promise<void> {
    const change = rulesChange(pool.id, pool, closed);
    // Of what is closed nothing may come back, not with a start of all members either.
    await this.#access(shard).put(closed ? { ...change, ack: lastingAck(pool) } : change, call);
  }

  /**
   * Before there is a pool of the name again: members of an earlier version, and volatile shards
   * that forgot which pools were closed, may have left keys under it.
   */
  async #sweepLeft(record: PoolRecord, newest: number, call: ShardCallLimits): Promise<void> {
    const { shards } = this.#group.layout.subgroup(record.subgroup);
    try {
      for (const { shard } of shards) await this.#sweep(shard, record, newest, call);
    } catch (caught) {
      // The subgroup has gone: no pool is made in it.
      if (!isFreshetError(caught, 'UNKNOWN_POOL')) throw caught;
    }
  }

  /** Removes keys under the pool's name that pools with ids up to `newest` have left. */
  async #sweep(
    shard: number,
    pool: PoolRecord,
    newest: number,
    call: ShardCallLimits,
  ): Promise<void> {
    if (pool.kind === 'trigger') {
      return;
    }
    const access = this.#access(shard);
    const scan = {
      ...plainScan,
      kind: 'objects',
      prefix: `${pool.name}/`,
      read: 'linearizable',
    } as const;
    let resume: Uint8Array | null = null;
    do {
      const page: ScanPage = await access.scan(scan, resume, call);
      const swept = page.records.filter(({ head }) => head.pool <= newest);
      for (let at = 0; at < swept.length; at += storeLimits.sweepInFlight) {
        const some = swept.slice(at, at + storeLimits.sweepInFlight);
        await Promise.all(
          some.map(async ({ key, head }) => {
            const expect = { versionOfKey: head.version };
            await removeKey(access, { pool: head.pool, key, ack: lastingAck(pool), expect }, call);
          }),
        );
      }
      resume = page.resume;
    } while (resume !== null);
  }
}

function earlyError(name: string): FreshetError {
  const text = `The subgroup of the pool ${name} is not known here yet`;
  return new FreshetError('NOT_CURRENT', text, { mend: 'Try again in a moment' });
}

function lastingAck({ kind }: PoolRecord): Ack {
  return kind === 'persistent' ? 'persisted' : 'delivered';
}

/** Not where it has another version, perhaps of another pool, by now. */
async function removeKey(
  shard: ShardAccess,
  change: Pick<ShardChange, 'pool' | 'key' | 'ack' | 'expect'>,
  call: ShardCallLimits,
): Promise<void> {
  const common = {
    kind: 'remove',
    value: null,
    meta: null,
    eventTime: null,
    session: null,
  } as const;
  try {
    await shard.put({ ...common, ...change }, call);
  } catch (caught) {
    const isOther =
      isFreshetError(caught, 'CONDITION_FAILED') || isFreshetError(caught, 'UNKNOWN_POOL');
    if (!isOther) throw caught;
  }
}
