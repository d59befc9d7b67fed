/**
 * Why a shard may not go on at a member, each with what mends it.
 */
import { FreshetError } from '../base/mod.ts';
import type { LogPlace } from './log-calls.ts';

/** LOG_CORRUPT. `dataFolder`: the member's. */
export function noGoodCopy(
  dataFolder: string,
  shard: number,
  [segment, offset]: LogPlace,
): FreshetError {
  const where = `in segment ${String(segment)} at byte ${String(offset)}`;
  const message = `The log of shard ${String(shard)} is damaged ${where}, and no member has a copy`;
  const folder = `${dataFolder}/shard-${String(shard)}`;
  return new FreshetError('LOG_CORRUPT', message, {
    mend: `Start the members that are missing, or move ${folder} away: the others fill it`,
    details: { shard, segment, offset },
  });
}

/** HISTORY_DIFFERS. `minority`: node ids of those that differ from most. */
export function historyDiffers(
  dataFolder: string,
  shard: number,
  version: number | null,
  minority: readonly number[],
): FreshetError {
  const who = minority.map(String).join(', ');
  const message =
    `Shard ${String(shard)} has another history here than at most members, ` +
    `seen at version ${String(version)} (in the minority: member ${who})`;
  return new FreshetError('HISTORY_DIFFERS', message, {
    mend: `Stop this member, move ${dataFolder}/shard-${String(shard)} away, start it`,
    details: { shard, version: version ?? 0, minority: who },
  });
}
