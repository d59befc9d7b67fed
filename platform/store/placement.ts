import type { NativeAddon } from '../bridge/mod.ts';
import type { PoolInfo } from './pool.ts';

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

  shardOf(pool: Pick<PoolInfo, 'shards' | 'locations'>, key: string): number {
    const { shards, locations } = pool;
    const place = Object.hasOwn(locations, key)
      ? (locations[key] as number)
      : Number(this.hash(key) % BigInt(shards.length));
    return shards[place] as number;
  }
}
