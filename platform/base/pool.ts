export type PoolKind = 'volatile' | 'persistent' | 'trigger';
/** How the values of a pool are encoded. */
export type SchemaKind = 'json' | 'msgpack' | 'raw';
/** Which time `at` means. */
export type TimeAxis = 'commit' | 'event';

export interface PoolOptions {
  readonly name: string;
  readonly kind: PoolKind;
  /** Versions of a key that a volatile pool keeps; 0: all that fit. Default 128. */
  readonly history?: number;
  readonly maxValueBytes?: number;
  readonly timeAxis?: TimeAxis;
  readonly schema?: SchemaKind;
  /** Default: the subgroup called as the kind. */
  readonly subgroup?: string;
}

export interface PoolInfo extends Required<PoolOptions> {
  /** Catalog version of its record: never used again. */
  readonly id: number;
  readonly shards: readonly number[];
}

/** The pool of a key: a proper path prefix of it. Pools never nest, so there is one at most. */
export function poolOfKey<Pool>(pools: ReadonlyMap<string, Pool>, key: string): Pool | null {
  for (let end = key.indexOf('/', 1); end !== -1; end = key.indexOf('/', end + 1)) {
    const pool = pools.get(key.slice(0, end));
    if (pool !== undefined) {
      return pool;
    }
  }
  return null;
}

/** Pools that have, or may have, keys that begin with these characters; in order of their names. */
export function poolsUnder<Pool extends { readonly name: string }>(
  pools: ReadonlyMap<string, Pool>,
  prefix: string,
): Pool[] {
  const whole = pools.get(prefix) ?? poolOfKey(pools, prefix);
  if (whole !== null) return [whole];
  const under = [...pools.values()].filter(({ name }) => name.startsWith(prefix));
  return under.sort((a, b) => (a.name < b.name ? -1 : 1));
}
