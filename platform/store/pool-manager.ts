/**
 * Creates and removes pools: the catalog holds the intent; each shard of the pool's subgroup learns
 * its rules by an ordered control record, so that every member changes them at the same place.
 *
 * A record that got lost (its sender died, or a volatile shard began anew) is sent again by whoever
 * meets UNKNOWN_POOL of a pool that the catalog has: it says the same, so twice does no harm.
 */
import { FreshetError, isFreshetError, limits } from '../base/mod.ts';
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
import { PoolDirectory, type StoredPool } from './pool-directory.ts';
import {
  plainScan,
  type ScanPage,
  type ShardAccess,
  type ShardCallLimits,
} from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

export class PoolManager {
  readonly #catalog: Catalog;
  readonly #directory: PoolDirectory;
  readonly #closed: ClosedSubgroups;
  readonly #group: Pick<Group, 'layout' | 'status'>;
  readonly #access: (shard: number) => ShardAccess;

  constructor(
    catalog: Catalog,
    directory: PoolDirectory,
    group: Pick<Group, 'layout' | 'status'>,
    access: (shard: number) => ShardAccess,
  ) {
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
    throw new FreshetError('OVERLOADED', 'The catalog is changed by many at once', {
      details: { pool: record.name },
    });
  }

  /** Removes the pool, its keys too. Throws UNKNOWN_POOL. */
  async remove(name: string): Promise<void> {
    const call = { timeoutMs: limits.requestTimeoutMsDefault, signal: null };
    await this.#catalog.catchUp(call.timeoutMs);
    const pool = this.#directory.get(name);
    if (pool === null) {
      throw this.#directory.unknown(name);
    }
    await this.#catalog.remove(PoolDirectory.keyOf(name));
    try {
      await this.#close(pool, pool.shards, call);
    } catch (caught) {
      // Its subgroup may go from now on, and all that is left with it.
      const { layout } = this.#group;
      const isThere = pool.shards.some((shard) => layout.has(shard));
      if (isThere || !isFreshetError(caught, 'UNKNOWN_POOL')) throw caught;
    }
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
    if (this.#isStillThere(pool)) return true;
    await this.#close(pool, shards, call);
    return false;
  }

  #isStillThere(pool: PoolInfo): boolean {
    return this.#directory.get(pool.name)?.id === pool.id;
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
    if (this.#directory.isEarly(record.name)) {
      const text = `The subgroup of the pool ${record.name} is not known here yet`;
      throw new FreshetError('NOT_CURRENT', text, { mend: 'Try again in a moment' });
    }
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

  async #finish(name: string, id: number, call: ShardCallLimits): Promise<PoolInfo> {
    const pool = this.#directory.get(name);
    // Removed meanwhile: one that took its place may have other options.
    if (pool?.id !== id) {
      throw this.#directory.unknown(name);
    }
    try {
      // Keys that a removed pool of this name left behind would show themselves again.
      for (const shard of pool.shards) {
        await this.#sendRulesTo(shard, pool, false, call);
        await this.#sweep(shard, pool, pool.id - 1, pool.id, call);
      }
    } finally {
      await this.#isKept(pool, pool.shards, call);
    }
    return pool;
  }

  /**
   * Of a pool that was removed. What is in it goes before: once it is closed only the next pool of
   * its name could remove that, and would show it first.
   */
  async #close(pool: PoolInfo, shards: readonly number[], call: ShardCallLimits): Promise<void> {
    await Promise.all(
      shards.map(async (shard) => {
        try {
          await this.#sweep(shard, pool, pool.id, pool.id, call);
        } catch (caught) {
          // Closed by somebody else, who has swept it.
          if (!isFreshetError(caught, 'UNKNOWN_POOL')) throw caught;
        }
        await this.#sendRulesTo(shard, pool, true, call);
      }),
    );
  }

  async #open(pool: PoolInfo, call: ShardCallLimits): Promise<void> {
    await Promise.all(pool.shards.map((shard) => this.#sendRulesTo(shard, pool, false, call)));
  }

  async #sendRulesTo(
    shard: number,
    pool: PoolInfo,
    closed: boolean,
    call: ShardCallLimits,
  ): Promise<void> {
    await this.#access(shard).put(rulesChange(pool.id, pool, closed), call);
  }

  /**
   * Before there is a pool of the name again: whoever makes it may die before its keys are swept. A
   * removal that was not finished has closed none of the pools that they were put under.
   */
  async #sweepLeft(record: PoolRecord, newest: number, call: ShardCallLimits): Promise<void> {
    const { shards } = this.#group.layout.subgroup(record.subgroup);
    try {
      for (const { shard } of shards) await this.#sweep(shard, record, newest, null, call);
    } catch (caught) {
      // The subgroup has gone: no pool is made in it.
      if (!isFreshetError(caught, 'UNKNOWN_POOL')) throw caught;
    }
  }

  /**
   * Removes keys of the pool's name that pools with ids up to `newest` have left, under the id
   * `pool`; null: under the ids of these, where they are not closed. Members write into the next
   * pool of the name as soon as the catalog has it: what is of that stays.
   */
  async #sweep(
    shard: number,
    { name, kind }: PoolRecord,
    newest: number,
    pool: number | null,
    call: ShardCallLimits,
  ): Promise<void> {
    if (kind === 'trigger') {
      return;
    }
    const access = this.#access(shard);
    const scan = {
      ...plainScan,
      kind: 'objects',
      prefix: `${name}/`,
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
            const removed = removeKey(access, pool ?? head.pool, key, head.version, call);
            await removed.catch((caught: unknown) => {
              if (pool !== null || !isFreshetError(caught, 'UNKNOWN_POOL')) throw caught;
            });
          }),
        );
      }
      resume = page.resume;
    } while (resume !== null);
  }
}

/** Not where it has another version by now. */
async function removeKey(
  shard: ShardAccess,
  pool: number,
  key: string,
  versionOfKey: number,
  call: ShardCallLimits,
): Promise<void> {
  const expect = { versionOfKey };
  const common = { value: null, meta: null, expect, eventTime: null, session: null };
  try {
    await shard.put({ kind: 'remove', pool, key, ack: 'delivered', ...common }, call);
  } catch (caught) {
    if (!isFreshetError(caught, 'CONDITION_FAILED')) throw caught;
  }
}
