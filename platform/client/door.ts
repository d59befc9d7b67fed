import type {
  GetRequest,
  HistoryRequest,
  ListRequest,
  ObjectRecord,
  PoolInfo,
  PoolOptions,
  PutOutcome,
  PutRequest,
  PutResult,
  RemoveRequest,
  ShardFrontier,
  TriggerRequest,
  TriggerResult,
  WatchEvent,
  WatchRequest,
} from '../base/mod.ts';

/**
 * What every way into a cluster offers: inside a member, from a lambda's worker, over gRPC, over
 * HTTP. Values are bytes here; {@link Database} puts types on top. All failures are FreshetError.
 */
export interface Door {
  put(request: PutRequest): Promise<PutResult>;
  /** Many puts, not atomic; results in the order of the requests, each on its own. */
  putMany(requests: readonly PutRequest[]): Promise<readonly PutOutcome[]>;
  remove(request: RemoveRequest): Promise<PutResult>;
  /** null: there is no such object (never written, removed, or not yet at the asked moment). */
  get(request: GetRequest): Promise<ObjectRecord | null>;
  /** As `get`, without the value. */
  stat(request: GetRequest): Promise<ObjectRecord | null>;
  history(request: HistoryRequest): AsyncIterable<ObjectRecord>;
  /** Keys under a prefix, in byte order. */
  list(request: ListRequest): AsyncIterable<string>;
  watch(request: WatchRequest): AsyncIterable<WatchEvent>;
  triggerPut(request: TriggerRequest): Promise<TriggerResult>;
  /** Rows of a query plan as `Query.toPlan` makes it; a count is one row with a number. */
  query(plan: unknown, signal?: AbortSignal): AsyncIterable<unknown>;
  frontier(pool: string): Promise<readonly ShardFrontier[]>;

  pools(): Promise<readonly PoolInfo[]>;
  createPool(options: PoolOptions): Promise<PoolInfo>;
  removePool(name: string): Promise<void>;
  members(): Promise<ViewInfo>;
  close(): Promise<void>;
}

export interface MemberInfo {
  readonly nodeId: number;
  readonly host: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly up: boolean;
}

export interface ViewInfo {
  readonly view: number;
  readonly me: number;
  readonly members: readonly MemberInfo[];
  /** What the cluster waits for, in words; null when it answers. */
  readonly waitingFor: string | null;
}
