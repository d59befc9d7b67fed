/**
 * Merges sorted streams of rows into one, with one batch of each shard in hand.
 *
 * Thread: the event loop of the member that answers the query.
 * Invariants:
 * 1. A cursor in the heap stands on a row that was not given yet; the smallest is at the front.
 * 2. However the merge ends, every stream has been returned.
 */
import type { Row, RowComparator } from './row-order.ts';
import type { Batches } from './stages.ts';

export interface ShardStream {
  readonly index: number;
  readonly rows: Batches<Row>;
}

/** `stop` tells the shards that nothing more is wanted. */
export async function* mergeRows(
  streams: readonly ShardStream[],
  compare: RowComparator,
  batchRows: number,
  stop: () => void,
): Batches<Row> {
  const cursors = streams.map((stream) => new Cursor(stream));
  try {
    const isFilled = await Promise.all(cursors.map((cursor) => cursor.fill()));
    const heap = new CursorHeap(compare);
    for (const cursor of cursors.filter((_, i) => isFilled[i])) {
      heap.push(cursor);
    }
    let batch: Row[] = [];
    for (let first = heap.first; first !== undefined; first = heap.first) {
      batch.push(first.row);
      // Hands over what is ready before it waits for a shard.
      if (batch.length >= batchRows || first.isLastOfBatch) {
        yield batch;
        batch = [];
      }
      if (first.step() || (await first.fill())) {
        heap.settleFirst();
      } else {
        heap.dropFirst();
      }
    }
    if (batch.length > 0) {
      yield batch;
    }
  } finally {
    // A stream that waits for its shard returns only once the shard has stopped.
    stop();
    await Promise.allSettled(cursors.map((cursor) => cursor.close()));
  }
}

class Cursor {
  readonly index: number;
  readonly #iterator: AsyncIterator<readonly Row[]>;
  #batch: readonly Row[] = [];
  #at = 0;

  constructor({ index, rows }: ShardStream) {
    this.index = index;
    this.#iterator = rows[Symbol.asyncIterator]();
  }

  get row(): Row {
    return this.#batch[this.#at] as Row;
  }

  get isLastOfBatch(): boolean {
    return this.#at + 1 >= this.#batch.length;
  }

  /** To the next row of the batch; false at its end. */
  step(): boolean {
    this.#at++;
    return this.#at < this.#batch.length;
  }

  /** To the first row of the next batch that has one; false at the end of the stream. */
  async fill(): Promise<boolean> {
    for (;;) {
      const next = await this.#iterator.next();
      if (next.done === true) {
        this.#batch = [];
        return false;
      }
      if (next.value.length > 0) {
        this.#batch = next.value;
        this.#at = 0;
        return true;
      }
    }
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** A binary heap of cursors by their rows. */
class CursorHeap {
  readonly #cursors: Cursor[] = [];
  readonly #compare: RowComparator;

  constructor(compare: RowComparator) {
    this.#compare = compare;
  }

  get first(): Cursor | undefined {
    return this.#cursors[0];
  }

  push(cursor: Cursor): void {
    let at = this.#cursors.push(cursor) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && this.#isLess(at, parent); parent = (at - 1) >> 1) {
      this.#swap(at, parent);
      at = parent;
    }
  }

  dropFirst(): void {
    const last = this.#cursors.pop();
    if (last !== undefined && this.#cursors.length > 0) {
      this.#cursors[0] = last;
      this.settleFirst();
    }
  }

  /** Finds the place of the first cursor after it moved on. */
  settleFirst(): void {
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      let least = at;
      for (const child of [left, left + 1]) {
        if (child < this.#cursors.length && this.#isLess(child, least)) {
          least = child;
        }
      }
      if (least === at) {
        return;
      }
      this.#swap(at, least);
      at = least;
    }
  }

  #isLess(a: number, b: number): boolean {
    const left = this.#cursors[a] as Cursor;
    const right = this.#cursors[b] as Cursor;
    return this.#compare(left.row, left.index, right.row, right.index) < 0;
  }

  #swap(a: number, b: number): void {
    const cursor = this.#cursors[a] as Cursor;
    this.#cursors[a] = this.#cursors[b] as Cursor;
    this.#cursors[b] = cursor;
  }
}
