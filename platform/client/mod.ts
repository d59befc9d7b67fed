/** The SDK: what programs and lambdas import as `freshet/client`. */
export { FreshetError, isFreshetError } from '../base/mod.ts';
export type {
  Ack,
  ErrorCode,
  Expectation,
  GetRequest,
  HistoryOptions,
  HistoryRequest,
  ListRequest,
  ObjectRecord,
  PoolInfo,
  PoolKind,
  PoolOptions,
  PutOptions,
  PutOutcome,
  PutRequest,
  PutResult,
  ReadLevel,
  ReadOptions,
  RemoveRequest,
  SchemaKind,
  ShardFrontier,
  TriggerRequest,
  TriggerResult,
  WatchEvent,
  WatchOptions,
  WatchRequest,
} from '../base/mod.ts';
export type { Codec } from './codec.ts';
export { codecOfKind, image, json, msgpack, raw } from './codec.ts';
export { Database } from './database.ts';
export type { Door, MemberInfo, ViewInfo } from './door.ts';
export type {
  PoolEvent,
  PoolListOptions,
  PoolQueryOptions,
  PoolTriggerOptions,
  PoolWatchOptions,
  Stored,
} from './pool.ts';
export { Pool } from './pool.ts';
export type { ConnectOptions } from './connect.ts';
export { connect, defaultTimeoutMs } from './connect.ts';
export type { CsvOptions, CsvRow } from './import/csv.ts';
export { csvLimits, readCsv } from './import/csv.ts';
export type { TimeFormat } from './import/event-time.ts';
export { dayOf, isoDay, microsPerDay, parseEventTime, timeFormats } from './import/event-time.ts';
export type { ImportedValue, ImportItem, ImportOptions } from './import/plan-import.ts';
export { planImport } from './import/plan-import.ts';
export type { ImportProgress } from './import/run-import.ts';
export { runImport } from './import/run-import.ts';
export type { PullOptions } from './sync/pull-folder.ts';
export { pullFolder } from './sync/pull-folder.ts';
export { pushFolder } from './sync/push-folder.ts';
export type { SyncChange, SyncOptions, SyncProgress } from './sync/sync-options.ts';
