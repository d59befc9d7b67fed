/** Why shards stand still, in words for people. */
import { type Clock, FreshetError } from '../base/mod.ts';
import type { EventStream } from './event-stream.ts';
import type { GroupView } from './group-view.ts';
import type { GroupStatus } from './machine-types.ts';

/**
 * `refusal`: why a shard may not go on here, whoever is there. `unlinked`: why members are not
 * connected, where that is known.
 */
export function explainStandstill(
  status: GroupStatus,
  refusal: FreshetError | null,
  unlinked: ReadonlyMap<number, string>,
): string {
  const { missing, problem, leader, refused } = status;
  if (refused && problem !== null) return problem;
  if (missing.length > 0) {
    const named = missing.map((node) => {
      const why = unlinked.get(node);
      return why === undefined ? String(node) : `${String(node)} (${why})`;
    });
    return `waiting for member ${named.join(', ')}`;
  }
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

export interface RunningOptions {
  readonly views: EventStream<GroupView>;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly refusal: () => FreshetError | null;
  readonly isClosed: () => boolean;
  /** As explainStandstill, now. */
  readonly explain: () => string;
}

/** Resolves once a view tells that all runs; rejects why a shard may not, or TIMEOUT, CLOSED. */
export async function awaitRunning(options: RunningOptions): Promise<void> {
  const { views, clock, timeoutMs } = options;
  const cancel = clock.after(timeoutMs, () => {
    views.end();
  });
  for await (const view of views) {
    const refusal = options.refusal();
    if (view.running || refusal !== null) {
      cancel();
      if (refusal !== null) throw refusal;
      return;
    }
  }
  if (options.isClosed()) {
    throw new FreshetError('CLOSED', 'The member was closed before its shards ran');
  }
  throw new FreshetError('TIMEOUT', `The shards do not run yet: ${options.explain()}`, {
    mend: 'Start the missing members, or wait longer',
  });
}
