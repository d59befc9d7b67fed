import type {
  PoolInfo,
  PoolOptions,
  ShardFrontier,
  TriggerRequest,
  TriggerResult,
} from '../base/mod.ts';
import { type Codec, json } from './codec.ts';
import type { Door, ViewInfo } from './door.ts';
import { Pool } from './pool.ts';

/** The SDK: the same in a member, in a client and in a lambda; only the door differs. */
export class Database {
  readonly door: Door;

  constructor(door: Door) {
    this.door = door;
  }

  /** Typed access to a pool, with JSON values unless a codec is given. Asks no one. */
  pool<T = unknown>(name: string, codec: Codec<T> = json<T>()): Pool<T> {
    return new Pool<T>(name, this.door, codec);
  }

  async pools(): Promise<readonly PoolInfo[]> {
    return this.door.pools();
  }

  /** POOL_EXISTS if there is one, or one above or below it: pools never nest. */
  async createPool(options: PoolOptions): Promise<PoolInfo> {
    return this.door.createPool(options);
  }

  async removePool(name: string): Promise<void> {
    await this.door.removePool(name);
  }

  /** Hands bytes to the lambdas of one member (or all, or named ones); nothing is stored. */
  async triggerPut(
    key: string,
    value: Uint8Array,
    options: Omit<TriggerRequest, 'key' | 'value'> = {},
  ): Promise<TriggerResult> {
    return this.door.triggerPut({ ...options, key, value });
  }

  async frontier(pool: string): Promise<readonly ShardFrontier[]> {
    return this.door.frontier(pool);
  }

  async members(): Promise<ViewInfo> {
    return this.door.members();
  }

  async close(): Promise<void> {
    await this.door.close();
  }
}
