import { type ClientReadableStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  type Clock,
  FreshetError,
  type GetRequest,
  type HistoryRequest,
  isFreshetError,
  limits,
  type ListRequest,
  type NativeDoorInfo,
  type ObjectRecord,
  type PoolInfo,
  type PoolOptions,
  type PutOutcome,
  type PutRequest,
  type PutResult,
  type RemoveRequest,
  type ShardFrontier,
  SystemClock,
  timeoutOf,
  toFreshetError,
  type TriggerRequest,
  type TriggerResult,
  type LayoutChange,
  type LayoutReport,
  type VerifyReport,
  type WatchEvent,
  type WatchRequest,
} from '../../base/mod.ts';
import {
  type ChangeLayoutReply,
  ClusterClient,
  type DeployReply,
  type FrontierReply,
  type GetReply,
  type KeyBatch,
  type ObjectBatch,
  type ObjectPiece,
  ObjectsClient,
  type PipelineList,
  type PipelineRemoveReply,
  PipelinesClient,
  type PoolList,
  type PoolRemoveReply,
  PoolsClient,
  type PutReply,
  type RowBatch,
  type TriggerReply,
  type LayoutReply,
  type MoveShardReply,
  type NativeDoorReply,
  type VerifyReply,
  type WatchBatch,
  type WirePoolInfo,
  type WirePutRequest,
  type WireView,
} from '../../wire/mod.ts';
import type { Door, ViewInfo } from '../door.ts';
import * as convert from './convert.ts';
import { layoutChangeFromWire, layoutFromWire } from './convert-layout.ts';
import { nativeDoorFromWire } from './convert-native.ts';
import { verifyFromWire } from './convert-verify.ts';
import { collectPieces, isLongPut, sendPieces } from './long-values.ts';
import { PutStream } from './put-stream.ts';
import { errorOfCall } from './status.ts';

export interface GrpcDoorOptions {
  /** Sent with every call as `authorization: Bearer …`. */
  readonly token: string | null;
  /** For calls that name no time limit of their own. */
  readonly timeoutMs: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** What the layout is to become. */
export interface WantedLayout {
  /** All subgroups that there are to be, as in a configuration of a member. */
  readonly subgroups: readonly object[];
  /** A member holds one shard, but every one that reserves it; null: as it is. */
  readonly exclusive: boolean | null;
  /** Version of the layout that it is to follow; null: whichever there is. */
  readonly expect: number | null;
  /** Only say what it would change. */
  readonly dryRun: boolean;
}

/** What a deploy sends; made by the pipeline tools of the member's side. */
export interface DeployParcel {
  readonly name: string;
  readonly document: Uint8Array;
  readonly bundles: ReadonlyMap<string, Uint8Array>;
  readonly assets: ReadonlyMap<string, Uint8Array>;
}

/** Room for the largest value and what travels around it. */
const messageBytesMax = limits.valueBytesWhole + 1024 * 1024;

type Callback<R> = (error: ServiceError | null, reply: R) => void;

/**
 * The member keeps to the time limit of a call and says what it waited for; only one that does not
 * answer at all is given up here, this much later.
 */
const answerGraceMs = 500;
/** All logs of a cluster are read within it. */
const verifyTimeoutMs = 3_600_000;

/** The way in over gRPC: puts as batched streams, the rest as calls. Reconnects by itself. */
export class GrpcDoor implements Door {
  readonly #address: string;
  readonly #options: GrpcDoorOptions;
  readonly #metadata: Metadata;
  readonly #objects: ObjectsClient;
  readonly #pools: PoolsClient;
  readonly #pipelines: PipelinesClient;
  readonly #cluster: ClusterClient;
  readonly #clock: Clock;
  readonly #puts: PutStream;
  #isClosed = false;

  constructor(address: string, options: GrpcDoorOptions) {
    this.#address = address;
    this.#options = options;
    this.#metadata = metadataOf(options.token);
    if (address === '') throw new FreshetError('INVALID_ARGUMENT', 'The address is empty');
    const channel = {
      'grpc.max_receive_message_length': messageBytesMax,
      'grpc.max_send_message_length': messageBytesMax,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2000,
      // A member that was cut off without a word is noticed by its silence.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5000,
    };
    const insecure = credentials.createInsecure();
    this.#objects = new ObjectsClient(address, insecure, channel);
    this.#pools = new PoolsClient(address, insecure, channel);
    this.#pipelines = new PipelinesClient(address, insecure, channel);
    this.#cluster = new ClusterClient(address, insecure, channel);
    this.#clock = options.clock ?? new SystemClock();
    this.#puts = new PutStream(() => this.#objects.putStream(this.#metadata), address, this.#clock);
  }

  async put(request: PutRequest): Promise<PutResult> {
    const result = await this.#putOrError(request);
    if (result instanceof FreshetError) throw result;
    return result;
  }

  async putMany(requests: readonly PutRequest[]): Promise<readonly PutOutcome[]> {
    return Promise.all(requests.map(async (request) => this.#putOrError(request)));
  }

  async remove(request: RemoveRequest): Promise<PutResult> {
    const wire = convert.removeToWire(this.#limited(request));
    const reply = await this.#call<PutReply>(request, (options, done) =>
      this.#objects.remove(wire, this.#metadata, options, done),
    );
    return convert.putResultFromWire(reply);
  }

  async get(request: GetRequest): Promise<ObjectRecord | null> {
    const wire = convert.getToWire(this.#limited(request));
    try {
      const { object } = await this.#call<GetReply>(request, (options, done) =>
        this.#objects.get(wire, this.#metadata, options, done),
      );
      return object === undefined ? null : convert.objectFromWire(object);
    } catch (caught) {
      if (!isFreshetError(caught, 'VALUE_TOO_LARGE')) throw caught;
    }
    const open = () => this.#objects.getLong(wire, this.#metadata);
    return collectPieces(this.#read<ObjectPiece>(open, request.signal), request.maxBytes);
  }

  async stat(request: GetRequest): Promise<ObjectRecord | null> {
    const wire = convert.getToWire(this.#limited(request));
    const { object } = await this.#call<GetReply>(request, (options, done) =>
      this.#objects.stat(wire, this.#metadata, options, done),
    );
    return object === undefined ? null : convert.objectFromWire(object);
  }

  async *history(request: HistoryRequest) {
    // 0 on the wire would be no limit.
    if (request.limit === 0) return;
    const wire = convert.historyToWire(request);
    const open = () => this.#objects.history(wire, this.#metadata);
    for await (const { objects } of this.#read<ObjectBatch>(open, request.signal)) {
      for (const object of objects) yield convert.objectFromWire(object);
    }
  }

  async *list(request: ListRequest): AsyncGenerator<string> {
    if (request.limit === 0) return;
    const wire = convert.listToWire(request);
    const open = () => this.#objects.list(wire, this.#metadata);
    for await (const { keys } of this.#read<KeyBatch>(open, request.signal)) yield* keys;
  }

  async *watch({ prefix, from, frontier, signal }: WatchRequest): AsyncGenerator<WatchEvent> {
    const wire = {
      prefix,
      from: from ?? '',
      persistedOnly: frontier === 'persisted',
      delivered: frontier === 'delivered',
    };
    const open = () => this.#objects.watch(wire, this.#metadata);
    for await (const { events } of this.#read<WatchBatch>(open, signal)) {
      for (const event of events) yield convert.watchEventFromWire(event);
    }
  }

  async triggerPut(request: TriggerRequest): Promise<TriggerResult> {
    const wire = convert.triggerToWire(this.#limited(request));
    return this.#call<TriggerReply>(request, (options, done) =>
      this.#objects.triggerPut(wire, this.#metadata, options, done),
    );
  }

  async *query(plan: unknown, signal?: AbortSignal): AsyncGenerator {
    const wire = { plan: Buffer.from(JSON.stringify(plan)) };
    const open = () => this.#objects.query(wire, this.#metadata);
    for await (const { rows } of this.#read<RowBatch>(open, signal)) {
      for (const row of rows) yield JSON.parse(row.toString()) as unknown;
    }
  }

  async frontier(pool: string): Promise<readonly ShardFrontier[]> {
    const { shards } = await this.#call<FrontierReply>({}, (options, done) =>
      this.#pools.frontier({ pool }, this.#metadata, options, done),
    );
    return shards;
  }

  async pools(): Promise<readonly PoolInfo[]> {
    const { pools } = await this.#call<PoolList>({}, (options, done) =>
      this.#pools.list({}, this.#metadata, options, done),
    );
    return pools.map(convert.poolInfoFromWire);
  }

  async createPool(options: PoolOptions): Promise<PoolInfo> {
    const wire = convert.poolOptionsToWire(options);
    const info = await this.#call<WirePoolInfo>({}, (call, done) =>
      this.#pools.create(wire, this.#metadata, call, done),
    );
    return convert.poolInfoFromWire(info);
  }

  async removePool(name: string): Promise<void> {
    await this.#call<PoolRemoveReply>({}, (options, done) =>
      this.#pools.remove({ name }, this.#metadata, options, done),
    );
  }

  async members(): Promise<ViewInfo> {
    const view = await this.#call<WireView>({}, (options, done) =>
      this.#cluster.members({}, this.#metadata, options, done),
    );
    return convert.viewFromWire(view);
  }

  /**
   * Has all members read their logs again, mend what is damaged, and compare what they applied.
   * `quick`: only the last. Takes as long as reading all logs does.
   */
  async verify(quick: boolean): Promise<VerifyReport> {
    const timeoutMs = Math.max(this.#options.timeoutMs, verifyTimeoutMs);
    const reply = await this.#call<VerifyReply>({ timeoutMs }, (options, done) =>
      this.#cluster.verify({ quick }, this.#metadata, options, done),
    );
    return verifyFromWire(reply);
  }

  /** Who holds which shard now. */
  async layout(): Promise<LayoutReport> {
    const reply = await this.#call<LayoutReply>({}, (options, done) =>
      this.#cluster.layout({}, this.#metadata, options, done),
    );
    return layoutFromWire(reply);
  }

  /**
   * Has a member give its place in a shard to another; resolves once that has begun. Rejects
   * INVALID_ARGUMENT, saying what to mend; NOT_CURRENT: nobody leads at the moment.
   */
  async moveShard(move: { shard: number; from: number; to: number }): Promise<void> {
    await this.#call<MoveShardReply>({}, (options, done) =>
      this.#cluster.moveShard(move, this.#metadata, options, done),
    );
  }

  /**
   * Has the cluster go over to another layout; resolves, with what it changes, once that has begun,
   * or at once if it is only asked for (`dryRun`) or changes nothing. Asked again it does no harm.
   * Rejects INVALID_CONFIG, saying what to mend; CONDITION_FAILED: the layout is another one than
   * expected; NOT_CURRENT: nobody leads, or another change is on its way.
   */
  async changeLayout(wanted: WantedLayout): Promise<LayoutChange> {
    const request = Buffer.from(JSON.stringify(wanted), 'utf8');
    const reply = await this.#call<ChangeLayoutReply>({}, (options, done) =>
      this.#cluster.changeLayout({ request }, this.#metadata, options, done),
    );
    return layoutChangeFromWire(reply);
  }

  /**
   * How members are reached without gRPC, with a ticket for them. Rejects UNSUPPORTED: this member
   * has no native door.
   */
  async nativeDoor(): Promise<NativeDoorInfo> {
    const reply = await this.#call<NativeDoorReply>({}, (options, done) =>
      this.#cluster.nativeDoor({}, this.#metadata, options, done),
    );
    return nativeDoorFromWire(reply);
  }

  /** Sends a prepared pipeline; returns what it changes, a line each. */
  async deploy({ name, document, bundles, assets }: DeployParcel): Promise<readonly string[]> {
    const blobs = (files: ReadonlyMap<string, Uint8Array>) =>
      [...files].map(([sha256, content]) => ({ sha256, content: convert.asBuffer(content) }));
    const request = {
      name,
      document: convert.asBuffer(document),
      bundles: blobs(bundles),
      assets: blobs(assets),
    };
    const { changes } = await this.#call<DeployReply>({}, (options, done) =>
      this.#pipelines.deploy(request, this.#metadata, options, done),
    );
    return changes;
  }

  async pipelines(): Promise<readonly unknown[]> {
    const { pipelines } = await this.#call<PipelineList>({}, (options, done) =>
      this.#pipelines.list({}, this.#metadata, options, done),
    );
    return pipelines.map((bytes) => JSON.parse(bytes.toString()) as unknown);
  }

  async removePipeline(name: string): Promise<void> {
    await this.#call<PipelineRemoveReply>({}, (options, done) =>
      this.#pipelines.remove({ name }, this.#metadata, options, done),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#puts.close();
    for (const client of [this.#objects, this.#pools, this.#pipelines, this.#cluster])
      client.close();
    return Promise.resolve();
  }

  #limited<T extends { readonly timeoutMs?: number }>(request: T): T {
    return { ...request, timeoutMs: request.timeoutMs ?? this.#options.timeoutMs };
  }

  async #putOrError(request: PutRequest): Promise<PutOutcome> {
    const { signal, timeoutMs = this.#options.timeoutMs } = request;
    let wire: WirePutRequest;
    try {
      if (isLongPut(request)) return await this.#putLong(request);
      wire = convert.putToWire({ ...request, timeoutMs });
    } catch (error) {
      return toFreshetError(error);
    }
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve(cancelled());
        return;
      }
      const onAbort = () => {
        resolve(cancelled());
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#puts.put(wire, timeoutMs + answerGraceMs, (result) => {
        signal?.removeEventListener('abort', onAbort);
        resolve(result);
      });
    });
  }

  async #putLong(request: PutRequest): Promise<PutResult> {
    const least = Math.max(this.#options.timeoutMs, timeoutOf(request.value.byteLength));
    const limited = { ...request, timeoutMs: request.timeoutMs ?? least };
    const wire = convert.putToWire(limited);
    const reply = await this.#call<PutReply>(limited, (options, done) =>
      sendPieces(this.#objects.putLong(this.#metadata, options, done), wire),
    );
    return convert.putResultFromWire(reply);
  }

  async #call<R>(
    { timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal },
    start: (options: { deadline: number }, done: Callback<R>) => { cancel: () => void },
  ): Promise<R> {
    if (this.#isClosed) throw closed();
    return new Promise((resolve, reject) => {
      const askedMs = timeoutMs ?? this.#options.timeoutMs;
      const limitMs = askedMs > 0 ? askedMs + answerGraceMs : 0;
      const deadline = this.#clock.wallUs() / 1000 + limitMs;
      const cancel = () => {
        call.cancel();
      };
      const call = start({ deadline }, (error, reply) => {
        signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(reply);
        else if (signal?.aborted === true) reject(cancelled());
        else reject(errorOfCall(error, this.#address));
      });
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted === true) cancel();
    });
  }

  /** Reads a stream with its own back-pressure; leaving the loop cancels the call. */
  async *#read<B>(open: () => ClientReadableStream<B>, signal?: AbortSignal): AsyncGenerator<B> {
    if (this.#isClosed) throw closed();
    const stream = open();
    const cancel = () => {
      stream.cancel();
    };
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted === true) cancel();
    try {
      for await (const batch of stream) yield batch as B;
    } catch (failure) {
      if (signal?.aborted === true) throw cancelled();
      throw errorOfCall(failure, this.#address);
    } finally {
      signal?.removeEventListener('abort', cancel);
      stream.on('error', () => undefined);
      stream.cancel();
    }
  }
}

function metadataOf(token: string | null): Metadata {
  const metadata = new Metadata();
  if (token === null) return metadata;
  // What HTTP allows in a header; the library would refuse it with an error of its own.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new FreshetError('INVALID_ARGUMENT', 'The token has characters that no token has', {
      mend: 'Give the token as it was issued, without line ends or spaces',
    });
  }
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

function closed(): FreshetError {
  return new FreshetError('CLOSED', 'The connection was closed');
}

function cancelled(): FreshetError {
  return new FreshetError('CANCELLED', 'The caller gave up');
}
