import { decodeMeta, type ObjectRecord } from '../base/mod.ts';
import { recordKinds } from '../bridge/mod.ts';
import type { PackedRecord } from '../group/mod.ts';

/** A packed record as the store shows it. */
export function toObjectRecord(
  record: PackedRecord,
  previousVersionOfKey: number | null,
  wantValue: boolean,
): ObjectRecord {
  const { head, key, meta, value, size } = record;
  const removed = head.kind === recordKinds.remove;
  return {
    key,
    value: removed || !wantValue ? null : value,
    removed,
    size,
    version: head.version,
    epoch: head.epoch,
    time: head.time,
    eventTime: head.eventTime,
    previousVersionOfKey,
    meta: decodeMeta(meta),
  };
}
