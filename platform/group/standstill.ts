/** Why shards stand still, in words for people. */
import { FreshetError } from '../base/mod.ts';
import type { GroupStatus } from './machine-types.ts';

/** `refusal`: why a shard may not go on here, whoever is there. */
export function explainStandstill(status: GroupStatus, refusal: FreshetError | null): string {
  const { missing, problem, leader } = status;
  if (missing.length > 0) return `waiting for member ${missing.map(String).join(', ')}`;
  const starts = `member ${String(leader)} is taking all members through the start`;
  return refusal?.message ?? problem ?? starts;
}

export interface StoppedShard {
  readonly shard: number;
  /** Members that have it, and how many it needs. */
  readonly held: number;
  readonly min: number;
}

/** SHARD_STOPPED with whom the shard waits for. `what` could not be done; `why`, in words. */
export function stoppedError(
  { shard, held, min }: StoppedShard,
  what: string,
  { view, missing }: GroupStatus,
  why: string,
): FreshetError {
  const isFew = view > 0 && held < min;
  const few = isFew ? ` with ${String(held)} of the ${String(min)} members it needs` : '';
  const gone = missing.map(String).join(', ');
  return new FreshetError(
    'SHARD_STOPPED',
    `${what}: shard ${String(shard)} stands still${few}, ${why}`,
    {
      ...(gone === '' ? {} : { mend: `Start member ${gone} again` }),
      details: { shard, missing: gone },
    },
  );
}

/** UNKNOWN_POOL: no pool lives in it any more. `what` could not be done. */
export function takenAwayError(shard: number, what: string): FreshetError {
  const text = `${what}: shard ${String(shard)} was taken away with its subgroup`;
  return new FreshetError('UNKNOWN_POOL', text, {
    mend: 'Use a pool of a subgroup that there is (freshet layout show)',
    details: { shard },
  });
}
