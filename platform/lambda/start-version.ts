/**
 * From where a stage reads a shard that it has not read in this process.
 *
 * Thread: none; pure functions and plain data.
 */
import type { Position } from '../base/mod.ts';

export interface StartPlaces {
  /** Of raw delivery: versions are counted by each member for itself, since its process began. */
  readonly raw: boolean;
  /** How far this member was with it; null: it has not read it yet. */
  readonly mine: Position | null;
  /** Where the shard stood when the pipeline was deployed; null: not known. */
  readonly deployedAt: Position | null;
  /** What is here now, and the epoch that runs. */
  readonly newest: Position;
  /** The epoch in which a version was made; null: unknown, or no such version. */
  readonly epochOf: (version: number) => number | null;
}

/**
 * The version after which to begin. A place in a history that is gone (a volatile shard of which no
 * member was left, or what came to a process before) means the beginning of the one that is here.
 * Of raw delivery a place at another member says only whether the pipeline was there before.
 */
export function startVersion({ raw, mine, deployedAt, newest, epochOf }: StartPlaces): number {
  const start = mine ?? deployedAt ?? newest;
  if (raw && mine === null) return start.epoch < newest.epoch ? 0 : newest.version;
  const epoch = epochOf(start.version);
  const isGone = start.version > newest.version || (epoch !== null && epoch > start.epoch);
  return isGone ? 0 : start.version;
}
