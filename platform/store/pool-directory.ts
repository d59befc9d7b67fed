import { FreshetError, nearestName } from '../base/mod.ts';
import type { Group } from '../group/mod.ts';
import { type Catalog, catalogFolders } from './catalog.ts';
import type { PoolInfo, PoolRecord } from './pool.ts';

/**
 * The pools as the catalog has them here, and which of them a key belongs to. Pools never nest, so
 * a key has at most one.
 */
export class PoolDirectory {
  readonly #catalog: Catalog;
  readonly #group: Pick<Group, 'layout'>;
  readonly #pools = new Map<string, PoolInfo>();
  /**
   * Keys of pools in subgroups that this member does not know yet: the catalog may be ahead of the
   * view that adds them.
   */
  readonly #early = new Set<string>();

  constructor(catalog: Catalog, group: Pick<Group, 'layout'>) {
    this.#catalog = catalog;
    this.#group = group;
    for (const key of catalog.keys(`${catalogFolders.pools}/`)) {
      this.#load(key);
    }
    catalog.onChange((key) => {
      if (key.startsWith(`${catalogFolders.pools}/`)) {
        this.#load(key);
      }
    });
  }

  get(name: string): PoolInfo | null {
    return this.#placed.get(name) ?? null;
  }

  /** There is such a pool, in a subgroup that this member does not know yet. */
  isEarly(name: string): boolean {
    return this.get(name) === null && this.#early.has(PoolDirectory.keyOf(name));
  }

  /** In order of their names. */
  list(): PoolInfo[] {
    return [...this.#placed.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The pool of a key: a proper path prefix of it. */
  find(key: string): PoolInfo | null {
    const pools = this.#placed;
    for (let end = key.indexOf('/', 1); end !== -1; end = key.indexOf('/', end + 1)) {
      const pool = pools.get(key.slice(0, end));
      if (pool !== undefined) {
        return pool;
      }
    }
    return null;
  }

  /** Pools that have, or may have, keys that begin with these characters. */
  under(prefix: string): PoolInfo[] {
    const whole = this.get(prefix) ?? this.find(prefix);
    return whole === null ? this.list().filter(({ name }) => name.startsWith(prefix)) : [whole];
  }

  /** A pool at, above or below this name; null: there is none. */
  conflict(name: string): PoolInfo | null {
    const below = this.list().find((pool) => pool.name.startsWith(`${name}/`));
    return this.get(name) ?? this.find(name) ?? below ?? null;
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
    // Looked at as it is now: what is still early comes back into it.
    for (const key of [...this.#early]) this.#load(key);
    return this.#pools;
  }

  #load(key: string): void {
    const name = key.slice(catalogFolders.pools.length);
    this.#early.delete(key);
    const entry = this.#catalog.entry(key);
    const value = this.#catalog.peek(key);
    if (entry === null || value === null) {
      this.#pools.delete(name);
      return;
    }
    const record = JSON.parse(Buffer.from(value).toString('utf8')) as PoolRecord;
    const { layout } = this.#group;
    if (!layout.hasSubgroup(record.subgroup)) {
      this.#early.add(key);
      return;
    }
    const shards = layout.subgroup(record.subgroup).shards.map(({ shard }) => shard);
    this.#pools.set(name, Object.freeze({ ...record, id: entry.version, shards }));
  }
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
