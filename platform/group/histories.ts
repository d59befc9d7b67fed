/** Comparing what the members of a shard applied, by the digests that they keep. */
import type { MemberVerdictName } from '../base/mod.ts';
import type { Checkpoint, History } from './log-calls.ts';

type Verdict = Extract<MemberVerdictName, 'same' | 'differs' | 'unknown'>;

export interface Comparison {
  /** The newest point that all have; null: there is none. */
  readonly version: number | null;
  readonly digests: ReadonlyMap<number, string>;
  readonly verdicts: ReadonlyMap<number, Verdict>;
  /** Members that have to stop: those outside a strict majority of `members`, or all. */
  readonly minority: readonly number[];
}

/**
 * Compares at the newest point that every given history has: where a history ends, or a checkpoint.
 * `memberCount` is the size of the shard, of which a majority is one.
 */
export function compareHistories(
  histories: ReadonlyMap<number, History>,
  memberCount: number,
): Comparison {
  const nodes = [...histories.keys()];
  const points = new Map([...histories].map(([node, history]) => [node, pointsOf(history)]));
  const point = newestCommon([...points.values()]);
  const digests = new Map<number, string>();
  const votes = new Map<string, number>();
  for (const [node, mine] of points) {
    const digest = point === null ? undefined : mine.get(keyOf(point))?.digest;
    if (digest !== undefined) {
      digests.set(node, digest);
      votes.set(digest, (votes.get(digest) ?? 0) + 1);
    }
  }
  const right = [...votes].find(([, count]) => count > memberCount / 2)?.[0];
  const isOne = votes.size <= 1;
  const minority = isOne ? [] : nodes.filter((node) => digests.get(node) !== right);
  const verdictOf = (node: number): Verdict => {
    if (!digests.has(node)) return 'unknown';
    return minority.includes(node) ? 'differs' : 'same';
  };
  return {
    version: point?.version ?? null,
    digests,
    verdicts: new Map(nodes.map((node) => [node, verdictOf(node)])),
    minority,
  };
}

function pointsOf({ end, checkpoints }: History): ReadonlyMap<string, Checkpoint> {
  return new Map([...checkpoints, end].map((point) => [keyOf(point), point]));
}

function newestCommon(histories: readonly ReadonlyMap<string, Checkpoint>[]): Checkpoint | null {
  const [first, ...others] = histories;
  let newest: Checkpoint | null = null;
  for (const [key, point] of first ?? []) {
    const isCommon = others.every((points) => points.has(key));
    if (isCommon && (newest === null || isAfter(point, newest))) newest = point;
  }
  return newest;
}

function isAfter(a: Checkpoint, b: Checkpoint): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);
}

function keyOf({ epoch, sequence }: Checkpoint): string {
  return `${String(epoch)}/${String(sequence)}`;
}
