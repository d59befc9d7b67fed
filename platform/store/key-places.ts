import { checkKey, KeptByKey } from '../base/mod.ts';
import type { Placement } from '../bridge/mod.ts';
import type { PoolInfo } from './pool.ts';
import type { PoolDirectory } from './pool-directory.ts';
import type { ShardAccess } from './shard-access.ts';

export interface KeyPlace {
  readonly pool: PoolInfo;
  readonly shard: ShardAccess;
}

/** Where keys lie, as far as this member knows; kept for keys that come again. */
export class KeyPlaces {
  readonly #directory: PoolDirectory;
  readonly #placement: Placement;
  readonly #access: (shard: number) => ShardAccess;
  readonly #kept = new KeptByKey<KeyPlace>();
  /** Of the directory. */
  #generation = -1;

  constructor(
    directory: PoolDirectory,
    placement: Placement,
    access: (shard: number) => ShardAccess,
  ) {
    this.#directory = directory;
    this.#placement = placement;
    this.#access = access;
  }

  /** null: no pool holds it. Throws INVALID_KEY or KEY_TOO_LONG. */
  of(key: string): KeyPlace | null {
    const { generation } = this.#directory;
    if (this.#generation !== generation) {
      this.#kept.clear();
      this.#generation = generation;
    }
    return this.#kept.get(key) ?? this.#placeAnew(key);
  }

  #placeAnew(key: string): KeyPlace | null {
    const pool = this.#directory.find(checkKey(key));
    if (pool === null) return null;
    const place = { pool, shard: this.#access(this.#placement.shardOf(pool, key)) };
    this.#kept.keep(key, place);
    return place;
  }
}
