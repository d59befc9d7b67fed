import type { Reach } from './takeover.ts';

/** How far a stage is with a shard, as it tells the shard's other members. */
export interface StageReach extends Reach {
  readonly stage: string;
}

/** So many memberships of a shard are remembered, those told of last. */
const membershipsKept = 4;

/**
 * What the other members told of their stages, by shard and by the members that the shard had: what
 * was told later, as one of other members, says nothing of what one of these had taken on.
 *
 * Thread: event loop.
 */
export class Reaches {
  /** shard → members → stage → node. */
  readonly #told = new Map<number, Map<string, Map<string, Map<number, Reach>>>>();

  note(
    from: number,
    shard: number,
    members: readonly number[],
    reaches: readonly StageReach[],
  ): void {
    const ofShard = getOrMake(this.#told, shard);
    const ofMembers = getOrMake(ofShard, members.join());
    // Behind the others: a shard may have the members again that it had before.
    ofShard.delete(members.join());
    ofShard.set(members.join(), ofMembers);
    for (const { stage, done, seen } of reaches) {
      getOrMake(ofMembers, stage).set(from, { done, seen });
    }
    const [oldest] = ofShard.keys();
    if (ofShard.size > membershipsKept && oldest !== undefined) ofShard.delete(oldest);
  }

  of(shard: number, members: readonly number[], stage: string): ReadonlyMap<number, Reach> {
    return this.#told.get(shard)?.get(members.join())?.get(stage) ?? new Map<number, Reach>();
  }
}

function getOrMake<Key, InnerKey, Value>(
  map: Map<Key, Map<InnerKey, Value>>,
  key: Key,
): Map<InnerKey, Value> {
  const found = map.get(key) ?? new Map<InnerKey, Value>();
  map.set(key, found);
  return found;
}
