import type { NativeAddon } from './native.ts';

/** What decides where the keys of a pool lie. */
export interface PlacedPool {
  /** By place within the subgroup. */
  readonly shards: readonly number[];
  /** Key → place, where the hash is not wanted. */
  readonly locations: Readonly<Record<string, number>>;
}

/**
 * Which shard of its pool a key lies in: its explicit place, else xxh3 (64 bits, seed 0) of the
 * key's UTF-8 bytes modulo the number of shards. The same in every language and at every member,
 * for ever.
 */
export class Placement {
  readonly #addon: Pick<NativeAddon, 'xxh3' | 'keyPlace'>;

  constructor(addon: Pick<NativeAddon, 'xxh3' | 'keyPlace'>) {
    this.#addon = addon;
  }

  hash(key: string): bigint {
    return this.#addon.xxh3(Buffer.from(key, 'utf8'));
  }

  /** Who of so many members takes a trigger: by bits that the choice of the shard did not use. */
  triggerPlace(key: string, members: number): number {
    return Number((this.hash(key) >> 32n) % BigInt(members));
  }

  shardOf(pool: PlacedPool, key: string): number {
    const { shards, locations } = pool;
    // A look-up by name makes the key one of the names that the engine keeps: dear where it is new.
    const isNamed = hasNames(locations) && Object.hasOwn(locations, key);
    const place = isNamed ? (locations[key] as number) : this.#addon.keyPlace(key, shards.length);
    return shards[place] as number;
  }
}

function hasNames(locations: PlacedPool['locations']): boolean {
  for (const _ in locations) return true;
  return false;
}
