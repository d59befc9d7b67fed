/** One try of a point read at one member. */
import {
  decodeMeta,
  type FreshetError,
  type GetRequest,
  type Meta,
  type ObjectRecord,
} from '../../base/mod.ts';
import { coreError, readPoints } from '../../bridge/mod.ts';
import type { DoorCall } from './door-connection.ts';
import { type FrameWriter, type GetFrame, readLevels } from './door-frames.ts';
import type { FramedObject } from './frame-reader.ts';
import type { RoutedShard } from './topology.ts';

const overhead = 32;
const noMeta: Meta = Object.freeze({});

/** What one says of a try; one object, as a client makes a million of them in a second. */
export abstract class ReadCall implements DoorCall, GetFrame {
  readonly request: GetRequest;
  readonly key: string;
  readonly wantValue: boolean;
  readonly #placed: RoutedShard;

  constructor(request: GetRequest, wantValue: boolean, placed: RoutedShard) {
    this.request = request;
    this.key = request.key;
    this.wantValue = wantValue;
    this.#placed = placed;
  }

  /** null: there is none; of a removed one the record says so. */
  abstract onRead(object: ObjectRecord | null): void;
  abstract readonly until: number;
  /** The native table. */
  protected abstract readonly statusNames: readonly string[];
  abstract onFailed(error: FreshetError): void;

  get size(): number {
    return overhead + this.key.length;
  }

  get shard(): number {
    return this.#placed.shard;
  }

  /** How many members could be asked. */
  get readers(): number {
    return this.#placed.readers.length;
  }

  get session(): number {
    return 0;
  }

  get isUnanswered(): boolean {
    return false;
  }

  get level(): number {
    return readLevels[this.request.read ?? 'linearizable'];
  }

  get point(): number {
    const { version, exact } = this.request;
    if (version === undefined) return readPoints.newest;
    return exact === true ? readPoints.exactVersion : readPoints.atVersion;
  }

  get at(): number {
    return this.request.version ?? 0;
  }

  write(out: FrameWriter, number: number): void {
    out.get(number, this);
  }

  onDone(status: number): void {
    const { key, shard, statusNames } = this;
    if (statusNames[status] === 'NOT_FOUND') {
      this.onRead(null);
      return;
    }
    this.onFailed(coreError(statusNames, status, `The read of ${key}`, { key, shard, status }));
  }

  onObject(object: FramedObject, removed: boolean, value: Uint8Array | null): void {
    this.onRead(toObjectRecord(this.key, object, removed, value));
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
    version: small(version),
    epoch: small(epoch),
    time,
    eventTime: Number.isNaN(eventTime) ? null : eventTime,
    previousVersionOfKey: previousVersionOfKey > 0 ? small(previousVersionOfKey) : null,
    meta: meta === null ? noMeta : decodeMeta(meta),
  };
}

/** The same number, kept without memory of its own if it is below 2^31. */
function small(number: number): number {
  return (number | 0) === number ? number | 0 : number;
}
