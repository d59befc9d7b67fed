import {
  FreshetError,
  type GetRequest,
  type Meta,
  type ObjectRecord,
  type Position,
  toFreshetError,
} from '../base/mod.ts';
import {
  type EventShare,
  type Group,
  type MemberCore,
  readRecord,
  type ShardLayout,
} from '../group/mod.ts';
import { LocalFeed, newestShown } from './local-feed.ts';
import type { ObjectStore } from './object-store.ts';
import { readOne } from './read-one.ts';
import type { FeedEvent } from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

/**
 * What lambdas get their work from: changes under a prefix in the shards that this member holds.
 */
export interface StoredArrival {
  readonly kind: 'put' | 'trigger' | 'remove';
  readonly shard: number;
  readonly key: string;
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
  readonly eventTime: number | null;
  /** null: the first of its key, or no longer kept; an ordered trigger has none. */
  readonly previousVersionOfKey: number | null;
  readonly meta: Meta;
  readonly bytes: Uint8Array | null;
  /** Of raw delivery: version and epoch are places at this member alone. */
  readonly raw: boolean;
}

export interface ArrivalRequest {
  readonly shard: number;
  readonly prefix: string;
  /** First version wanted. */
  readonly from: number;
  /** At delivery already, on a persistent pool too. */
  readonly eager: boolean;
  /** The keys that this member acts on; null: all. The others may come a little later. */
  readonly share: EventShare | null;
}

/** This member's place among those of a shard. */
export interface ArrivalPlace {
  readonly shard: number;
  readonly rank: number;
  readonly size: number;
  /** Node ids in rank order. */
  readonly members: readonly number[];
  readonly raw: boolean;
}

export class StoreArrivals {
  readonly #store: ObjectStore;
  readonly #core: MemberCore;
  readonly #group: Group;

  constructor(store: ObjectStore, core: MemberCore, group: Group) {
    this.#store = store;
    this.#core = core;
    this.#group = group;
  }

  /** For reading values in worker threads of this process. */
  get memberKey(): number {
    return this.#core.addon.memberKey(this.#core.handle);
  }

  /** Shards held here of the pool that `prefix` is or lies in; none when there is no such pool. */
  places(prefix: string): readonly ArrivalPlace[] {
    const { directory } = this.#store;
    const { layout } = this.#group;
    const pool = directory.get(prefix) ?? directory.find(prefix);
    return (pool?.shards ?? [])
      .map((shard) => ({ shard, members: this.#group.holders(shard) }))
      .filter(({ members }) => members.includes(this.#core.nodeId))
      .map(({ shard, members }) => ({
        shard,
        rank: members.indexOf(this.#core.nodeId),
        size: members.length,
        members,
        raw: layout.has(shard) && layout.shard(shard).delivery === 'raw',
      }));
  }

  /** The newest version applied here, and the epoch that runs (0: none). */
  newest(shard: number): Position {
    return {
      epoch: this.#group.runningEpoch(shard),
      version: newestShown(this.#core, shard, false),
    };
  }

  /**
   * The epoch in which a version was made, as far as memory tells; null: unknown, or no such
   * version.
   */
  epochOf(shard: number, version: number): number | null {
    const bytes = readOne(this.#core, shard, version, false);
    return bytes === null ? null : readRecord(bytes, 0).head.epoch;
  }

  /** Ends with NOT_A_MEMBER where the shard is not held here, as when it leaves later. */
  subscribe(
    request: ArrivalRequest,
    onArrivals: (arrivals: readonly StoredArrival[]) => void,
    onEnd: (error: FreshetError) => void,
  ): { close(): void } {
    const layout = this.#heldShard(request.shard);
    if (layout === null) return endSoon(notHeld(request.shard), onEnd);
    const { from, share } = request;
    const prefix = `${request.prefix}/`;
    const frontier = request.eager ? 'delivered' : 'persisted';
    // Who is behind goes on with what is there.
    const rules = { whenCurrent: () => Promise.resolve(), passesGaps: true, shares: true };
    const feed = new LocalFeed(this.#core, layout, { prefix, from, frontier, share }, rules);
    const state = { open: true };
    const run = async (): Promise<void> => {
      try {
        while (state.open) {
          const events = await feed.next(storeLimits.feedBatchRecords);
          if (isOpen(state)) {
            onArrivals(events.map((event) => toArrival(layout, event)));
          }
        }
      } catch (caught) {
        if (isOpen(state)) {
          state.open = false;
          feed.close();
          onEnd(toFreshetError(caught));
        }
      }
    };
    void run();
    return {
      close: () => {
        state.open = false;
        feed.close();
      },
    };
  }

  /** Everything up to `version` has been taken in; admission of changes looks at it. */
  setDispatched(shard: number, version: number): void {
    this.#core.addon.setDispatched(this.#core.handle, shard, version);
  }

  /** As `get` of the store; a large value may be one that others read too: not to be written to. */
  async getShared(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#store.getShared(request);
  }

  /** By which number a worker thread opens what these bytes lie in; null: in nothing shared. */
  sharedAt(bytes: Uint8Array): number | null {
    const { addon, handle } = this.#core;
    // Of a large record most is value.
    if (2 * bytes.byteLength < storeLimits.sharedRecordBytes) return null;
    return addon.sharedAt(handle, bytes) || null;
  }

  hash(key: string): bigint {
    return this.#store.placement.hash(key);
  }

  #heldShard(shard: number): ShardLayout | null {
    const { layout } = this.#group;
    const isHeld = this.#group.holders(shard).includes(this.#core.nodeId);
    return isHeld && layout.has(shard) ? layout.shard(shard) : null;
  }
}

/** Not before who subscribes has what it can close. */
function endSoon(error: FreshetError, onEnd: (error: FreshetError) => void): { close(): void } {
  const state = { open: true };
  queueMicrotask(() => {
    if (state.open) onEnd(error);
  });
  return {
    close: () => {
      state.open = false;
    },
  };
}

function notHeld(shard: number): FreshetError {
  return new FreshetError('NOT_A_MEMBER', `This member does not hold shard ${String(shard)}`);
}

/** It may have been closed while something was awaited. */
function isOpen(state: { readonly open: boolean }): boolean {
  return state.open;
}

function toArrival({ shard, delivery }: ShardLayout, { kind, object }: FeedEvent): StoredArrival {
  const { key, version, epoch, time, eventTime, previousVersionOfKey, meta, value } = object;
  const place = { key, version, epoch, time, eventTime, previousVersionOfKey };
  return { kind, shard, ...place, meta, bytes: value, raw: delivery === 'raw' };
}
