import { extraColumns, extraWidth } from '../bridge/mod.ts';
import type { ShardChange } from './shard-access.ts';

/** What goes to the native side beside a change, see extraColumns; null: nothing. */
export function encodeExtra({ expect, eventTime, session }: ShardChange): Float64Array | null {
  if (expect === null && eventTime === null && session === null) {
    return null;
  }
  const extra = new Float64Array(extraWidth);
  extra[extraColumns.eventTime] = eventTime ?? NaN;
  extra[extraColumns.expectVersion] = expect?.version ?? -1;
  extra[extraColumns.expectVersionOfKey] = expect?.versionOfKey ?? -1;
  extra[extraColumns.expectEpoch] = expect?.epoch ?? -1;
  extra[extraColumns.session] = session?.session ?? 0;
  extra[extraColumns.request] = session?.request ?? 0;
  extra[extraColumns.lowestUnanswered] = session?.lowestUnanswered ?? 0;
  return extra;
}
