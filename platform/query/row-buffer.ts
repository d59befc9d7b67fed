import type { QueryLimits } from './limits.ts';
import { refusal } from './refuse.ts';

/** Rows that wait for a sort or a reverse, bounded in number and in the bytes that they hold. */
export class RowBuffer<T> {
  #rows: T[] = [];
  #bytes = 0;
  readonly #what: string;
  readonly #limits: QueryLimits;
  readonly #bytesOf: (row: T) => number;

  constructor(what: string, limits: QueryLimits, bytesOf: (row: T) => number) {
    this.#what = what;
    this.#limits = limits;
    this.#bytesOf = bytesOf;
  }

  get size(): number {
    return this.#rows.length;
  }

  /** Throws INVALID_QUERY when the buffer is full. */
  add(row: T): void {
    const { bufferRows, bufferBytes } = this.#limits;
    const mend = 'Narrow it with where(), end it with take(), select less, or order by version';
    if (this.#rows.length >= bufferRows) {
      throw refusal(`${this.#what} needs more than ${String(bufferRows)} rows (bufferRows)`, mend);
    }
    this.#bytes += this.#bytesOf(row);
    if (this.#bytes > bufferBytes) {
      const max = `${String(bufferBytes)} bytes of values (bufferBytes)`;
      throw refusal(`${this.#what} holds more than ${max}`, mend);
    }
    this.#rows.push(row);
  }

  /** Sorts what is there and keeps the first rows. */
  keepFirst(count: number, compare: (a: T, b: T) => number): void {
    this.#rows.sort(compare);
    this.#rows.length = Math.min(this.#rows.length, count);
    this.#bytes = this.#rows.reduce((sum, row) => sum + this.#bytesOf(row), 0);
  }

  /** Takes all rows out. */
  take(): T[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    return rows;
  }
}
