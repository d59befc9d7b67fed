import path from 'node:path';
import { type Clock, FreshetError, type Logger, type Random } from '../base/mod.ts';
import { catalogSubgroup, type Group, type MemberCore, type PeerMessages } from '../group/mod.ts';
import { StoreArrivals } from './arrivals.ts';
import { Catalog } from './catalog.ts';
import { DemotableShard } from './demotable-shard.ts';
import { LocalShard } from './local-shard.ts';
import { SilentShard } from './silent-shard.ts';
import { ObjectStore } from './object-store.ts';
import { RemoteShard, serveShards } from './remote-shard.ts';
import type { ShardAccess } from './shard-access.ts';
import { StoreShardSource } from './shard-source.ts';
import { TriggerRouter } from './trigger-router.ts';
import type { TriggerHandler } from './types.ts';

export interface MemberStoreOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly group: Group;
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly maxClockSkewUs: number;
}

/** Everything of the store at one member, put together. */
export class MemberStore {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly arrivals: StoreArrivals;
  readonly shardSource: StoreShardSource;
  readonly #triggers: TriggerRouter;

  private constructor(options: MemberStoreOptions, catalog: Catalog, access: Access) {
    const { core, messages, group, clock, maxClockSkewUs } = options;
    this.catalog = catalog;
    this.#triggers = new TriggerRouter(messages, group, clock, core.nodeId);
    this.objects = new ObjectStore({
      core,
      group,
      catalog,
      triggers: this.#triggers,
      access,
      clock,
      maxClockSkewUs,
    });
    this.arrivals = new StoreArrivals(this.objects, core, group);
    this.shardSource = new StoreShardSource(this.objects, access);
  }

  /** The shards have to be open. Throws DATA_IN_USE, DISK_FAILED. */
  static async open(options: MemberStoreOptions): Promise<MemberStore> {
    const { group, messages, clock, dataFolder, log } = options;
    const access = makeAccess(options);
    serveShards(messages, onlyLocal(access), (delayMs, run) => {
      clock.after(delayMs, run);
    });
    const [shard] = group.layout.subgroup(catalogSubgroup).shards;
    const catalog = await Catalog.open(
      access(shard?.shard ?? 0),
      path.join(dataFolder, 'catalog'),
      { clock, log },
    );
    const store = new MemberStore(options, catalog, access);
    catalog.follow();
    return store;
  }

  /** Who takes trigger puts that arrive here; null: nobody. */
  onTrigger(handler: TriggerHandler | null): void {
    this.#triggers.setHandler(handler);
  }

  async close(): Promise<void> {
    await this.catalog.close();
  }
}

type Access = (shard: number) => ShardAccess;

/** A request of another member goes no further than here. */
function onlyLocal(access: Access): Access {
  return (shard) => {
    const asked = access(shard);
    const found = asked instanceof DemotableShard ? asked.here() : asked;
    if (!(found instanceof LocalShard)) {
      throw new FreshetError('NOT_A_MEMBER', `This member does not hold shard ${String(shard)}`);
    }
    return found;
  };
}

/** To the shard where it runs: here if it does, or if it runs nowhere and this member holds it. */
function makeAccess({ core, messages, group, clock, random }: MemberStoreOptions): Access {
  const locals = new Map<number, ShardAccess>();
  const remotes = new Map<number, ShardAccess>();
  return (shard) => {
    const layout = group.layout.shard(shard);
    const remote = (): RemoteShard => new RemoteShard(layout, messages, group, clock, random);
    const rank = layout.members.indexOf(core.nodeId);
    if (rank < 0 || group.runsElsewhere) {
      return getOrMake(remotes, shard, remote);
    }
    return getOrMake(locals, shard, () => {
      const local = layout.senders.includes(rank)
        ? new LocalShard(layout, core, group, clock)
        : new SilentShard(layout, core, group, clock, remote());
      const isDemotable = layout.slowMember.policy === 'demote';
      return isDemotable ? new DemotableShard(local, remote(), group) : local;
    });
  };
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
