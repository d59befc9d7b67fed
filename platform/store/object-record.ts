import { decodeMeta, type ObjectRecord } from '../base/mod.ts';
import { recordKinds } from '../bridge/mod.ts';
import type { PackedRecord } from '../group/mod.ts';

/** A packed record with its value, as the store shows it. */
export function toObjectRecord(
  record: PackedRecord,
  previousVersionOfKey: number | null,
  wantValue: boolean,
): ObjectRecord {
  const { head, key, meta, value } = record;
  const removed = head.kind === recordKinds.remove;
  return {
    key,
    value: removed || !wantValue ? null : value,
    removed,
    size: value.byteLength,
    version: head.version,
    epoch: head.epoch,
    time: head.time,
    eventTime: head.eventTime,
    previousVersionOfKey,
    meta: decodeMeta(meta),
  };
}

/** A record of a scan that wanted no values: its size stands where the sequence was. */
export function toValuelessRecord(
  record: PackedRecord,
  previousVersionOfKey: number | null,
): ObjectRecord {
  return { ...toObjectRecord(record, previousVersionOfKey, false), size: record.head.sequence };
}
