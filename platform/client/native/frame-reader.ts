/**
 * Frames of the native door as a client gets them, from chunks of any size. Frames that lie whole
 * in a chunk are read where they are; one that goes on in the next is put together once.
 *
 * Invariant: what a handler is given may be kept only where it says so.
 */
import { markAsUntransferable } from 'node:worker_threads';
import { FreshetError, limits } from '../../base/mod.ts';
import { frameTypes, headSize, lengthSize, objectFlags, sizes } from './door-frames.ts';

/**
 * An object of an answer, or of an event. There is one for all frames, one after the other: of it
 * only `meta` may be kept.
 */
export interface FramedObject {
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
  /** NaN: none. */
  readonly eventTime: number;
  /** 0: none. */
  readonly previousVersionOfKey: number;
  readonly size: number;
  /** null: empty. */
  readonly meta: Uint8Array | null;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

export interface FrameHandler {
  /** Both may be kept. */
  onChallenge(nonce: Uint8Array, proof: Uint8Array): void;
  onWelcome(view: number, requestsMax: number, bytesMax: number): void;
  onRefused(status: number): void;
  onDone(
    number: number,
    status: number,
    epoch: number,
    version: number,
    time: number,
    previousVersionOfKey: number,
  ): void;
  /** `value` may be kept; null: there is none, or it was not asked for. */
  onObject(number: number, object: FramedObject, removed: boolean, value: Uint8Array | null): void;
  /**
   * `value` may be kept. Epoch 0: what is below this version was pruned before the watch came to
   * it.
   */
  onEvent(number: number, kind: number, key: string, object: FramedObject, value: Uint8Array): void;
  onWatching(number: number, version: number): void;
  onEnded(number: number, status: number): void;
  onView(view: number): void;
}

/** Fixed part of what a member sends, by type. */
const fixedSizes: Readonly<Record<number, number>> = {
  [frameTypes.challenge]: sizes.challenge,
  [frameTypes.welcome]: sizes.welcome,
  [frameTypes.refused]: sizes.refused,
  [frameTypes.done]: sizes.done,
  [frameTypes.object]: sizes.object,
  [frameTypes.event]: sizes.event,
  [frameTypes.watching]: sizes.watching,
  [frameTypes.ended]: sizes.ended,
  [frameTypes.view]: sizes.view,
};

/** A longer frame is none: room for the largest value and what is beside it. */
const frameBytesMax = limits.valueBytesWhole + 1024 * 1024;
/** A value of at least this size that came in a frame of its own memory is not copied again. */
const ownedBytesMin = 4096;
/** Of a chunk so much at a time is copied, for all small values in it: who keeps one keeps all. */
const copiedBytes = 8192;

export class FrameReader {
  readonly #handler: FrameHandler;
  /** Of a frame that has begun: its head, then all of it. */
  readonly #head = Buffer.from(new ArrayBuffer(headSize));
  #frame: Buffer | null = null;
  #filled = 0;
  /** Of the chunk that is read, from this place on. */
  #copy: Buffer | null = null;
  #copyAt = 0;
  readonly #object: Writable<FramedObject> = {
    version: 0.5,
    epoch: 0.5,
    time: 0.5,
    eventTime: NaN,
    previousVersionOfKey: 0.5,
    size: 0,
    meta: null,
  };

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** `chunk` is the caller's again afterwards. Throws INVALID_ARGUMENT: these are no such frames. */
  push(chunk: Buffer): void {
    let at = this.#goOn(chunk);
    this.#copy = null;
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (chunk.byteLength - at >= headSize) {
      const size = frameSize(view, at);
      if (chunk.byteLength - at < size) break;
      this.#read(chunk, view, at, size, false);
      at += size;
    }
    if (at < chunk.byteLength) this.#keep(chunk.subarray(at));
  }

  /** Completes the frame that has begun; where the next one begins in the chunk. */
  #goOn(chunk: Buffer): number {
    let at = 0;
    while (this.#filled > 0 && at < chunk.byteLength) {
      const target = this.#frame ?? this.#head;
      const taken = chunk.copy(target, this.#filled, at, at + target.byteLength - this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled < target.byteLength) break;
      if (this.#frame === null) this.#begin();
      else this.#end(this.#frame);
    }
    return at;
  }

  #keep(rest: Buffer): void {
    this.#filled = rest.copy(this.#head);
    if (this.#filled < headSize) return;
    this.#begin();
    // A frame that ended with its head was read at once.
    if (this.#frame !== null) this.#filled = rest.copy(this.#frame);
  }

  /** The head is whole. */
  #begin(): void {
    const size = frameSize(new DataView(this.#head.buffer), 0);
    const frame = Buffer.allocUnsafeSlow(size);
    this.#head.copy(frame);
    this.#frame = frame;
    if (size === headSize) this.#end(frame);
  }

  #end(frame: Buffer): void {
    this.#frame = null;
    this.#filled = 0;
    this.#read(frame, new DataView(frame.buffer), 0, frame.byteLength, true);
  }

  /** `isOwned`: nobody else writes to these bytes. */
  #read(bytes: Buffer, view: DataView, at: number, size: number, isOwned: boolean): void {
    const handler = this.#handler;
    const type = view.getUint8(at + 4);
    const fixed = fixedSizes[type];
    if (fixed === undefined || size < fixed) throw malformed(type, size);
    const hasRest = type === frameTypes.object || type === frameTypes.event;
    if (!hasRest && size !== fixed) throw malformed(type, size);
    const flags = view.getUint8(at + 5);
    const number = size >= 16 ? view.getFloat64(at + 8, true) : 0;
    switch (type) {
      case frameTypes.done:
        handler.onDone(
          number,
          flags,
          view.getFloat64(at + 16, true),
          view.getFloat64(at + 24, true),
          view.getFloat64(at + 32, true),
          view.getFloat64(at + 40, true),
        );
        return;
      case frameTypes.object:
        this.#onObject(bytes, view, at, size, isOwned);
        return;
      case frameTypes.event:
        this.#onEvent(bytes, view, at, size, isOwned);
        return;
      case frameTypes.watching:
        handler.onWatching(number, view.getFloat64(at + 16, true));
        return;
      case frameTypes.ended:
        handler.onEnded(number, flags);
        return;
      case frameTypes.view:
        handler.onView(number);
        return;
      case frameTypes.challenge:
        handler.onChallenge(copied(bytes, at + 8, at + 40), copied(bytes, at + 40, at + 72));
        return;
      case frameTypes.welcome:
        handler.onWelcome(number, view.getUint32(at + 16, true), view.getUint32(at + 20, true));
        return;
      default:
        handler.onRefused(flags);
    }
  }

  #onObject(bytes: Buffer, view: DataView, at: number, size: number, isOwned: boolean): void {
    const flags = view.getUint8(at + 5);
    const valueSize = view.getUint32(at + 56, true);
    const hasValue = (flags & objectFlags.hasValue) !== 0;
    const metaAt = at + sizes.object;
    const valueAt = metaAt + view.getUint16(at + 60, true);
    const end = valueAt + (hasValue ? valueSize : 0);
    if (end !== at + size) throw malformed(frameTypes.object, size);
    const object = this.#objectOf(bytes, view, at, metaAt, valueAt, valueSize);
    const value = hasValue ? this.#handedOut(bytes, valueAt, end, isOwned) : null;
    const isRemoved = (flags & objectFlags.removed) !== 0;
    this.#handler.onObject(view.getFloat64(at + 8, true), object, isRemoved, value);
  }

  #onEvent(bytes: Buffer, view: DataView, at: number, size: number, isOwned: boolean): void {
    const valueSize = view.getUint32(at + 56, true);
    const keyAt = at + sizes.event;
    const metaAt = keyAt + view.getUint16(at + 6, true);
    const valueAt = metaAt + view.getUint16(at + 60, true);
    const end = valueAt + valueSize;
    if (end !== at + size) throw malformed(frameTypes.event, size);
    const object = this.#objectOf(bytes, view, at, metaAt, valueAt, valueSize);
    this.#handler.onEvent(
      view.getFloat64(at + 8, true),
      view.getUint8(at + 5),
      bytes.toString('utf8', keyAt, metaAt),
      object,
      this.#handedOut(bytes, valueAt, end, isOwned),
    );
  }

  /** `object` and `event` have these numbers at the same places. */
  #objectOf(
    bytes: Buffer,
    view: DataView,
    at: number,
    metaAt: number,
    metaEnd: number,
    size: number,
  ): FramedObject {
    const object = this.#object;
    object.version = view.getFloat64(at + 16, true);
    object.epoch = view.getFloat64(at + 24, true);
    object.time = view.getFloat64(at + 32, true);
    object.eventTime = view.getFloat64(at + 40, true);
    object.previousVersionOfKey = view.getFloat64(at + 48, true);
    object.size = size;
    object.meta = metaEnd === metaAt ? null : copied(bytes, metaAt, metaEnd);
    return object;
  }

  #handedOut(bytes: Buffer, from: number, to: number, isOwned: boolean): Uint8Array {
    if (isOwned)
      return to - from >= ownedBytesMin ? bytes.subarray(from, to) : copied(bytes, from, to);
    if (to - from >= copiedBytes / 2) return copied(bytes, from, to);
    if (this.#copy === null || to > this.#copyAt + this.#copy.byteLength) {
      this.#copy = copied(bytes, from, Math.min(from + copiedBytes, bytes.byteLength));
      // With one value all others would go.
      markAsUntransferable(this.#copy.buffer);
      this.#copyAt = from;
    }
    return this.#copy.subarray(from - this.#copyAt, to - this.#copyAt);
  }
}

function frameSize(view: DataView, at: number): number {
  const size = view.getUint32(at, true) + lengthSize;
  if (size < headSize || size > frameBytesMax) throw malformed(view.getUint8(at + 4), size);
  return size;
}

function copied(bytes: Buffer, from: number, to: number): Buffer {
  return Buffer.from(bytes.subarray(from, to));
}

function malformed(type: number, size: number): FreshetError {
  const text = `The member sent a frame of type ${String(type)} and ${String(size)} bytes`;
  return new FreshetError('INVALID_ARGUMENT', `${text}, which is none of the native door`, {
    mend: 'Check that the address is that of a native door of this version',
  });
}
