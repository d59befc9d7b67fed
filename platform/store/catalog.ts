/**
 * The cluster's intent: pools, pipelines, lambda bundles, settings. It is a replicated persistent
 * shard of its own; this is the state that its records make, kept on every member's disk together
 * with the position up to which they are applied, so that a restart reads only what is
 * new.
 *
 * Thread: event loop.
 * Invariants
 *  1. Entries and applied position are written in one batch.
 *  2. Entries are those of the shard's persisted history up to `applied`, at every member alike.
 */
import { decode, encode } from '@msgpack/msgpack';
import {
  type Clock,
  type Expectation,
  FreshetError,
  isFreshetError,
  type Logger,
  messageOf,
  type Position,
  toFreshetError,
} from '../base/mod.ts';
import type { CatalogDisk } from './catalog-disk.ts';
import { type PoolRules, rulesChange } from './pool.ts';
import type { FeedEvent, ShardAccess, ShardFeed } from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

/** Folders of the catalog; every key begins with one of them. */
export const catalogFolders = {
  pools: '/system/pools',
  pipelines: '/system/pipelines/',
  lambdas: '/system/lambdas/',
  assets: '/system/assets/',
  settings: '/system/settings/',
  /** One entry; see closed-subgroups.ts. */
  closing: '/system/closing',
} as const;

export interface CatalogEntry {
  readonly key: string;
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
  readonly size: number;
}

interface Held extends CatalogEntry {
  /** null: too large to be kept in memory. */
  readonly value: Uint8Array | null;
}

/** The pool id of the catalog's entries within its shard. */
export const catalogPoolId = 1;

const catalogRules: PoolRules = {
  kind: 'persistent',
  history: 0,
  maxValueBytes: storeLimits.catalogValueBytes,
  timeAxis: 'commit',
};

const prefix = '/system/';
const entryMark = 'entry:';
const appliedKey = 'applied';
const changeTimeoutMs = 10_000;

export class Catalog {
  readonly #shard: ShardAccess;
  readonly #disk: CatalogDisk;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #entries = new Map<string, Held>();
  readonly #handlers = new Set<(key: string) => void>();
  readonly #waiters = new Set<{ readonly version: number; readonly resolve: () => void }>();
  #applied: Position = { epoch: 0, version: 0 };
  #feed: ShardFeed | null = null;
  #following: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(shard: ShardAccess, disk: CatalogDisk, options: Options) {
    this.#shard = shard;
    this.#disk = disk;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Reads what the disk has, which is closed with the catalog. */
  static async open(shard: ShardAccess, disk: CatalogDisk, options: Options): Promise<Catalog> {
    const catalog = new Catalog(shard, disk, options);
    await catalog.#load();
    return catalog;
  }

  get applied(): Position {
    return this.#applied;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  entry(key: string): CatalogEntry | null {
    return this.#entries.get(key) ?? null;
  }

  /** The value of an entry, or null. */
  async get(key: string): Promise<Uint8Array | null> {
    const held = this.#entries.get(key);
    if (held === undefined) {
      return null;
    }
    if (held.value !== null) {
      return held.value;
    }
    const packed = await this.#disk.get(entryMark + key);
    return packed === null ? null : unpack(key, packed).value;
  }

  /** A value that is small enough to be in memory; null: absent or large. */
  peek(key: string): Uint8Array | null {
    return this.#entries.get(key)?.value ?? null;
  }

  /** Keys that begin with `start`, in order. */
  keys(start: string): string[] {
    return [...this.#entries.keys()].filter((key) => key.startsWith(start)).sort();
  }

  list(start: string): Promise<readonly string[]> {
    return Promise.resolve(this.keys(start));
  }

  /** Calls back after a change was applied here. Returns how to end it. */
  onChange(handler: (key: string) => void): () => void {
    this.#handlers.add(handler);
    return () => {
      this.#handlers.delete(handler);
    };
  }

  /**
   * Resolves to the entry's version once it is durable everywhere and applied here. TIMEOUT: it may
   * have been made. CONDITION_FAILED: this version (null: any) is not the catalog's newest.
   */
  async write(key: string, value: Uint8Array, expectVersion: number | null): Promise<number> {
    return this.#put(key, value, expectVersion === null ? null : { version: expectVersion });
  }

  /** As `write`. CONDITION_FAILED: the entry does not have this version. */
  async replace(key: string, value: Uint8Array, versionOfKey: number): Promise<number> {
    return this.#put(key, value, { versionOfKey });
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.write(key, value, null);
  }

  /** CONDITION_FAILED: it does not have this version (null: any). */
  async remove(key: string, versionOfKey: number | null = null): Promise<void> {
    if (this.#entries.has(key)) {
      const expect = versionOfKey === null ? null : { versionOfKey };
      await this.#change('remove', key, null, expect);
    }
  }

  /**
   * Everything that was durable when this was called is applied here when it resolves. So none
   * joins one that is under way: that may have looked before. Rejects TIMEOUT.
   */
  async catchUp(timeoutMs: number): Promise<void> {
    const deadline = this.#clock.monotonicMs() + timeoutMs;
    const { persisted } = await this.#shard.frontier('linearizable', { timeoutMs, signal: null });
    await this.#untilApplied(persisted, deadline - this.#clock.monotonicMs());
  }

  /** Begins to apply what is new. */
  follow(): void {
    this.#following = this.#followOn();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#feed?.close();
    for (const waiter of this.#waiters) {
      waiter.resolve();
    }
    await this.#following;
    await this.#disk.close();
  }

  async #load(): Promise<void> {
    for await (const [key, packed] of this.#disk.entries()) {
      if (key.startsWith(entryMark)) {
        const held = unpack(key.slice(entryMark.length), packed);
        this.#entries.set(held.key, resident(held));
      } else if (key === appliedKey) {
        const [epoch, version] = decode(packed) as [number, number];
        this.#applied = { epoch, version };
      }
    }
  }

  async #put(key: string, value: Uint8Array, expect: Expectation | null): Promise<number> {
    if (value.byteLength > storeLimits.catalogValueBytes) {
      const most = String(storeLimits.catalogValueBytes);
      throw new FreshetError('VALUE_TOO_LARGE', `${key} is larger than ${most} bytes`);
    }
    return this.#change('put', key, value, expect);
  }

  async #change(
    kind: 'put' | 'remove',
    key: string,
    value: Uint8Array | null,
    expect: Expectation | null,
  ): Promise<number> {
    const change = {
      kind,
      pool: catalogPoolId,
      key,
      value,
      meta: null,
      ack: 'persisted',
      expect,
      eventTime: null,
      session: null,
    } as const;
    const call = { timeoutMs: changeTimeoutMs, signal: null };
    try {
      const { version } = await this.#withRules(() => this.#shard.put(change, call));
      await this.#untilApplied(version, changeTimeoutMs);
      return version;
    } catch (caught) {
      // Whoever looks why finds the version that was in the way.
      const { versionOfKey = 0 } = isFreshetError(caught, 'CONDITION_FAILED') ? caught.details : {};
      if (Number(versionOfKey) > 0) await this.#untilApplied(Number(versionOfKey), changeTimeoutMs);
      throw caught;
    }
  }

  /** The shard's rule for its own entries is made by whoever needs it first. */
  async #withRules<Result>(run: () => Promise<Result>): Promise<Result> {
    try {
      return await run();
    } catch (caught) {
      if (!isFreshetError(caught, 'UNKNOWN_POOL')) {
        throw caught;
      }
    }
    const change = rulesChange(catalogPoolId, catalogRules, false);
    await this.#shard.put(change, { timeoutMs: changeTimeoutMs, signal: null });
    return run();
  }

  #untilApplied(version: number, timeoutMs: number): Promise<void> {
    if (this.#applied.version >= version || this.#closed) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(Math.max(1, timeoutMs), () => {
        this.#waiters.delete(waiter);
        const text = `Version ${String(version)} of the catalog was not applied here in time`;
        reject(new FreshetError('TIMEOUT', text));
      });
      const waiter = {
        version,
        resolve: () => {
          cancel();
          this.#waiters.delete(waiter);
          resolve();
        },
      };
      this.#waiters.add(waiter);
    });
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  async #followOn(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#checkHistory();
        await this.#applyFeed();
      } catch (caught) {
        if (this.#isClosed()) {
          return;
        }
        const error = toFreshetError(caught);
        if (error.code === 'COMPACTED') {
          this.#log.warn({ applied: this.#applied }, 'the catalog is read anew');
          await this.#forgetAll();
        } else {
          this.#log.error({ error: messageOf(error) }, 'following the catalog failed; again');
          await new Promise<void>((resolve) => {
            this.#clock.after(storeLimits.stoppedPauseMs * 10, resolve);
          });
        }
      }
    }
  }

  /** Applied records that the shard does not have (another history) void what is here. */
  async #checkHistory(): Promise<void> {
    const { epoch, version } = this.#applied;
    if (version > 0 && (await this.#shard.epochOf(version)) !== epoch) {
      this.#log.warn({ epoch, version }, 'the catalog here is of another history');
      await this.#forgetAll();
    }
  }

  async #applyFeed(): Promise<void> {
    // Closed while the history was checked: nobody would close the feed any more.
    if (this.#closed) {
      return;
    }
    const from = this.#applied.version + 1;
    const feed = this.#shard.feed({ prefix, from, frontier: 'persisted' });
    this.#feed = feed;
    try {
      for (;;) {
        await this.#apply(await feed.next(storeLimits.feedBatchRecords));
      }
    } finally {
      feed.close();
    }
  }

  async #apply(events: readonly FeedEvent[]): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) {
      return;
    }
    const applied = { epoch: last.object.epoch, version: last.object.version };
    const changes = new Map<string, Uint8Array | null>();
    for (const { kind, object } of events) {
      if (kind === 'put' && object.value !== null) {
        changes.set(entryMark + object.key, pack(object.value, object));
      } else if (kind === 'remove') {
        changes.set(entryMark + object.key, null);
      }
    }
    changes.set(appliedKey, encode([applied.epoch, applied.version]));
    await this.#disk.write(changes);
    for (const { kind, object } of events) {
      if (kind === 'put' && object.value !== null) {
        const value = Uint8Array.from(object.value);
        this.#entries.set(object.key, resident({ ...object, value }));
      } else if (kind === 'remove') {
        this.#entries.delete(object.key);
      }
    }
    this.#applied = applied;
    this.#tell(events.map(({ object }) => object.key));
  }

  #tell(keys: readonly string[]): void {
    for (const key of keys) {
      for (const handler of this.#handlers) {
        try {
          handler(key);
        } catch (caught) {
          this.#log.error({ key, error: messageOf(caught) }, 'a catalog handler threw');
        }
      }
    }
    for (const waiter of [...this.#waiters]) {
      if (waiter.version <= this.#applied.version) {
        waiter.resolve();
      }
    }
  }

  async #forgetAll(): Promise<void> {
    const keys = [...this.#entries.keys()];
    await this.#disk.clear();
    this.#entries.clear();
    this.#applied = { epoch: 0, version: 0 };
    this.#tell(keys);
  }
}

interface Options {
  readonly clock: Clock;
  readonly log: Logger;
}

function resident(held: Held): Held {
  const { key, version, epoch, time, size, value } = held;
  const small = size <= storeLimits.catalogResidentBytes;
  return { key, version, epoch, time, size, value: small ? value : null };
}

function pack(
  value: Uint8Array,
  { version, epoch, time }: Position & { time: number },
): Uint8Array {
  return encode([version, epoch, time, value]);
}

function unpack(key: string, packed: Uint8Array): Held {
  const [version, epoch, time, value] = decode(packed) as [number, number, number, Uint8Array];
  return { key, version, epoch, time, size: value.byteLength, value };
}
