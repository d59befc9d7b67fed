import path from 'node:path';
import { type Clock, FreshetError, type Logger, type Random } from '../base/mod.ts';
import {
  catalogSubgroup,
  type Group,
  type MemberCore,
  type PeerMessages,
  type Tenants,
} from '../group/mod.ts';
import { StoreArrivals } from './arrivals.ts';
import { Catalog } from './catalog.ts';
import { ClosedSubgroups } from './closed-subgroups.ts';
import { LocalShard } from './local-shard.ts';
import { SilentShard } from './silent-shard.ts';
import { ObjectStore } from './object-store.ts';
import { RemoteShard, serveShards } from './remote-shard.ts';
import { RoamingShard } from './roaming-shard.ts';
import type { ShardAccess } from './shard-access.ts';
import { StoreShardSource } from './shard-source.ts';
import { storeLimits } from './store-limits.ts';
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
  readonly #access: Access;

  private constructor(options: MemberStoreOptions, catalog: Catalog, access: Access) {
    const { core, messages, group, clock, maxClockSkewUs } = options;
    this.catalog = catalog;
    this.#access = access;
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
    const shards = new Map<number, RoamingShard>();
    const access = makeAccess(options, shards);
    void followViews(group, shards);
    serveShards(messages, onlyLocal(access, group), clock);
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

  /** For the group: what lives in its subgroups. */
  get tenants(): Tenants {
    const { objects, catalog } = this;
    const closed = new ClosedSubgroups(catalog, objects.directory);
    return {
      poolsIn: (subgroup) => objects.directory.namesIn(subgroup),
      catchUp: () => catalog.catchUp(storeLimits.tenantsWaitMs),
      close: (closing) => closed.close(closing),
    };
  }

  /** The newest version of a shard, wherever it runs; 0: nobody can tell. */
  async newestVersion(shard: number): Promise<number> {
    try {
      const { delivered } = await this.#access(shard).frontier();
      return delivered;
    } catch (caught) {
      if (caught instanceof FreshetError) return 0;
      throw caught;
    }
  }

  /** Who takes trigger puts that arrive here; null: nobody. */
  onTrigger(handler: TriggerHandler | null): void {
    this.#triggers.setHandler(handler);
  }

  async close(): Promise<void> {
    await this.catalog.close();
  }
}

type Access = (shard: number) => RoamingShard;

/** A request of another member goes no further than here; its layout may be newer. */
function onlyLocal(access: Access, group: Group): (shard: number) => ShardAccess {
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
  { core, messages, group, clock, random }: MemberStoreOptions,
  shards: Map<number, RoamingShard>,
): Access {
  const locals = new Map<number, LocalShard>();
  const silents = new Map<number, LocalShard>();
  const remotes = new Map<number, RemoteShard>();
  const elsewhere = (shard: number): RemoteShard =>
    getOrMake(remotes, shard, () => {
      return new RemoteShard(group.layout.shard(shard), messages, group, clock, random);
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
