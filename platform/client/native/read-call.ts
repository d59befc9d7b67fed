/** One try of a point read at one member. */
import { decodeMeta, type FreshetError, type Meta, type ObjectRecord } from '../../base/mod.ts';
import { coreError } from '../../bridge/mod.ts';
import type { DoorCall } from './door-connection.ts';
import type { FrameWriter, GetFrame } from './door-frames.ts';
import type { FramedObject } from './frame-reader.ts';

export interface ReadAnswer {
  /** null: there is none; of a removed one the record says so. */
  readonly resolve: (object: ObjectRecord | null) => void;
  readonly reject: (error: FreshetError) => void;
}

const overhead = 32;
const noMeta: Meta = Object.freeze({});

export class ReadCall implements DoorCall {
  readonly size: number;
  readonly until: number;
  readonly session = 0;
  readonly isUnanswered = false;
  readonly #get: GetFrame;
  readonly #statusNames: readonly string[];
  readonly #answer: ReadAnswer;

  constructor(get: GetFrame, until: number, statusNames: readonly string[], answer: ReadAnswer) {
    this.size = overhead + get.key.length;
    this.until = until;
    this.#get = get;
    this.#statusNames = statusNames;
    this.#answer = answer;
  }

  write(out: FrameWriter, number: number): void {
    out.get(number, this.#get);
  }

  onDone(status: number): void {
    if (this.#statusNames[status] === 'NOT_FOUND') {
      this.#answer.resolve(null);
      return;
    }
    const { key, shard } = this.#get;
    this.#answer.reject(
      coreError(this.#statusNames, status, `The read of ${key}`, { key, shard, status }),
    );
  }

  onObject(object: FramedObject, removed: boolean, value: Uint8Array | null): void {
    this.#answer.resolve(toObjectRecord(this.#get.key, object, removed, value));
  }

  onFailed(error: FreshetError): void {
    this.#answer.reject(error);
  }
}

export function toObjectRecord(
  key: string,
  object: FramedObject,
  removed: boolean,
  value: Uint8Array | null,
): ObjectRecord {
  const { version, epoch, time, eventTime, previousVersionOfKey, size, meta } = object;
  return {
    key,
    value: removed ? null : value,
    removed,
    size,
    version,
    epoch,
    time,
    eventTime: Number.isNaN(eventTime) ? null : eventTime,
    previousVersionOfKey: previousVersionOfKey > 0 ? previousVersionOfKey : null,
    meta: meta === null ? noMeta : decodeMeta(meta),
  };
}
