import { FreshetError } from '../base/mod.ts';
import type { Scalar } from '../expression/mod.ts';
import { type QueryLimits, queryLimits } from './limits.ts';
import { toArrayOf } from './results.ts';
import { compareScalars, orderingValue } from './row-order.ts';
import {
  type Batches,
  countRows,
  filterRows,
  mapRows,
  reverseRows,
  skipRows,
  sortRows,
  takeRows,
} from './stages.ts';

/** What a plain lambda may order by. */
export type OrderingValue = Scalar | undefined;

/**
 * The part of a query that runs at the caller, after `.local()`: lambdas are plain functions over
 * plain objects. Immutable; every run asks the shards anew, and pulls only what it uses.
 */
export class LocalQuery<T> implements AsyncIterable<T> {
  protected readonly start: () => Batches<T>;
  protected readonly limits: QueryLimits;

  constructor(start: () => Batches<T>, limits: QueryLimits = queryLimits) {
    this.start = start;
    this.limits = limits;
  }

  where(predicate: (element: T) => boolean): LocalQuery<T> {
    return this.#then((source) => filterRows(source, predicate));
  }

  select<U>(projection: (element: T) => U): LocalQuery<U> {
    return this.#then((source) => mapRows(source, projection));
  }

  /** Stable. Buffers all elements: INVALID_QUERY when they are too many. */
  orderBy(key: (element: T) => OrderingValue): LocalOrderedQuery<T> {
    return this.#ordered({ key, sign: 1 });
  }

  orderByDescending(key: (element: T) => OrderingValue): LocalOrderedQuery<T> {
    return this.#ordered({ key, sign: -1 });
  }

  /** Buffers all elements: INVALID_QUERY when they are too many. */
  reverse(): LocalQuery<T> {
    return this.#then((source) => reverseRows(source, { limits: this.limits, bytesOf: () => 0 }));
  }

  take(count: number): LocalQuery<T> {
    return this.#then((source) => takeRows(source, checkedCount('take', count)));
  }

  skip(count: number): LocalQuery<T> {
    return this.#then((source) => skipRows(source, checkedCount('skip', count)));
  }

  async count(): Promise<number> {
    return countRows(this.start());
  }

  async any(predicate?: (element: T) => boolean): Promise<boolean> {
    const found = predicate === undefined ? this : this.where(predicate);
    return (await found.take(1).count()) > 0;
  }

  /** Throws NOT_FOUND when there is none. */
  async first(): Promise<T> {
    return firstOf(await this.take(1).toArray());
  }

  async firstOrNull(): Promise<T | null> {
    return (await this.take(1).toArray())[0] ?? null;
  }

  /** Throws INVALID_QUERY when there are more than `resultRows`. */
  async toArray(): Promise<T[]> {
    return toArrayOf(this.start(), this.limits);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for await (const batch of this.start()) {
      yield* batch;
    }
  }

  #then<U>(stage: (source: Batches<T>) => Batches<U>): LocalQuery<U> {
    return new LocalQuery(() => stage(this.start()), this.limits);
  }

  #ordered(key: LocalKey<T>): LocalOrderedQuery<T> {
    return new LocalOrderedQuery(this.start, [key], this.limits);
  }
}

interface LocalKey<T> {
  readonly key: (element: T) => OrderingValue;
  readonly sign: 1 | -1;
}

/** A local query right after orderBy, which thenBy can refine. */
export class LocalOrderedQuery<T> extends LocalQuery<T> {
  readonly #unordered: () => Batches<T>;
  readonly #keys: readonly LocalKey<T>[];

  constructor(unordered: () => Batches<T>, keys: readonly LocalKey<T>[], limits: QueryLimits) {
    const compare = (a: T, b: T): number => {
      for (const { key, sign } of keys) {
        const compared = compareScalars(orderingValue(key(a)), orderingValue(key(b)));
        if (compared !== 0) {
          return sign * compared;
        }
      }
      return 0;
    };
    super(() => sortRows(unordered(), compare, { limits, bytesOf: () => 0 }), limits);
    this.#unordered = unordered;
    this.#keys = keys;
  }

  thenBy(key: (element: T) => OrderingValue): LocalOrderedQuery<T> {
    return new LocalOrderedQuery(this.#unordered, [...this.#keys, { key, sign: 1 }], this.limits);
  }

  thenByDescending(key: (element: T) => OrderingValue): LocalOrderedQuery<T> {
    return new LocalOrderedQuery(this.#unordered, [...this.#keys, { key, sign: -1 }], this.limits);
  }
}

/** The one element; throws NOT_FOUND when there is none. */
export function firstOf<T>(elements: readonly T[]): T {
  if (elements.length === 0) {
    throw new FreshetError('NOT_FOUND', 'The query gives no element', {
      mend: 'Use firstOrNull() where there may be none',
    });
  }
  return elements[0] as T;
}

/** A whole number from 0; throws INVALID_QUERY. */
export function checkedCount(operator: string, count: number): number {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new FreshetError(
      'INVALID_QUERY',
      `${operator}(${String(count)}) is no number of elements`,
      {
        mend: 'Give a whole number from 0',
      },
    );
  }
  return count;
}
