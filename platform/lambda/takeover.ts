/**
 * What of a shard a member has to look at again when the shard's members, and with them who acts on
 * which key, are others than before. It has passed over versions that were others' to act on: those
 * that a lost member had not finished, and those that one who stays had not come to, are for
 * whoever acts on their keys now.
 *
 * Everybody decides alike from what the others told of themselves while the members were those
 * before: too little at worst, so that something is done twice and nothing is left out. One that
 * went before it told anything, within a fifth of a second, is taken to have finished what this
 * member has.
 *
 * Thread: none; pure functions and plain data.
 */
import type { ShardPlace } from './arrivals.ts';

/** How far a member was with a shard. */
export interface Reach {
  /** Everything up to here that was its to act on is finished. */
  readonly done: number;
  /** It has looked at everything up to here: what is its to act on is finished, or under way. */
  readonly seen: number;
}

/** Up to `seen` this member has acted as one of the members of `place`. */
export interface Before {
  readonly place: ShardPlace;
  readonly seen: number;
  /** Of the others at that time; who told nothing is not in it. */
  readonly reached: ReadonlyMap<number, Reach>;
}

/** From where on a member has to look again; not beyond `mine`, how far it is itself. */
export function lookAgainFrom(before: Before, now: ShardPlace, mine: Reach): number {
  const others = before.place.members.filter((_, rank) => rank !== before.place.rank);
  const limits = others.map((node) => limitOf(before, now, node) ?? mine.done);
  return Math.min(mine.seen, ...limits);
}

/**
 * Whether a version up to `before.seen` whose key was `owner`'s to act on, another member's than
 * this, is to be acted on by whoever has its key now.
 */
export function isLeftOver(
  before: Before,
  now: ShardPlace,
  owner: number,
  version: number,
): boolean {
  return version > (limitOf(before, now, owner) ?? -1);
}

/** One who stays finishes what it has come to; of one who is gone only what it finished counts. */
function limitOf({ reached, seen }: Before, now: ShardPlace, node: number): number | null {
  const reach = reached.get(node);
  if (reach === undefined || reach.seen < reach.done) return null;
  return Math.min(seen, now.members.includes(node) ? reach.seen : reach.done);
}

export function haveSameMembers(a: ShardPlace, b: ShardPlace): boolean {
  return a.members.join() === b.members.join();
}
