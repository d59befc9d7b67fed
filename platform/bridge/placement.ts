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
  readonly #addon: Pick<NativeAddon, 'xxh3'>;

  constructor(addon: Pick<NativeAddon, 'xxh3'>) {
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
    const place = Object.hasOwn(locations, key)
      ? (locations[key] as number)
      : Number(this.hash(key) % BigInt(shards.length));
    return shards[place] as number;
  }
}
