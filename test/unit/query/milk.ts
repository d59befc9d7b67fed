import { isFreshetError, type SchemaKind } from '../../../platform/base/mod.ts';
import {
  localShards,
  QueryEngine,
  queryKeys,
  type QueryLimits,
  queryLimits,
  queryObjects,
  queryVersions,
} from '../../../platform/query/mod.ts';
import { expect } from 'vitest';
import { type LogRecord, logRecord, type MemoryOptions, MemorySource } from './memory-source.ts';

export interface DailyYield {
  litres: number;
  cow: number;
}

export const yieldPool = '/dairy/daily_yield';
const cowCount = 20;

/** Days of milk of 20 cows: even cows in shard 0, odd ones in shard 1. */
export function milk(days: number): LogRecord[][] {
  const shards: LogRecord[][] = [[], []];
  for (let day = 0; day < days; day++) {
    for (let cow = 120; cow < 120 + cowCount; cow++) {
      const shard = shards[cow % 2] as LogRecord[];
      const version = shard.length + 1;
      const key = `${yieldPool}/cow_${String(cow)}`;
      const time = 1_000_000 * version + (cow % 2);
      shard.push(logRecord({ key, version, time }, { litres: day + cow / 1000, cow }));
    }
  }
  return shards;
}

interface Setup {
  readonly values?: SchemaKind;
  readonly limits?: Partial<QueryLimits>;
  readonly source?: Partial<MemoryOptions>;
  readonly signal?: AbortSignal;
}

/** The shape of the SDK, over the reference source. */
export function open(
  shards: LogRecord[][],
  { values, limits, source: options, signal }: Setup = {},
) {
  const source = new MemorySource(shards, options);
  const all = { ...queryLimits, ...limits };
  const executor = new QueryEngine({
    shards: localShards(source, all),
    valueKindOf: () => values ?? 'json',
    limits: all,
  });
  const start = (pool: string) => ({
    pool,
    at: null,
    axis: 'commit' as const,
    limits: all,
    ...(signal === undefined ? {} : { signal }),
  });
  const db = {
    pool: <V>(pool: string) => ({
      versions: () => queryVersions<V>(executor, start(pool)),
      objects: () => queryObjects<V>(executor, start(pool)),
      keys: () => queryKeys(executor, start(pool)),
    }),
  };
  return { db, source };
}

export const reasonOf = async (run: () => unknown): Promise<string> => {
  try {
    await run();
  } catch (caught) {
    expect(isFreshetError(caught)).toBe(true);
    return String(caught);
  }
  return 'was not refused';
};
