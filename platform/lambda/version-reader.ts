import { attachReader, type RecordReader } from '../bridge/mod.ts';

/** Reads values out of the member's own store, on the worker's thread. */
export class VersionReader {
  readonly #reader: RecordReader;

  constructor(memberKey: number) {
    this.#reader = attachReader(memberKey);
  }

  /** The value of a version, copied once; null: no longer in memory. */
  read(shard: number, version: number): Uint8Array | null {
    return this.#reader.readValue(shard, version);
  }
}
