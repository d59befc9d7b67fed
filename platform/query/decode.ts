import {
  decodeMessagePack,
  FreshetError,
  messageOf,
  type ScannedRecord,
  type SchemaKind,
} from '../base/mod.ts';
import type { StoredObject } from '../expression/mod.ts';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** The object that a record stands for; `value` is null where it was not wanted. */
export function toStoredObject(record: ScannedRecord, value: unknown): StoredObject<unknown> {
  return {
    key: record.key,
    value,
    version: record.version,
    epoch: record.epoch,
    time: record.time,
    eventTime: record.eventTime,
    // Versions of a shard have no gaps.
    previousVersion: record.version > 1 ? record.version - 1 : null,
    previousVersionOfKey: record.previousVersionOfKey,
    size: record.size,
    meta: record.meta ?? {},
  };
}

/**
 * The value of a record. Throws INVALID_VALUE with key and version where it cannot be decoded,
 * VALUE_TOO_LARGE where it was left out.
 */
export function decodeValue(record: ScannedRecord, kind: SchemaKind): unknown {
  const { key, version, value } = record;
  if (value === null) {
    const text = `The value of ${key} at version ${String(version)} is too long for a query`;
    throw new FreshetError('VALUE_TOO_LARGE', text, {
      mend: 'Leave it out, as with where((o) => o.size < 2 ** 26)',
      details: { key, version, size: record.size },
    });
  }
  try {
    switch (kind) {
      case 'json':
        return JSON.parse(strictUtf8.decode(value)) as unknown;
      case 'msgpack':
        return decodeMessagePack(value);
      case 'raw':
        return value;
    }
  } catch (cause) {
    throw new FreshetError(
      'INVALID_VALUE',
      `The value of ${key} at version ${String(version)} is not ${kind}: ${messageOf(cause)}`,
      {
        mend: 'Correct the value schema of the pool, or leave the version out with where()',
        details: { key, version },
        cause,
      },
    );
  }
}
