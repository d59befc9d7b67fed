export type { ArrivalRequest, StoredArrival } from './arrivals.ts';
export { StoreArrivals } from './arrivals.ts';
export type { CatalogEntry } from './catalog.ts';
export { Catalog, catalogFolders } from './catalog.ts';
export { compareBytes } from './listing.ts';
export type { MemberStoreOptions } from './member-store.ts';
export { MemberStore } from './member-store.ts';
export { ObjectStore } from './object-store.ts';
export { Placement } from './placement.ts';
export type { PoolInfo, PoolKind, PoolOptions, Retention, SchemaKind, TimeAxis } from './pool.ts';
export { PoolDirectory } from './pool-directory.ts';
export type { Position } from './resume-token.ts';
export { decodeToken, encodeToken } from './resume-token.ts';
export type { ScannedRecord, ScanRequest } from './shard-source.ts';
export { StoreShardSource } from './shard-source.ts';
export { storeLimits } from './store-limits.ts';
export type {
  Ack,
  Expectation,
  GetRequest,
  HistoryRequest,
  ListRequest,
  Meta,
  ObjectRecord,
  PutOutcome,
  PutRequest,
  PutResult,
  ReadLevel,
  RemoveRequest,
  SessionStamp,
  ShardFrontier,
  TriggerEvent,
  TriggerHandler,
  TriggerRequest,
  TriggerResult,
  WatchEvent,
  WatchRequest,
} from './types.ts';
export { Watch } from './watch.ts';
