/**
 * The library's reader of protobuf's encoding, with 64-bit integers as numbers: as BigInts, and
 * strings on the way to numbers, they are most of what taking in a message of a stream costs.
 * https://protobuf.dev/programming-guides/encoding/#varints
 */
import { BinaryReader as LibraryReader } from '@bufbuild/protobuf/wire';

/** Throws RangeError where the bytes end within a value. */
export class BinaryReader extends LibraryReader {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#bytes = bytes;
  }

  /** Throws RangeError beyond 2^53 - 1. */
  safeUint64(): number {
    const value = this.#varint();
    return value ?? safe(this.uint64());
  }

  /** Throws RangeError beyond 2^53 - 1 in either direction. */
  safeInt64(): number {
    const value = this.#varint();
    // A negative one has all of its 64 bits.
    return value ?? safe(this.int64());
  }

  /** The value that begins here; null, and nothing read, if it is no safe integer. */
  #varint(): number | null {
    let value = 0;
    let factor = 1;
    for (let at = this.pos; factor < Number.MAX_SAFE_INTEGER; factor *= 128) {
      const byte = this.#bytes[at++];
      if (byte === undefined) throw new RangeError('premature EOF');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) return null;
        this.pos = at;
        return value;
      }
    }
    return null;
  }
}

function safe(value: bigint | string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`${String(value)} is no integer between -(2^53 - 1) and 2^53 - 1`);
}
