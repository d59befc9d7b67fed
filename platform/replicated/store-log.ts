/**
 * The log of a replicated object in an object pool of its own: two keys that lie in one shard, so
 * that the versions of the shard order calls and snapshots together. Every call is a version of
 * `calls`, every snapshot one of `snapshot`.
 *
 * A persistent pool keeps all calls as history; a volatile one the newest, more than ever lie
 * between two snapshots.
 */
import { FreshetError, isFreshetError, joinKey, type ObjectRecord } from '../base/mod.ts';
import type { MemberStore, PoolInfo, StoredArrival } from '../store/mod.ts';
import type { LogEntry, ReplicaLog } from './replica-log.ts';
import type { CallPlace } from './replica-state.ts';
import { replicatedLimits } from './replicated-limits.ts';

export interface StoreLogOptions {
  readonly name: string;
  readonly kind: 'volatile' | 'persistent';
  readonly subgroup: string;
  /** Place of the shard in its subgroup. */
  readonly index: number;
  readonly snapshotCalls: number;
}

export class StoreLog implements ReplicaLog {
  readonly shard: number;
  readonly forgets: boolean;
  readonly #store: MemberStore;
  readonly #name: string;
  readonly #calls: string;
  readonly #snapshot: string;
  #snapshotVersion = 0;

  private constructor(store: MemberStore, pool: PoolInfo, index: number) {
    this.shard = pool.shards[index] as number;
    this.forgets = pool.kind === 'volatile';
    this.#store = store;
    this.#name = pool.name;
    this.#calls = joinKey(pool.name, 'calls');
    this.#snapshot = joinKey(pool.name, 'snapshot');
  }

  /** Makes the pool if there is none. Rejects POOL_EXISTS when it has other options. */
  static async open(store: MemberStore, options: StoreLogOptions): Promise<StoreLog> {
    const { name, kind, subgroup, index, snapshotCalls } = options;
    const pool = await store.objects.createPool({
      name,
      kind,
      subgroup,
      schema: 'raw',
      locations: { [joinKey(name, 'calls')]: index, [joinKey(name, 'snapshot')]: index },
      ...(kind === 'volatile'
        ? { history: 2 * snapshotCalls + replicatedLimits.snapshotSlackCalls }
        : {}),
    });
    return new StoreLog(store, pool, index);
  }

  refusal(): FreshetError | null {
    const { directory } = this.#store.objects;
    return directory.get(this.#name) === null ? directory.unknown(this.#name) : null;
  }

  async append(call: Uint8Array, timeoutMs: number): Promise<void> {
    await this.#store.objects.put({ key: this.#calls, value: call, timeoutMs });
  }

  async readSnapshot(): Promise<{ readonly bytes: Uint8Array; readonly count: number } | null> {
    const found = await this.#readOwn();
    if (found === null || found.value === null) {
      return null;
    }
    this.#snapshotVersion = found.version;
    return { bytes: found.value, count: countOf(found.meta) };
  }

  /** null as well when the pool was removed. */
  async #readOwn(): Promise<ObjectRecord | null> {
    try {
      return await this.#store.objects.get({ key: this.#snapshot, read: 'local' });
    } catch (caught) {
      if (isFreshetError(caught, 'UNKNOWN_POOL')) return null;
      throw caught;
    }
  }

  async writeSnapshot(bytes: Uint8Array, count: number): Promise<void> {
    const expect = { versionOfKey: this.#snapshotVersion };
    const meta = { count: String(count) };
    try {
      await this.#store.objects.put({ key: this.#snapshot, value: bytes, meta, expect });
    } catch (caught) {
      if (!isFreshetError(caught, 'CONDITION_FAILED')) throw caught;
    }
  }

  follow(
    from: number,
    onEntries: (entries: readonly LogEntry[]) => void,
    onEnd: (error: Error) => void,
  ): { close(): void } {
    const { shard, forgets } = this;
    return this.#store.arrivals.subscribe(
      { shard, prefix: this.#name, from, eager: forgets, share: null },
      (arrivals) => {
        onEntries(arrivals.flatMap((arrival) => this.#toEntry(arrival) ?? []));
      },
      onEnd,
    );
  }

  holds({ version, epoch }: CallPlace): boolean {
    if (version === 0) return true;
    const { arrivals } = this.#store;
    const found = arrivals.epochOf(this.shard, version);
    return found === null ? arrivals.newest(this.shard).version >= version : found === epoch;
  }

  #toEntry(arrival: StoredArrival): LogEntry | null {
    const { key, version, epoch, time, previousVersionOfKey: previous, bytes, meta } = arrival;
    if (key === this.#snapshot) {
      this.#snapshotVersion = version;
      return { kind: 'snapshot', count: countOf(meta) };
    }
    if (key !== this.#calls) {
      return null;
    }
    if (arrival.kind === 'remove') {
      return { kind: 'removed', place: { version, epoch, time } };
    }
    if (bytes === null) {
      throw new FreshetError('INTERNAL', `Version ${String(version)} of ${key} came without value`);
    }
    return { kind: 'call', place: { version, epoch, time }, previous, bytes };
  }
}

function countOf(meta: Readonly<Record<string, string>>): number {
  return Number(meta['count'] ?? 0);
}
