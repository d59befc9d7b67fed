/**
 * Changes of any key: checks them, finds pool and shard, and makes them here or has them made at
 * another member. What is known and held here goes without a promise on its way.
 *
 * Thread: event loop.
 */
import {
  type CallLimits,
  checkRaw,
  type Clock,
  FreshetError,
  type ObjectChange,
  type OutcomeSink,
  type PutOutcome,
  type PutRequest,
  settleIn,
  toChange,
  toFreshetError,
} from '../base/mod.ts';
import type { Placement } from '../bridge/mod.ts';
import type { Group } from '../group/mod.ts';
import type { Catalog } from './catalog.ts';
import type { KeyPlace, KeyPlaces } from './key-places.ts';
import type { PoolInfo } from './pool.ts';
import type { PoolDirectory } from './pool-directory.ts';
import type { PoolManager } from './pool-manager.ts';
import { callLimits } from './call-limits.ts';
import type { MadeChange, ShardAccess, ShardCallLimits, ShardChange } from './shard-access.ts';

export interface ObjectChangesOptions {
  readonly group: Group;
  readonly catalog: Catalog;
  readonly directory: PoolDirectory;
  readonly placement: Placement;
  readonly places: KeyPlaces;
  readonly pools: PoolManager;
  readonly access: (shard: number) => ShardAccess;
  /** Of a key, waiting for the catalog where that is needed; rejects UNKNOWN_POOL. */
  readonly poolOf: (key: string, call: CallLimits) => Promise<PoolInfo>;
  readonly clock: Clock;
}

/** What is asked of a key; a remove has no value. */
export type ChangeRequest = Omit<PutRequest, 'value'> & Partial<Pick<PutRequest, 'value'>>;

/** One object stands for a change until it has ended. */
class AskedChange implements MadeChange {
  readonly kind: ObjectChange['kind'];
  readonly request: ChangeRequest;
  readonly shard: ShardAccess;
  readonly change: ShardChange;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | null;
  readonly #owner: ObjectChanges;
  readonly #sink: OutcomeSink;
  readonly #nth: number;

  constructor(
    owner: ObjectChanges,
    kind: ObjectChange['kind'],
    request: ChangeRequest,
    place: KeyPlace,
    nowMs: number,
    sink: OutcomeSink,
    nth: number,
  ) {
    const { timeoutMs, signal } = callLimits(request, request.value?.byteLength ?? 0);
    this.kind = kind;
    this.request = request;
    this.shard = place.shard;
    this.change = owner.changeOf(kind, request, place.pool);
    this.deadlineMs = nowMs + timeoutMs;
    this.signal = signal;
    this.#owner = owner;
    this.#sink = sink;
    this.#nth = nth;
  }

  settle(outcome: PutOutcome): void {
    if (outcome instanceof FreshetError && isTriedAgain(outcome)) {
      void this.#owner.again(this, outcome).then((later) => {
        settleIn(this.#sink, this.#nth, later);
      });
    } else {
      settleIn(this.#sink, this.#nth, outcome);
    }
  }
}

/** It was not made: the shard is elsewhere by now, or did not know the pool. */
function isTriedAgain({ code }: FreshetError): boolean {
  return code === 'NOT_A_MEMBER' || code === 'UNKNOWN_POOL';
}

export class ObjectChanges {
  readonly #options: ObjectChangesOptions;

  constructor(options: ObjectChangesOptions) {
    this.#options = options;
  }

  /**
   * In order, as far as they go to one shard; `sink` may hear of some before this returns. `isBatch`:
   * they are one caller's, and no more than a batch may have, so that one message takes them to
   * another member; else each goes by itself, as long as its own caller waits.
   */
  make(
    kind: ObjectChange['kind'],
    requests: readonly ChangeRequest[],
    sink: OutcomeSink,
    isBatch = false,
  ): void {
    const nowMs = this.#options.clock.monotonicMs();
    const groups = new Map<ShardAccess, AskedChange[]>();
    let group: AskedChange[] = [];
    let shard: ShardAccess | null = null;
    requests.forEach((request, nth) => {
      const made = kind === 'put' && request.store === false ? 'trigger' : kind;
      const asked = this.#ask(made, request, nowMs, sink, nth);
      if (asked === null) return;
      if (asked.shard !== shard) {
        shard = asked.shard;
        group = groups.get(shard) ?? [];
        groups.set(shard, group);
      }
      group.push(asked);
    });
    for (const [access, changes] of groups) {
      if (this.#begin(access, changes)) continue;
      if (isBatch) void this.#makeTogether(access, changes);
      else for (const asked of changes) void this.#makeAlone(asked);
    }
  }

  /** Throws what is wrong with it. */
  changeOf(kind: ObjectChange['kind'], request: ChangeRequest, pool: PoolInfo): ShardChange {
    if (request.expect !== undefined) checkRaw(pool, request, this.isRaw(pool));
    return toChange(kind, request, pool);
  }

  isRaw({ shards }: PoolInfo): boolean {
    const { layout } = this.#options.group;
    return shards.some((shard) => layout.has(shard) && layout.shard(shard).delivery === 'raw');
  }

  /** Never rejects. */
  async again(asked: AskedChange, failed: FreshetError): Promise<PutOutcome> {
    const { shard, change } = asked;
    const outcome =
      failed.code === 'UNKNOWN_POOL'
        ? failed
        : await asOutcome(shard.put(change, this.#left(asked)));
    const isUnknown = outcome instanceof FreshetError && outcome.code === 'UNKNOWN_POOL';
    return isUnknown ? asOutcome(this.#repaired(asked)) : outcome;
  }

  /** The shard did not know the pool: its rules were lost, or the key has another pool by now. */
  async #repaired(asked: AskedChange): ReturnType<ShardAccess['put']> {
    const { catalog, directory, placement, pools, access } = this.#options;
    const { kind, request } = asked;
    await catalog.catchUp(this.#left(asked).timeoutMs);
    const pool = directory.find(request.key);
    if (pool === null) throw directory.unknown(request.key);
    const shard = placement.shardOf(pool, request.key);
    await pools.repair(pool, shard, this.#left(asked));
    return access(shard).put(this.changeOf(kind, request, pool), this.#left(asked));
  }

  /** null: what becomes of it is told later, or was. */
  #ask(
    kind: ObjectChange['kind'],
    request: ChangeRequest,
    nowMs: number,
    sink: OutcomeSink,
    nth: number,
  ): AskedChange | null {
    try {
      checkValue(kind, request);
      const place = this.#options.places.of(request.key);
      if (place !== null) return new AskedChange(this, kind, request, place, nowMs, sink, nth);
      void this.#askLater(kind, request, nowMs, sink, nth);
    } catch (caught) {
      settleIn(sink, nth, toFreshetError(caught));
    }
    return null;
  }

  /** Another member may have made its pool a moment ago. */
  async #askLater(
    kind: ObjectChange['kind'],
    request: ChangeRequest,
    nowMs: number,
    sink: OutcomeSink,
    nth: number,
  ): Promise<void> {
    const { poolOf, access, placement } = this.#options;
    let asked: AskedChange;
    try {
      const pool = await poolOf(request.key, request);
      const place = { pool, shard: access(placement.shardOf(pool, request.key)) };
      asked = new AskedChange(this, kind, request, place, nowMs, sink, nth);
    } catch (caught) {
      settleIn(sink, nth, toFreshetError(caught));
      return;
    }
    if (!this.#begin(asked.shard, [asked])) await this.#makeAlone(asked);
  }

  /** false: they are not made here. */
  #begin(shard: ShardAccess, changes: readonly AskedChange[]): boolean {
    try {
      return shard.begin(changes);
    } catch (caught) {
      // None was begun: one of them cannot be told to the native side.
      const error = toFreshetError(caught);
      for (const asked of changes) asked.settle(error);
      return true;
    }
  }

  async #makeAlone(asked: AskedChange): Promise<void> {
    asked.settle(await asOutcome(asked.shard.put(asked.change, this.#left(asked))));
  }

  /** What happens to one shard is no matter of the others. */
  async #makeTogether(shard: ShardAccess, changes: readonly AskedChange[]): Promise<void> {
    const [first] = changes;
    if (first === undefined) return;
    let outcomes: readonly PutOutcome[];
    try {
      outcomes = await shard.putMany(
        changes.map(({ change }) => change),
        this.#left(first),
      );
    } catch (caught) {
      const error = toFreshetError(caught);
      outcomes = changes.map(() => error);
    }
    changes.forEach((asked, nth) => {
      asked.settle(outcomes[nth] as PutOutcome);
    });
  }

  #left({ deadlineMs, signal }: MadeChange): ShardCallLimits {
    return { timeoutMs: Math.max(1, deadlineMs - this.#options.clock.monotonicMs()), signal };
  }
}

/** Of a program without types: memory that is laid out for the native side is used again. */
function checkValue(kind: ObjectChange['kind'], { key, value }: ChangeRequest): void {
  const isMissing = value === undefined && kind !== 'remove';
  if (!isMissing && (value === undefined || value instanceof Uint8Array)) return;
  const text = `The value of ${key} is no Uint8Array`;
  throw new FreshetError('INVALID_ARGUMENT', text, { details: { key } });
}

async function asOutcome(result: ReturnType<ShardAccess['put']>): Promise<PutOutcome> {
  try {
    return await result;
  } catch (caught) {
    return toFreshetError(caught);
  }
}
