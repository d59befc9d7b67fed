import {
  compareText,
  FreshetError,
  limits,
  type ScannedRecord,
  type ScanRequest,
  type ShardRef,
  type ShardSource,
} from '../base/mod.ts';
import { recordKinds } from '../bridge/mod.ts';
import { toObjectRecord } from './object-record.ts';
import type { ObjectStore } from './object-store.ts';
import {
  plainScan,
  type ScanPage,
  type ShardAccess,
  type ShardCallLimits,
  type ShardScan,
} from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

/** A shard of a pool: its place among the pool's shards, and its number in the cluster. */
export interface PlacedShard extends ShardRef {
  readonly shard: number;
}

/** Scans of the shards of a pool, here or at another member, for queries. */
export class StoreShardSource implements ShardSource {
  readonly #store: ObjectStore;
  readonly #access: (shard: number) => ShardAccess;

  constructor(store: ObjectStore, access: (shard: number) => ShardAccess) {
    this.#store = store;
    this.#access = access;
  }

  /** Rejects UNKNOWN_POOL. */
  async shards(pool: string): Promise<readonly PlacedShard[]> {
    const { shards } = await this.#store.newestPool(pool);
    return shards.map((shard, index) => ({ index, shard }));
  }

  async *scan(
    ref: ShardRef,
    request: ScanRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ScannedRecord[], undefined> {
    const shard = this.#access((ref as Partial<PlacedShard>).shard ?? 0);
    const call = { timeoutMs: limits.requestTimeoutMsMax, signal };
    const byEvent = request.atTime !== null && request.atAxis === 'event';
    if (!byEvent) {
      yield* this.#scanCommitted(shard, request, call);
    } else if (request.kind === 'versions') {
      yield* this.#scanByEventTime(shard, request, call);
    } else {
      yield* this.#scanObjectsByEventTime(shard, request, call);
    }
    return undefined;
  }

  async *#scanCommitted(
    shard: ShardAccess,
    request: ScanRequest,
    call: ShardCallLimits,
  ): AsyncGenerator<readonly ScannedRecord[], undefined> {
    const toVersion = await cutOf(shard, request, call);
    const scan = toScan(request, toVersion, request.limit ?? Infinity);
    for await (const page of pages(shard, scan, call)) {
      yield toScanned(page, request.wantValues);
    }
    return undefined;
  }

  /** Records count with their event time, those without one with their commit time. */
  async *#scanByEventTime(
    shard: ShardAccess,
    request: ScanRequest,
    call: ShardCallLimits,
    wantRemoved = false,
  ): AsyncGenerator<readonly ScannedRecord[], undefined> {
    const at = request.atTime ?? Infinity;
    let left = request.limit ?? Infinity;
    const scan = { ...toScan(request, request.toVersion ?? Infinity, Infinity), wantRemoved };
    for await (const page of pages(shard, scan, call)) {
      const isWanted = page.records.map(
        ({ head }) => eventTimeOf(head) <= at && head.kind !== recordKinds.trigger,
      );
      const scanned = toScanned(page, request.wantValues);
      const taken = scanned.filter((_, nth) => isWanted[nth]).slice(0, left);
      left -= taken.length;
      if (taken.length > 0) {
        yield taken;
      }
      if (left <= 0) {
        break;
      }
    }
    return undefined;
  }

  /** The newest of each key within the cut has to be known before any can be given. */
  async *#scanObjectsByEventTime(
    shard: ShardAccess,
    request: ScanRequest,
    call: ShardCallLimits,
  ): AsyncGenerator<readonly ScannedRecord[], undefined> {
    if (request.program !== null) {
      throw new FreshetError('UNSUPPORTED', 'A filter of objects as of an event time', {
        mend: 'Filter versions(), or say .local() before the filter',
      });
    }
    const newest = new Map<string, ScannedRecord>();
    // Bounds are for what a key is at the cut; an older version does not take its place.
    const versions = {
      ...request,
      kind: 'versions',
      fromVersion: null,
      fromTime: null,
      reverse: false,
      limit: null,
    } as const;
    for await (const batch of this.#scanByEventTime(shard, versions, call, true)) {
      for (const record of batch) {
        const known = newest.get(record.key);
        // Versions rise along the scan, event times need not.
        if (known === undefined || eventTimeOf(known) <= eventTimeOf(record)) {
          newest.set(record.key, record);
        }
      }
      if (newest.size > storeLimits.eventCutKeys) {
        const most = String(storeLimits.eventCutKeys);
        throw new FreshetError('INVALID_QUERY', `More than ${most} keys at an event time`, {
          mend: 'Give a narrower prefix',
        });
      }
    }
    const fromVersion = request.fromVersion ?? plainScan.fromVersion;
    const fromTime = request.fromTime ?? plainScan.fromTime;
    const present = [...newest.values()].filter(
      ({ removed, version, time }) => !removed && version >= fromVersion && time >= fromTime,
    );
    const sign = request.reverse ? -1 : 1;
    present.sort((a, b) => sign * compareText(a.key, b.key));
    const { limit } = request;
    const size = limits.pageObjectsDefault;
    const wanted = limit === null ? present : present.slice(0, limit);
    for (let start = 0; start < wanted.length; start += size) {
      yield wanted.slice(start, start + size);
    }
    return undefined;
  }
}

/** A record without an event time counts with its commit time. */
function eventTimeOf({ eventTime, time }: Pick<ScannedRecord, 'eventTime' | 'time'>): number {
  return eventTime ?? time;
}

async function cutOf(
  shard: ShardAccess,
  request: ScanRequest,
  call: ShardCallLimits,
): Promise<number> {
  const { atTime, toVersion } = request;
  const byTime =
    atTime === null ? Infinity : await shard.versionAtTime(atTime, plainScan.read, call);
  return Math.min(byTime, toVersion ?? Infinity);
}

function toScan(request: ScanRequest, toVersion: number, limit: number): ShardScan {
  const { kind, prefix, fromVersion, fromTime, reverse, wantValues, program } = request;
  return {
    ...plainScan,
    kind,
    prefix,
    fromVersion: fromVersion ?? plainScan.fromVersion,
    toVersion,
    fromTime: fromTime ?? plainScan.fromTime,
    reverse,
    limit,
    wantValues,
    program,
    withPrevious: true,
  };
}

async function* pages(
  shard: ShardAccess,
  scan: ShardScan,
  call: ShardCallLimits,
): AsyncGenerator<ScanPage, undefined> {
  let resume: Uint8Array | null = null;
  do {
    if (call.signal?.aborted === true) {
      throw new FreshetError('CANCELLED', 'The scan was given up');
    }
    const page: ScanPage = await shard.scan(scan, resume, call);
    if (page.records.length > 0) {
      yield page;
    }
    ({ resume } = page);
  } while (resume !== null);
  return undefined;
}

function toScanned({ records, previous }: ScanPage, wantValue: boolean): ScannedRecord[] {
  return records.map((record, nth) => {
    const before = previous[nth] ?? null;
    return toObjectRecord(record, before, wantValue);
  });
}
