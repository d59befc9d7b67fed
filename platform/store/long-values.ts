/**
 * Values too long for one message, on their way between two members: a put brings its value in
 * parts before it is called, and a read is answered without one, which is fetched in parts.
 *
 * Thread: event loop.
 */
import { type CancelTimer, type Clock, FreshetError, limits } from '../base/mod.ts';
import { paddedLength, type PeerMessages, readHead, readRecord } from '../group/mod.ts';
import { storeLimits } from './store-limits.ts';

const partCall = 'shard.putPart';
/** In a record, see native/core/record.h. */
const payloadCrcAt = 4;
const payloadAt = 64;

export function isLong(value: Uint8Array | null): value is Uint8Array {
  return value !== null && value.byteLength > limits.valueBytesWhole;
}

/** Where a value goes: the put that follows names it by shard and number. */
export interface BroughtValue {
  readonly node: number;
  readonly shard: number;
  /** Of the values that this member brings to the shard. */
  readonly id: number;
}

/** Brings a value to a member. `leftMs`: how long it may still take. */
export async function bringValue(
  messages: PeerMessages,
  { node, shard, id }: BroughtValue,
  value: Uint8Array,
  { leftMs, signal }: { readonly leftMs: () => number; readonly signal: AbortSignal | null },
): Promise<void> {
  for (let from = 0; from < value.byteLength; from += storeLimits.longPartBytes) {
    const part = value.subarray(from, from + storeLimits.longPartBytes);
    const argument = [shard, id, value.byteLength, from, part];
    await messages.call(node, partCall, argument, { timeoutMs: leftMs(), signal });
  }
}

/** `before`: the checksum of what comes before the bytes; 0: nothing. */
export type Crc32c = (bytes: Uint8Array, before: number) => number;

/**
 * The value of a version's record, fetched part by part, each of which is looked at as it comes; null:
 * it is not as it was stored.
 */
export async function fetchValue(
  part: (from: number) => Promise<Uint8Array>,
  crc32c: Crc32c,
): Promise<Uint8Array | null> {
  const first = await part(0);
  const head = readHead(Buffer.from(first.buffer, first.byteOffset, first.byteLength), 0);
  const bytes = Buffer.allocUnsafeSlow(paddedLength(head.length));
  let crc = 0;
  for (let [from, next] = [0, first]; ;) {
    bytes.set(next, from);
    const begin = Math.max(from, payloadAt);
    from += next.byteLength;
    const end = Math.max(begin, Math.min(from, head.length));
    crc = crc32c(bytes.subarray(begin, end), crc);
    if (from >= bytes.byteLength) break;
    next = await part(from);
    if (next.byteLength === 0) throw new FreshetError('INTERNAL', 'A long value ended too early');
  }
  if (crc !== bytes.readUInt32LE(payloadCrcAt)) return null;
  return readRecord(bytes, 0).value ?? new Uint8Array();
}

interface Coming {
  readonly bytes: Buffer;
  filled: number;
  cancel: CancelTimer;
}

/** The values that other members bring to this one. Bounded in bytes; who stops halfway loses. */
export class ComingValues {
  readonly #clock: Clock;
  /** By member, shard and number. */
  readonly #coming = new Map<string, Coming>();

  constructor(messages: PeerMessages, clock: Clock) {
    this.#clock = clock;
    messages.handle(partCall, (from, argument) => {
      const [shard, id, size, at, part] = argument as [number, number, number, number, Uint8Array];
      this.#take(nameOf({ node: from, shard, id }), size, at, part);
      return Promise.resolve(null);
    });
  }

  /** A whole value, which is the caller's from now on. Throws UNREACHABLE: it did not come. */
  claim(value: BroughtValue): Uint8Array {
    const coming = this.#drop(nameOf(value));
    if (coming !== null && coming.filled === coming.bytes.byteLength) return coming.bytes;
    throw new FreshetError('UNREACHABLE', 'The value of a put did not come whole');
  }

  #take(name: string, size: number, at: number, part: Uint8Array): void {
    const coming = at === 0 ? this.#begin(size, name) : this.#drop(name);
    if (coming?.filled !== at || part.byteLength > coming.bytes.byteLength - at) {
      throw new FreshetError('UNREACHABLE', 'A part of a value came without the one before it');
    }
    coming.bytes.set(part, at);
    coming.filled += part.byteLength;
    coming.cancel = this.#clock.after(storeLimits.longIdleMs, () => this.#coming.delete(name));
    this.#coming.set(name, coming);
  }

  #begin(size: number, name: string): Coming {
    this.#drop(name);
    let bytes = size;
    for (const coming of this.#coming.values()) bytes += coming.bytes.byteLength;
    if (size > limits.valueBytesMax || bytes > storeLimits.longBytes) {
      const text = `Long values of ${String(bytes)} bytes would wait at this member`;
      throw new FreshetError('OVERLOADED', text);
    }
    return { bytes: Buffer.allocUnsafeSlow(size), filled: 0, cancel: () => false };
  }

  #drop(name: string): Coming | null {
    const coming = this.#coming.get(name) ?? null;
    coming?.cancel();
    this.#coming.delete(name);
    return coming;
  }
}

/** `node`: from which it comes. */
function nameOf({ node, shard, id }: BroughtValue): string {
  return `${String(node)}/${String(shard)}/${String(id)}`;
}
