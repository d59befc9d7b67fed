import { attachReader, type RecordReader } from '../bridge/mod.ts';
import type { NativeGate } from './native-gate.ts';
import type { WorkItem } from './worker-protocol.ts';

/**
 * Purpose: the values that a lambda's thread reads out of the member's memory. Large ones lie there
 *   once for all lambdas that read them at a time, so none may write to them. JavaScript cannot be
 *   kept from it: instead their checksums are looked at when a run is over. A lambda never sees
 *   another's bytes as an object's value in what counts of its run. Between two runs it might: of a
 *   shared value it has to copy what it keeps.
 * Thread: the worker's.
 * Invariants
 *  1. Values are shared within a run only, and only until `endRun`.
 *  2. `endRun` is true only if all that the run was given to share was then as it had been stored.
 */
export class ValueReader {
  readonly #reader: RecordReader | null;
  readonly #gate: NativeGate;
  /** What the run has opened, held until it is looked at; null: nothing is to be shared. */
  #opened: Map<number, Uint8Array> | null = null;

  constructor(memberKey: number | null, gate: NativeGate) {
    this.#gate = gate;
    this.#reader = memberKey === null ? null : gate.run(() => attachReader(memberKey));
  }

  get shares(): boolean {
    return this.#opened !== null;
  }

  beginRun(shares: boolean): void {
    this.#opened = shares ? new Map() : null;
  }

  /** False: a shared value was written to, by whomever, and the run is to be made again. */
  endRun(): boolean {
    const opened = [...(this.#opened ?? [])];
    this.#opened = null;
    return opened.every(
      ([number]) => this.#call((reader) => reader.isSharedSound(number)) === true,
    );
  }

  /** The bytes of an event; null: no longer in memory. */
  bytesOf({ bytes, shared, shard, version, epoch }: WorkItem): Uint8Array | null {
    if (bytes !== null) return bytes;
    const found = shared === null ? null : this.open(shared);
    if (found !== null || version === null || epoch === null) return found;
    return this.#call((reader) => reader.readValue(shard, version, epoch));
  }

  /** null: it cannot be had, or nothing is to be shared. */
  open(number: number): Uint8Array | null {
    if (this.#opened === null) return null;
    const value = this.#call((reader) => reader.openShared(number));
    if (value !== null) this.#opened.set(number, value);
    return value;
  }

  #call<T>(read: (reader: RecordReader) => T): T | null {
    const reader = this.#reader;
    return reader === null ? null : this.#gate.run(() => read(reader));
  }
}
