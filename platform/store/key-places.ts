import { checkKey, KeptByKey } from '../base/mod.ts';
import type { Placement } from '../bridge/mod.ts';
import type { PoolDirectory } from './pool-directory.ts';
import type { ShardAccess } from './shard-access.ts';

/** Where keys lie, as far as this member knows; kept for keys that come again. */
export class KeyPlaces {
  readonly #directory: PoolDirectory;
  readonly #placement: Placement;
  readonly #access: (shard: number) => ShardAccess;
  readonly #kept = new KeptByKey<ShardAccess>();
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
  of(key: string): ShardAccess | null {
    const { generation } = this.#directory;
    if (this.#generation !== generation) {
      this.#kept.clear();
      this.#generation = generation;
    }
    return this.#kept.get(key) ?? this.#placeAnew(key);
  }

  #placeAnew(key: string): ShardAccess | null {
    const pool = this.#directory.find(checkKey(key));
    if (pool === null) return null;
    const shard = this.#access(this.#placement.shardOf(pool, key));
    this.#kept.keep(key, shard);
    return shard;
  }
}
