import { FreshetError, limits, type Logger } from '../base/mod.ts';
import { catalogSubgroup, type Tenants } from '../group/mod.ts';
import { StoreArrivals } from './arrivals.ts';
import { Catalog } from './catalog.ts';
import type { CatalogDisk } from './catalog-disk.ts';
import { ClosedSubgroups } from './closed-subgroups.ts';
import {
  type ClusterShards,
  type ClusterShardsOptions,
  openClusterShards,
} from './cluster-shards.ts';
import { ObjectStore } from './object-store.ts';
import { StoreShardSource } from './shard-source.ts';
import { storeLimits } from './store-limits.ts';
import { TriggerRouter } from './trigger-router.ts';
import type { TriggerHandler } from './types.ts';

export interface MemberStoreOptions extends ClusterShardsOptions {
  readonly catalogDisk: CatalogDisk;
  readonly log: Logger;
  readonly maxClockSkewUs: number;
}

/** Everything of the store at one member, put together. */
export class MemberStore {
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly arrivals: StoreArrivals;
  readonly shardSource: StoreShardSource;
  /** Shards by number, without pools. */
  readonly access: ClusterShards;
  readonly #triggers: TriggerRouter;

  private constructor(options: MemberStoreOptions, catalog: Catalog, access: ClusterShards) {
    const { core, messages, group, clock, maxClockSkewUs } = options;
    this.catalog = catalog;
    this.access = access;
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

  /** The shards have to be open. */
  static async open(options: MemberStoreOptions): Promise<MemberStore> {
    const { group, clock, catalogDisk, log } = options;
    const access = openClusterShards(options);
    const [shard] = group.layout.subgroup(catalogSubgroup).shards;
    const catalog = await Catalog.open(access(shard?.shard ?? 0), catalogDisk, { clock, log });
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
    const call = { timeoutMs: limits.requestTimeoutMsDefault, signal: null };
    try {
      const { delivered } = await this.access(shard).frontier('local', call);
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
