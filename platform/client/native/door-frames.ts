/**
 * The frames of the native door, version 1, as a client writes them: little endian, 8 bytes of head
 * (u32 bytes after it, u8 type, u8 flags, u16 length of the key), then what `native/README.md`
 * says of each. Numbers beyond 32 bits are float64. What comes back is read by `FrameReader`.
 */
import { check, type ObjectChange } from '../../base/mod.ts';
import { acks, recordKinds } from '../../bridge/mod.ts';

export const doorProtocol = 1;

export const frameTypes = {
  hello: 1,
  challenge: 2,
  proof: 3,
  welcome: 4,
  refused: 5,
  session: 15,
  change: 16,
  get: 17,
  watch: 18,
  unwatch: 19,
  credit: 20,
  trigger: 21,
  done: 32,
  object: 33,
  event: 34,
  watching: 35,
  ended: 36,
  view: 37,
} as const;

/** What a read may miss, as flags of `get`. */
export const readLevels = { local: 0, stable: 1, linearizable: 2 } as const;

/** What a watch shows, as flags of `watch`. */
export const watchFrontiers = { delivered: 0, persisted: 1 } as const;

/** Flags of `object`. */
export const objectFlags = { removed: 1, hasValue: 2 } as const;

export const headSize = 8;
/** Of the field that says how many bytes come after it. */
export const lengthSize = 4;
/** Fixed parts, the head included. */
export const sizes = {
  hello: 136,
  challenge: 72,
  proof: 40,
  welcome: 24,
  refused: 8,
  session: 16,
  change: 48,
  extra: 32,
  get: 32,
  watch: 48,
  unwatch: 16,
  credit: 24,
  trigger: 40,
  done: 48,
  object: 64,
  event: 64,
  watching: 24,
  ended: 16,
  view: 16,
} as const;

/** Largest value that goes this way; larger ones go over gRPC. */
export const doorValueBytesMax = 8 * 1024 * 1024;

export interface GetFrame {
  readonly level: number;
  readonly shard: number;
  readonly key: string;
  /** One of the `readPoints`, and its version or time. */
  readonly point: number;
  readonly at: number;
  readonly wantValue: boolean;
}

export interface TriggerFrame {
  readonly pool: number;
  readonly key: string;
  readonly value: Uint8Array;
  /** null: empty. */
  readonly meta: Uint8Array | null;
  readonly eventTime: number | null;
}

export interface WatchFrame {
  readonly shard: number;
  readonly prefix: string;
  /** One of the `watchFrontiers`. */
  readonly frontier: number;
  /** First version wanted; NaN: from now on. */
  readonly from: number;
  /** Of the version before it; 0: not known, or none. */
  readonly epoch: number;
  /** Events that may be sent. */
  readonly credit: number;
}

const chunkSize = 256 * 1024;
/** A value from this size on is not copied into a chunk. */
const borrowedBytesMin = 64 * 1024;
/** Chunks kept for later; more are given up. */
const spareChunksMax = 8;
/** A key of up to so many characters is copied here, if it is ASCII: cheaper than a call. */
const shortKey = 64;
/** UTF-8 bytes that one UTF-16 unit takes at most. */
const bytesPerUnit = 3;

interface Chunk {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/**
 * Frames on their way, in reused chunks.
 *
 * Invariant: what `take` handed out is not written again before it is given back.
 */
export class FrameWriter {
  #chunk: Chunk = newChunk();
  #used = 0;
  #taken = 0;
  #full: Buffer[] = [];
  #fullBytes = 0;
  readonly #spare: Chunk[] = [];
  /** Chunks in which something waits to be given back, with how many parts of them. */
  readonly #lent = new Map<ArrayBufferLike, { chunk: Chunk; parts: number }>();

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#fullBytes + this.#used - this.#taken;
  }

  /** All that was written since, to be sent in this order. */
  take(): Buffer[] {
    this.#cut();
    const parts = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    return parts;
  }

  /** Nobody reads these parts any more. */
  giveBack(parts: readonly Buffer[]): void {
    for (const { buffer } of parts) {
      const lent = this.#lent.get(buffer);
      // A value that is its caller's.
      if (lent === undefined) continue;
      lent.parts--;
      if (lent.parts > 0) continue;
      this.#lent.delete(buffer);
      if (lent.chunk === this.#chunk) {
        // What was written since waits to be taken.
        if (this.#used > this.#taken) continue;
        this.#used = 0;
        this.#taken = 0;
      } else if (this.#spare.length < spareChunksMax) {
        this.#spare.push(lent.chunk);
      }
    }
  }

  hello(nodeId: number, clusterId: Uint8Array, nonce: Uint8Array, ticket: Uint8Array): void {
    const at = this.#begin(sizes.hello, frameTypes.hello, 0, 0);
    const { bytes, view } = this.#chunk;
    bytes.write('freshetd', at + 8, 'latin1');
    view.setUint32(at + 16, doorProtocol, true);
    view.setUint32(at + 20, nodeId, true);
    bytes.set(clusterId, at + 24);
    bytes.set(nonce, at + 40);
    bytes.set(ticket, at + 72);
  }

  proof(proof: Uint8Array): void {
    const at = this.#begin(sizes.proof, frameTypes.proof, 0, 0);
    this.#chunk.bytes.set(proof, at + 8);
  }

  /** Of all changes after it that have a request. */
  session(id: number): void {
    const at = this.#begin(sizes.session, frameTypes.session, 0, 0);
    this.#chunk.view.setFloat64(at + 8, id, true);
  }

  /** Number 0: it is not answered, being without acknowledgement. */
  change(number: number, shard: number, change: ObjectChange): void {
    const { kind, key, ack, value, meta, session, expect, eventTime } = change;
    const hasExtra = expect !== null || eventTime !== null;
    const fixed = sizes.change + (hasExtra ? sizes.extra : 0);
    const metaLength = meta?.byteLength ?? 0;
    const valueLength = value?.byteLength ?? 0;
    this.#room(fixed + key.length * bytesPerUnit + metaLength);
    const at = this.#used;
    const { bytes, view } = this.#chunk;
    const keyLength = this.#key(key, at + fixed);
    const flags = recordKinds[kind] | (acks[ack] << 4);
    const size = fixed + keyLength + metaLength;
    this.#head(at, size + valueLength, frameTypes.change, flags, keyLength);
    view.setFloat64(at + 8, number, true);
    view.setUint32(at + 16, shard, true);
    view.setUint32(at + 20, change.pool, true);
    view.setUint32(at + 24, valueLength, true);
    view.setUint16(at + 28, metaLength, true);
    view.setUint16(at + 30, hasExtra ? 1 : 0, true);
    view.setFloat64(at + 32, session?.request ?? 0, true);
    view.setFloat64(at + 40, session?.lowestUnanswered ?? 0, true);
    if (hasExtra) {
      view.setFloat64(at + 48, eventTime ?? NaN, true);
      view.setFloat64(at + 56, expect?.version ?? -1, true);
      view.setFloat64(at + 64, expect?.versionOfKey ?? -1, true);
      view.setFloat64(at + 72, expect?.epoch ?? -1, true);
    }
    if (meta !== null) bytes.set(meta, at + fixed + keyLength);
    this.#used = at + size;
    if (value !== null && valueLength > 0) this.#value(value);
  }

  trigger(number: number, { pool, key, value, meta, eventTime }: TriggerFrame): void {
    const fixed = sizes.trigger;
    const metaLength = meta?.byteLength ?? 0;
    this.#room(fixed + key.length * bytesPerUnit + metaLength);
    const at = this.#used;
    const { bytes, view } = this.#chunk;
    const keyLength = this.#key(key, at + fixed);
    const size = fixed + keyLength + metaLength;
    this.#head(at, size + value.byteLength, frameTypes.trigger, 0, keyLength);
    view.setFloat64(at + 8, number, true);
    view.setFloat64(at + 16, eventTime ?? NaN, true);
    view.setUint32(at + 24, pool, true);
    view.setUint32(at + 28, value.byteLength, true);
    view.setUint16(at + 32, metaLength, true);
    bytes.fill(0, at + 34, at + fixed);
    if (meta !== null) bytes.set(meta, at + fixed + keyLength);
    this.#used = at + size;
    if (value.byteLength > 0) this.#value(value);
  }

  get(number: number, get: GetFrame): void {
    const { level, shard, key, point, at: when, wantValue } = get;
    const at = this.#beginKey(sizes.get, frameTypes.get, level, key);
    const { view } = this.#chunk;
    view.setFloat64(at + 8, number, true);
    view.setUint32(at + 16, shard, true);
    view.setUint8(at + 20, point);
    view.setUint8(at + 21, wantValue ? 1 : 0);
    view.setUint16(at + 22, 0, true);
    view.setFloat64(at + 24, when, true);
  }

  watch(number: number, { shard, prefix, frontier, from, epoch, credit }: WatchFrame): void {
    const at = this.#beginKey(sizes.watch, frameTypes.watch, frontier, prefix);
    const { view } = this.#chunk;
    view.setFloat64(at + 8, number, true);
    view.setUint32(at + 16, shard, true);
    view.setUint32(at + 20, 0, true);
    view.setFloat64(at + 24, from, true);
    view.setFloat64(at + 32, epoch, true);
    view.setFloat64(at + 40, credit, true);
  }

  unwatch(number: number): void {
    const at = this.#begin(sizes.unwatch, frameTypes.unwatch, 0, 0);
    this.#chunk.view.setFloat64(at + 8, number, true);
  }

  /** Events in all that may be sent since the watch was asked. */
  credit(number: number, events: number): void {
    const at = this.#begin(sizes.credit, frameTypes.credit, 0, 0);
    const { view } = this.#chunk;
    view.setFloat64(at + 8, number, true);
    view.setFloat64(at + 16, events, true);
  }

  /** Room for a frame of this size, with its head written; where it begins. */
  #begin(size: number, type: number, flags: number, keyLength: number): number {
    this.#room(size);
    const at = this.#used;
    this.#head(at, size, type, flags, keyLength);
    this.#used = at + size;
    return at;
  }

  /** As `#begin`, for a frame that ends with its key. */
  #beginKey(fixed: number, type: number, flags: number, key: string): number {
    this.#room(fixed + key.length * bytesPerUnit);
    const at = this.#used;
    const keyLength = this.#key(key, at + fixed);
    this.#head(at, fixed + keyLength, type, flags, keyLength);
    this.#used = at + fixed + keyLength;
    return at;
  }

  #head(at: number, size: number, type: number, flags: number, keyLength: number): void {
    const { view } = this.#chunk;
    view.setUint32(at, size - lengthSize, true);
    view.setUint8(at + 4, type);
    view.setUint8(at + 5, flags);
    view.setUint16(at + 6, keyLength, true);
  }

  #key(key: string, at: number): number {
    const { bytes } = this.#chunk;
    const { length } = key;
    if (length > shortKey) return bytes.write(key, at, 'utf8');
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit > 0x7f) return bytes.write(key, at, 'utf8');
      bytes[at + i] = unit;
    }
    return length;
  }

  #value(value: Uint8Array): void {
    if (value.byteLength >= borrowedBytesMin) {
      this.#cut();
      this.#full.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      this.#fullBytes += value.byteLength;
      return;
    }
    this.#room(value.byteLength);
    this.#chunk.bytes.set(value, this.#used);
    this.#used += value.byteLength;
  }

  /** So many bytes from `#used` on; frames go on in the next chunk where a value begins. */
  #room(size: number): void {
    if (this.#used + size <= chunkSize) return;
    check(size <= chunkSize, 'what is copied fits a chunk', { size });
    // Whoever reads the parts of this one gives it back.
    this.#cut();
    this.#chunk = this.#spare.pop() ?? newChunk();
    this.#used = 0;
    this.#taken = 0;
  }

  /** What was written into the chunk becomes a part. */
  #cut(): void {
    if (this.#used === this.#taken) return;
    const chunk = this.#chunk;
    const part = chunk.bytes.subarray(this.#taken, this.#used);
    this.#full.push(part);
    this.#fullBytes += part.byteLength;
    this.#taken = this.#used;
    const lent = this.#lent.get(chunk.bytes.buffer);
    if (lent === undefined) this.#lent.set(chunk.bytes.buffer, { chunk, parts: 1 });
    else lent.parts++;
  }
}

function newChunk(): Chunk {
  const bytes = Buffer.from(new ArrayBuffer(chunkSize));
  return { bytes, view: new DataView(bytes.buffer) };
}
