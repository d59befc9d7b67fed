import {
  FreshetError,
  type HistoryOptions,
  isFreshetError,
  joinKey,
  type ListRequest,
  type ObjectRecord,
  type PutOptions,
  type PutOutcome,
  type PutRequest,
  type PutResult,
  type ReadOptions,
  type TimeAxis,
  toFreshetError,
  type TriggerRequest,
  type TriggerResult,
  type WatchOptions,
} from '../base/mod.ts';
import type { StoredObject } from '../expression/mod.ts';
import {
  type Query,
  type QueryExecutor,
  queryKeys,
  queryObjects,
  queryVersions,
} from '../query/mod.ts';
import type { Codec } from './codec.ts';
import type { Door } from './door.ts';

/** A value with its place in history. */
export type Stored<T> = StoredObject<T>;

/** A change under a pool; a remove has no object value. */
export type PoolEvent<T> =
  | { readonly kind: 'put' | 'trigger'; readonly object: Stored<T>; readonly token: string }
  | { readonly kind: 'remove'; readonly object: Stored<null>; readonly token: string };

export interface PoolWatchOptions extends WatchOptions {
  /** Only keys that start with this, after the pool's name and its slash. */
  readonly prefix?: string;
}

export interface PoolListOptions extends Omit<ListRequest, 'prefix' | 'after'> {
  /** Only names that start with this. */
  readonly prefix?: string;
  /** Only names after this one, as a list gave it. */
  readonly after?: string;
}

/** As of when a query sees the pool; without it: now. */
export interface PoolQueryOptions {
  /** µs, on the pool's time axis. */
  readonly at?: number;
  readonly axis?: TimeAxis;
  readonly signal?: AbortSignal;
}

export type PoolTriggerOptions = Omit<TriggerRequest, 'key' | 'value'>;

/** One object pool, with typed values. Names are relative: `cow_128` is `<pool>/cow_128`. */
export class Pool<T> {
  readonly name: string;
  readonly #door: Door;
  readonly #codec: Codec<T>;

  constructor(name: string, door: Door, codec: Codec<T>) {
    this.name = name;
    this.#door = door;
    this.#codec = codec;
  }

  async put(name: string, value: T, options: PutOptions = {}): Promise<PutResult> {
    return this.#door.put(this.#putRequest(name, value, options));
  }

  /** Not atomic; results in order, an error where one failed. */
  async putMany(
    entries: readonly { readonly name: string; readonly value: T; readonly options?: PutOptions }[],
  ): Promise<readonly PutOutcome[]> {
    const asked = entries.map(({ name, value, options = {} }): PutRequest | FreshetError => {
      try {
        return this.#putRequest(name, value, options);
      } catch (error) {
        // A name that is none or a value that does not fit is this entry's failure alone.
        return toFreshetError(error);
      }
    });
    const sent = asked.filter((one): one is PutRequest => !isFreshetError(one));
    const answers = (await this.#door.putMany(sent)).values();
    return asked.map((one) => (isFreshetError(one) ? one : (answers.next().value as PutOutcome)));
  }

  async remove(name: string, options: Omit<PutOptions, 'store'> = {}): Promise<PutResult> {
    return this.#door.remove({ ...options, key: joinKey(this.name, name) });
  }

  async get(name: string, options: ReadOptions = {}): Promise<Stored<T> | null> {
    const found = await this.#door.get({ ...options, key: joinKey(this.name, name) });
    return found === null ? null : this.#decode(found);
  }

  /** Size, version, times and meta, without the value. */
  async stat(name: string, options: ReadOptions = {}): Promise<Stored<null> | null> {
    const found = await this.#door.stat({ ...options, key: joinKey(this.name, name) });
    return found === null ? null : withValue(found, null);
  }

  async *history(name: string, options: HistoryOptions = {}): AsyncGenerator<Stored<T | null>> {
    const request = { ...options, key: joinKey(this.name, name) };
    for await (const found of this.#door.history(request)) {
      yield found.removed ? withValue(found, null) : this.#decode(found);
    }
  }

  /** Names (without the pool) in byte order. */
  async *list(options: PoolListOptions = {}): AsyncGenerator<string> {
    const { prefix = '', after, ...rest } = options;
    const under = `${this.name}/`;
    const request = {
      ...rest,
      prefix: under + prefix,
      ...(after === undefined ? {} : { after: under + after }),
    };
    for await (const key of this.#door.list(request)) {
      yield key.slice(under.length);
    }
  }

  async *watch(options: PoolWatchOptions = {}): AsyncGenerator<PoolEvent<T>> {
    const { prefix, ...rest } = options;
    const request = { ...rest, prefix: `${this.name}/${prefix ?? ''}` };
    for await (const { kind, object, token } of this.#door.watch(request)) {
      yield kind === 'remove'
        ? { kind, object: withValue(object, null), token }
        : { kind, object: this.#decode(await this.#whole(object)), token };
    }
  }

  /** Of an event: its value may be too long to have come with it. */
  async #whole(object: ObjectRecord): Promise<ObjectRecord> {
    if (object.value !== null) return object;
    const { key, version } = object;
    const found = await this.#door.get({ key, version, exact: true });
    if (found !== null) return found;
    throw new FreshetError('COMPACTED', `Version ${String(version)} of ${key} is gone`, {
      mend: 'Keep more versions in the pool, or watch from now on',
    });
  }

  async triggerPut(
    name: string,
    value: T,
    options: PoolTriggerOptions = {},
  ): Promise<TriggerResult> {
    const key = joinKey(this.name, name);
    return this.#door.triggerPut({ ...options, key, value: this.#codec.encode(value) });
  }

  /** LINQ over every kept version of every key, without removes; runs at the shards. */
  versions(options: PoolQueryOptions = {}): Query<Stored<T>> {
    return queryVersions<T>(this.#executor(), this.#queryStart(options));
  }

  /** LINQ over the newest object of each key. */
  objects(options: PoolQueryOptions = {}): Query<Stored<T>> {
    return queryObjects<T>(this.#executor(), this.#queryStart(options));
  }

  /** LINQ over the keys that have an object. */
  keys(options: PoolQueryOptions = {}): Query<string> {
    return queryKeys(this.#executor(), this.#queryStart(options));
  }

  #queryStart({ at, axis = 'commit', signal }: PoolQueryOptions) {
    return {
      pool: this.name,
      at: at === undefined ? null : { time: at },
      axis,
      ...(signal === undefined ? {} : { signal }),
    };
  }

  #executor(): QueryExecutor {
    const door = this.#door;
    return {
      run: async function* run(plan, signal) {
        for await (const row of door.query(plan, signal)) yield [row];
      },
    };
  }

  #putRequest(name: string, value: T, options: PutOptions): PutRequest {
    return {
      ...options,
      key: joinKey(this.name, name),
      value: this.#codec.encode(value),
      meta: { 'content-type': this.#codec.contentType, ...options.meta },
    };
  }

  #decode(found: ObjectRecord): Stored<T> {
    return withValue(found, this.#codec.decode(found.value ?? new Uint8Array(0)));
  }
}

function withValue<T>(found: ObjectRecord, value: T): Stored<T> {
  const { key, version, epoch, time, eventTime, previousVersionOfKey, size, meta } = found;
  const previousVersion = version > 1 ? version - 1 : null;
  return {
    key,
    value,
    version,
    epoch,
    time,
    eventTime,
    previousVersion,
    previousVersionOfKey,
    size,
    meta,
  };
}
