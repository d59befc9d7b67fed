/**
 * Operators over streams of batches, for what is not left to the shards: they pull, hold one
 * batch, and stop their source as soon as they have enough.
 */
import type { QueryLimits } from './limits.ts';
import { RowBuffer } from './row-buffer.ts';

export type Batches<T> = AsyncIterable<readonly T[]>;

export interface BufferOptions<T> {
  readonly limits: QueryLimits;
  /** Bytes of a stored value that a row holds on to. */
  readonly bytesOf: (row: T) => number;
}

export async function* filterRows<T>(source: Batches<T>, test: (row: T) => boolean): Batches<T> {
  for await (const batch of source) {
    const kept = batch.filter(test);
    if (kept.length > 0) {
      yield kept;
    }
  }
}

export async function* mapRows<T, U>(source: Batches<T>, to: (row: T) => U): Batches<U> {
  for await (const batch of source) {
    yield batch.map(to);
  }
}

export async function* takeRows<T>(source: Batches<T>, count: number): Batches<T> {
  let left = count;
  if (left === 0) {
    return;
  }
  for await (const batch of source) {
    yield batch.length <= left ? batch : batch.slice(0, left);
    left -= batch.length;
    if (left <= 0) {
      return;
    }
  }
}

export async function* skipRows<T>(source: Batches<T>, count: number): Batches<T> {
  let left = count;
  for await (const batch of source) {
    if (left < batch.length) {
      yield left === 0 ? batch : batch.slice(left);
    }
    left = Math.max(0, left - batch.length);
  }
}

/** Throws INVALID_QUERY when the buffer is full. */
export async function* reverseRows<T>(source: Batches<T>, options: BufferOptions<T>): Batches<T> {
  const rows = await collect(source, 'reverse', options);
  yield* inBatches(rows.reverse(), options.limits);
}

/** Stable. Throws INVALID_QUERY when the buffer is full. */
export async function* sortRows<T>(
  source: Batches<T>,
  compare: (a: T, b: T) => number,
  options: BufferOptions<T>,
): Batches<T> {
  const rows = await collect(source, 'orderBy', options);
  yield* inBatches(rows.sort(compare), options.limits);
}

export async function countRows(source: Batches<unknown>): Promise<number> {
  let count = 0;
  for await (const batch of source) {
    count += batch.length;
  }
  return count;
}

export function* inBatches<T>(
  rows: readonly T[],
  { batchRows }: QueryLimits,
): Iterable<readonly T[]> {
  for (let start = 0; start < rows.length; start += batchRows) {
    yield rows.slice(start, start + batchRows);
  }
}

async function collect<T>(
  source: Batches<T>,
  what: string,
  { limits, bytesOf }: BufferOptions<T>,
): Promise<T[]> {
  const buffer = new RowBuffer<T>(what, limits, bytesOf);
  for await (const batch of source) {
    for (const row of batch) {
      buffer.add(row);
    }
  }
  return buffer.take();
}
