/**
 * All shards of the cluster as this member uses them: those that it holds and those that it does
 * not; and what other members may use of its own.
 *
 * Thread: event loop.
 */
import { type Clock, FreshetError, type Random } from '../base/mod.ts';
import type { Group, MemberCore, PeerMessages } from '../group/mod.ts';
import { LocalShard } from './local-shard.ts';
import type { Crc32c } from './long-values.ts';
import { RemoteShard, serveShards } from './remote-shard.ts';
import { RoamingShard } from './roaming-shard.ts';
import type { ShardAccess } from './shard-access.ts';
import { SilentShard } from './silent-shard.ts';

export interface ClusterShardsOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly group: Group;
  readonly clock: Clock;
  readonly random: Random;
}

/** By number. Throws UNKNOWN_POOL: it was taken away with its subgroup. */
export type ClusterShards = (shard: number) => RoamingShard;

/** The group has to have opened its shards. Once a member. */
export function openClusterShards(options: ClusterShardsOptions): ClusterShards {
  const shards = new Map<number, RoamingShard>();
  const access = makeAccess(options, shards);
  void followViews(options.group, shards);
  serveShards(options.messages, onlyLocal(access, options.group), options.clock);
  return access;
}

/** A request of another member goes no further than here; its layout may be newer. */
function onlyLocal(access: ClusterShards, group: Group): (shard: number) => ShardAccess {
  return (shard) => {
    const found = group.layout.has(shard) ? access(shard).here : null;
    if (found === null) {
      throw new FreshetError('NOT_A_MEMBER', `This member does not hold shard ${String(shard)}`);
    }
    return found;
  };
}

/** To the shard where it runs: here if it does, or if it runs nowhere and has a place here. */
function makeAccess(
  { core, messages, group, clock, random }: ClusterShardsOptions,
  shards: Map<number, RoamingShard>,
): ClusterShards {
  const locals = new Map<number, LocalShard>();
  const silents = new Map<number, LocalShard>();
  const remotes = new Map<number, RemoteShard>();
  const elsewhere = (shard: number): RemoteShard =>
    getOrMake(remotes, shard, () => {
      const crc32c: Crc32c = (bytes, before) => core.addon.crc32c(bytes, before);
      return new RemoteShard(group.layout.shard(shard), { messages, group, clock, random, crc32c });
    });
  const here = (shard: number, sends: boolean): LocalShard => {
    const layout = group.layout.shard(shard);
    return sends
      ? getOrMake(locals, shard, () => new LocalShard(layout, core, group, clock))
      : getOrMake(silents, shard, () => {
          return new SilentShard(layout, core, group, clock, elsewhere(shard));
        });
  };
  return (shard) =>
    getOrMake(shards, shard, () => {
      if (!group.layout.has(shard)) throw group.stoppedError(shard, 'This was not done');
      const places = { group, clock, elsewhere: () => elsewhere(shard) };
      return new RoamingShard(shard, { ...places, here: (sends) => here(shard, sends) });
    });
}

/** Until the member closes. */
async function followViews(group: Group, shards: ReadonlyMap<number, RoamingShard>): Promise<void> {
  const views = group.watchView();
  for (let view = await views.next(); view.done !== true; view = await views.next()) {
    for (const shard of shards.values()) shard.onView();
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) {
    return found;
  }
  const made = make();
  map.set(key, made);
  return made;
}
