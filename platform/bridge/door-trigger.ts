import { decodeKey } from '../base/mod.ts';

/** A client's trigger as the native door hands it over. */
export interface DoorTrigger {
  readonly key: string;
  readonly value: Uint8Array;
  /** null: empty. */
  readonly meta: Uint8Array | null;
  readonly eventTime: number | null;
}

const fixedSize = 40;

/** Reads TriggerFrame of `native/agent/door/door_frames.h`, whose lengths the door has checked. */
export function readDoorTrigger(frame: Buffer): DoorTrigger {
  const metaAt = fixedSize + frame.readUInt16LE(6);
  const valueAt = metaAt + frame.readUInt16LE(32);
  const eventTime = frame.readDoubleLE(16);
  return {
    key: decodeKey(frame.subarray(fixedSize, metaAt)),
    value: frame.subarray(valueAt),
    meta: valueAt === metaAt ? null : frame.subarray(metaAt, valueAt),
    eventTime: Number.isNaN(eventTime) ? null : eventTime,
  };
}
