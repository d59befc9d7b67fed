import { FreshetError, nearestName, poolOfKey, poolsUnder } from '../base/mod.ts';
import type { Group, Layout } from '../group/mod.ts';
import { type Catalog, catalogFolders } from './catalog.ts';
import type { PoolInfo, PoolRecord } from './pool.ts';

/** As it lies in the catalog. */
export interface StoredPool extends PoolRecord {
  /**
   * Of its subgroup, which is another one when it was taken away and one of its name was added.
   * Left out by those who wrote when no subgroup could be taken away.
   */
  readonly firstShard?: number;
  /** The id of a pool that is being removed: the entry goes after all that the pool has left. */
  readonly leaving?: number;
}

/** One that is being removed: there is no such pool any more, and none of its name yet. */
export interface LeavingPool extends PoolRecord {
  readonly id: number;
  /** None where its subgroup was taken away; null: this member does not know that one yet. */
  readonly shards: readonly number[] | null;
  /** Of its entry. */
  readonly version: number;
}

/**
 * The pools as the catalog has them here, and which of them a key belongs to. Pools never nest, so
 * a key has at most one. Of a pool whose subgroup was taken away nothing counts any more; there is
 * none, but where members of an earlier version took it away.
 */
export class PoolDirectory {
  readonly #catalog: Catalog;
  readonly #group: Pick<Group, 'layout'>;
  readonly #pools = new Map<string, PoolInfo>();
  readonly #leaving = new Map<string, LeavingPool>();
  /**
   * Keys of pools in subgroups that this member does not know yet: the catalog may be ahead of the
   * view that adds them.
   */
  readonly #early = new Set<string>();
  /** By which the pools were given their shards. */
  #layout: Layout;
  #generation = 0;

  constructor(catalog: Catalog, group: Pick<Group, 'layout'>) {
    this.#catalog = catalog;
    this.#group = group;
    this.#layout = group.layout;
    this.#loadAll();
    catalog.onChange((key) => {
      if (key.startsWith(`${catalogFolders.pools}/`)) {
        this.#load(key);
      }
    });
  }

  /** Another number: a pool, or where it is, may be another. */
  get generation(): number {
    if (this.#layout !== this.#group.layout) this.#loadAll();
    return this.#generation;
  }

  get(name: string): PoolInfo | null {
    return this.#placed.get(name) ?? null;
  }

  /** There is such a pool, or one above or below it, in a subgroup that is not known here yet. */
  isEarly(name: string): boolean {
    if (this.get(name) !== null) return false;
    const names = [...this.#early].map((key) => key.slice(catalogFolders.pools.length));
    return names.some((early) => early === name || areNested(early, name));
  }

  /** Names of the pools that live in a subgroup, in order. */
  namesIn(subgroup: string): string[] {
    return this.list().flatMap((pool) => (pool.subgroup === subgroup ? [pool.name] : []));
  }

  /** In order of their names. */
  list(): PoolInfo[] {
    return [...this.#placed.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The pool of a key: a proper path prefix of it. */
  find(key: string): PoolInfo | null {
    return poolOfKey(this.#placed, key);
  }

  /** Pools that have, or may have, keys that begin with these characters. */
  under(prefix: string): PoolInfo[] {
    return poolsUnder(this.#placed, prefix);
  }

  /** A pool at, above or below this name; null: there is none. */
  conflict(name: string): PoolInfo | null {
    const below = this.list().find((pool) => pool.name.startsWith(`${name}/`));
    return this.get(name) ?? this.find(name) ?? below ?? null;
  }

  /** Those of this name, above and below it that are being removed. */
  leaving(name: string): LeavingPool[] {
    if (this.#layout !== this.#group.layout) this.#loadAll();
    return [...this.#leaving.values()].filter(
      (pool) => pool.name === name || areNested(pool.name, name),
    );
  }

  /** The catalog has it as it is, wherever its shards are. */
  isKept({ name, id }: Pick<PoolInfo, 'name' | 'id'>): boolean {
    return this.#catalog.entry(PoolDirectory.keyOf(name))?.version === id;
  }

  /** UNKNOWN_POOL for a key or a pool's name, with the nearest pool. */
  unknown(key: string): FreshetError {
    const names = [...this.#placed.keys()];
    const atDepth = names.map((name) => ({ name, start: key.split('/').slice(0, depth(name)) }));
    const starts = new Map(atDepth.map(({ name, start }) => [name, start.join('/')]));
    const nearest = nearestOf(key, starts);
    const hint = nearest === null ? '' : `; the nearest is ${nearest}`;
    return new FreshetError('UNKNOWN_POOL', `No pool holds ${key}${hint}`, {
      mend: nearest === null ? 'Create the pool first' : `Did you mean ${nearest}?`,
      details: { key, nearest },
    });
  }

  static keyOf(name: string): string {
    return catalogFolders.pools + name;
  }

  get #placed(): ReadonlyMap<string, PoolInfo> {
    if (this.#layout !== this.#group.layout) this.#loadAll();
    return this.#pools;
  }

  #loadAll(): void {
    this.#layout = this.#group.layout;
    this.#generation++;
    for (const key of this.#catalog.keys(`${catalogFolders.pools}/`)) this.#load(key);
  }

  #load(key: string): void {
    const name = key.slice(catalogFolders.pools.length);
    this.#generation++;
    this.#early.delete(key);
    this.#pools.delete(name);
    this.#leaving.delete(name);
    const entry = this.#catalog.entry(key);
    const value = this.#catalog.peek(key);
    if (entry === null || value === null) return;
    const stored = JSON.parse(Buffer.from(value).toString('utf8')) as StoredPool;
    const { firstShard = null, leaving = null, ...record } = stored;
    const there = this.#shardsOf(record.subgroup);
    const isPlaced = there.length > 0 && (firstShard === null || firstShard === there[0]);
    const isEarly =
      !isPlaced && (firstShard === null || firstShard >= this.#layout.rules.nextShard);
    const { version } = entry;
    if (leaving !== null) {
      const shards = isEarly ? null : isPlaced ? there : [];
      this.#leaving.set(name, Object.freeze({ ...record, id: leaving, shards, version }));
    } else if (isPlaced) {
      this.#pools.set(name, Object.freeze({ ...record, id: version, shards: there }));
    } else if (isEarly) {
      this.#early.add(key);
    }
  }

  /** None: there is no such subgroup, as far as this member knows. */
  #shardsOf(subgroup: string): number[] {
    if (!this.#layout.hasSubgroup(subgroup)) return [];
    return this.#layout.subgroup(subgroup).shards.map(({ shard }) => shard);
  }
}

function areNested(one: string, other: string): boolean {
  return one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}

function depth(name: string): number {
  return name.split('/').length;
}

/** The pool whose name is nearest to the key's start of the same depth. */
function nearestOf(key: string, starts: ReadonlyMap<string, string>): string | null {
  let best: string | null = null;
  for (const [name, start] of starts) {
    if (nearestName(start, [name, ...(best === null ? [] : [best])]) === name) {
      best = name;
    }
  }
  return best ?? nearestName(key, starts.keys());
}
