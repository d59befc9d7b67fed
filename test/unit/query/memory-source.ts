import {
  compareText,
  type ScannedRecord,
  type ScanRequest,
  type ShardRef,
  type ShardSource,
  type TimeAxis,
} from '../../../platform/base/mod.ts';
import { nativeFilter } from '../../../platform/expression/mod.ts';

/** A record as the log of a shard has it: removals have no value. */
export interface LogRecord extends ScannedRecord {
  readonly removed: boolean;
}

export interface MemoryOptions {
  readonly batchSize: number;
  /** Whether removals count against the limit of a scan; the contract leaves it open. */
  readonly limitCountsRemovals: boolean;
  readonly honoursFromTime: boolean;
}

/** The scan contract over arrays: the reference for other sources. */
export class MemorySource implements ShardSource {
  readonly requests: ScanRequest[] = [];
  /** Batches that were asked for, and scans that are still open. */
  batchesGiven = 0;
  open = 0;
  readonly #shards: readonly (readonly LogRecord[])[];
  readonly #options: MemoryOptions;

  constructor(shards: readonly (readonly LogRecord[])[], options: Partial<MemoryOptions> = {}) {
    this.#shards = shards;
    this.#options = {
      batchSize: 2,
      limitCountsRemovals: true,
      honoursFromTime: false,
      ...options,
    };
  }

  shards(): Promise<readonly ShardRef[]> {
    return Promise.resolve(this.#shards.map((_, index) => ({ index })));
  }

  async *scan(
    shard: ShardRef,
    request: ScanRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ScannedRecord[]> {
    this.requests.push(request);
    this.open++;
    try {
      const found = this.#found(this.#shards[shard.index] ?? [], request);
      for (let start = 0; start < found.length; start += this.#options.batchSize) {
        await Promise.resolve();
        if (signal.aborted) {
          return;
        }
        this.batchesGiven++;
        yield found.slice(start, start + this.#options.batchSize);
      }
    } finally {
      this.open--;
    }
  }

  #found(log: readonly LogRecord[], request: ScanRequest): readonly ScannedRecord[] {
    const { kind, prefix, reverse, limit, program, fromTime } = request;
    const cut = log.filter((record) => isInCut(record, request));
    const passes = program === null ? () => true : nativeFilter(program);
    const found = (kind === 'versions' ? cut : newestOf(cut, request.atAxis)).filter(
      (record) =>
        record.key.startsWith(prefix) &&
        record.version >= (request.fromVersion ?? 1) &&
        (!this.#options.honoursFromTime || record.time >= (fromTime ?? -Infinity)) &&
        passes(record),
    );
    const byVersion = kind === 'versions';
    found.sort((a, b) => (byVersion ? a.version - b.version : 0) || compareText(a.key, b.key));
    const ordered = reverse ? found.reverse() : found;
    return ordered
      .slice(0, this.#lengthOf(ordered, limit))
      .map((record) => (request.wantValues ? record : { ...record, value: null }));
  }

  #lengthOf(found: readonly LogRecord[], limit: number | null): number {
    if (limit === null || this.#options.limitCountsRemovals) {
      return limit ?? found.length;
    }
    let left = limit;
    const end = found.findIndex((record) => left === 0 || (!record.removed && left-- === 0));
    return end === -1 ? found.length : end;
  }
}

function isInCut(record: LogRecord, { toVersion, atTime, atAxis }: ScanRequest): boolean {
  const time = atAxis === 'commit' ? record.time : (record.eventTime ?? record.time);
  return record.version <= (toVersion ?? Infinity) && time <= (atTime ?? Infinity);
}

function newestOf(cut: readonly LogRecord[], axis: TimeAxis): LogRecord[] {
  const rankOf = (record: LogRecord): number =>
    axis === 'commit' ? record.time : (record.eventTime ?? record.time);
  const newest = new Map<string, LogRecord>();
  for (const record of cut) {
    const known = newest.get(record.key);
    if (known === undefined || rankOf(record) >= rankOf(known)) {
      newest.set(record.key, record);
    }
  }
  return [...newest.values()].filter(({ removed }) => !removed);
}

/** Counts bytes as the store does. */
export function logRecord(
  record: Pick<LogRecord, 'key' | 'version' | 'time'> & Partial<LogRecord>,
  value: unknown,
): LogRecord {
  const bytes = value === undefined ? null : new TextEncoder().encode(JSON.stringify(value));
  return {
    epoch: 1,
    eventTime: null,
    previousVersionOfKey: null,
    meta: null,
    removed: bytes === null,
    value: bytes,
    size: bytes?.length ?? 0,
    ...record,
  };
}
