/**
 * A door to the native threads of members: puts, removes, point reads and watches go to a member of
 * the key's shard, and go on while its event loop is busy; triggers go to those whose lambdas are to
 * take them, and wait for their event loops alone. Everything else, and what only a member's
 * TypeScript can do (give a shard the rules of a pool, read from disk, find a moment, take values
 * over 8 MiB), goes over gRPC.
 *
 * Thread: event loop.
 */
import {
  checkKey,
  type GetRequest,
  type HistoryRequest,
  type ListRequest,
  type ObjectRecord,
  type PoolInfo,
  type PoolOptions,
  type PutOutcome,
  type PutRequest,
  type PutResult,
  type Random,
  type RemoveRequest,
  type ShardFrontier,
  toFreshetError,
  type TriggerRequest,
  type TriggerResult,
  type WatchEvent,
  type WatchRequest,
} from '../../base/mod.ts';
import type { Door, ViewInfo } from '../door.ts';
import { doorValueBytesMax } from './door-frames.ts';
import { NativeCalls, type NativeCallsOptions } from './native-calls.ts';
import { NativeChanges, type OverGrpc } from './native-changes.ts';
import { NativeReads } from './native-reads.ts';
import { NativeTriggers, type TriggerOverGrpc } from './native-triggers.ts';
import { watchNatively } from './native-watch.ts';

export interface NativeDoorOptions extends NativeCallsOptions {
  /** What is not native goes there. */
  readonly grpc: Door;
  readonly random: Random;
}

export class NativeDoor implements Door {
  readonly #options: NativeDoorOptions;
  readonly #grpc: Door;
  readonly #calls: NativeCalls;
  readonly #changes: NativeChanges;
  readonly #reads: NativeReads;
  readonly #triggers: NativeTriggers;

  constructor(options: NativeDoorOptions) {
    this.#options = options;
    this.#grpc = options.grpc;
    this.#calls = new NativeCalls(options);
    this.#changes = new NativeChanges(this.#calls, options.random);
    this.#reads = new NativeReads(this.#calls);
    this.#triggers = new NativeTriggers(this.#calls);
  }

  put(request: PutRequest): Promise<PutResult> {
    const overGrpc: OverGrpc = (session, timeoutMs) =>
      this.#grpc.put(session === undefined ? request : { ...request, session, timeoutMs });
    return refusing(() => {
      checkKey(request.key);
      const isLarge = request.value.byteLength > doorValueBytesMax;
      const placed = isLarge ? null : this.#calls.place(request.key);
      if (placed === null) return this.#grpc.put(request);
      const kind = request.store === false ? 'trigger' : 'put';
      return this.#changes.make(placed, kind, request, overGrpc);
    });
  }

  async putMany(requests: readonly PutRequest[]): Promise<readonly PutOutcome[]> {
    // Connections gather what one turn of the event loop asks.
    return Promise.all(
      requests.map(async (request) =>
        this.put(request).catch((error: unknown) => toFreshetError(error)),
      ),
    );
  }

  remove(request: RemoveRequest): Promise<PutResult> {
    const overGrpc: OverGrpc = (session, timeoutMs) =>
      this.#grpc.remove(session === undefined ? request : { ...request, session, timeoutMs });
    return refusing(() => {
      checkKey(request.key);
      const placed = this.#calls.place(request.key);
      if (placed === null) return this.#grpc.remove(request);
      return this.#changes.make(placed, 'remove', request, overGrpc);
    });
  }

  get(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#read(request, true, (timeoutMs) => this.#grpc.get({ ...request, timeoutMs }));
  }

  stat(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#read(request, false, (timeoutMs) => this.#grpc.stat({ ...request, timeoutMs }));
  }

  history(request: HistoryRequest): AsyncIterable<ObjectRecord> {
    return this.#grpc.history(request);
  }

  list(request: ListRequest): AsyncIterable<string> {
    return this.#grpc.list(request);
  }

  watch(request: WatchRequest): AsyncIterable<WatchEvent> {
    const { doors, topology } = this.#options;
    return watchNatively({
      ...this.#options,
      request,
      topology: this.#calls.isClosed ? null : topology.current,
      route: async (shard, failed) =>
        doors.openRoute(topology.current?.shard(shard)?.readers ?? [], failed),
      overGrpc: (again) => this.#grpc.watch(again),
    });
  }

  query(plan: unknown, signal?: AbortSignal): AsyncIterable<unknown> {
    return this.#grpc.query(plan, signal);
  }

  triggerPut(request: TriggerRequest): Promise<TriggerResult> {
    const overGrpc: TriggerOverGrpc = (again) => this.#grpc.triggerPut(again);
    return refusing(() => {
      checkKey(request.key);
      const isLarge = request.value.byteLength > doorValueBytesMax;
      const placed = isLarge ? null : this.#calls.place(request.key);
      return placed === null ? overGrpc(request) : this.#triggers.put(placed, request, overGrpc);
    });
  }

  async frontier(pool: string): Promise<readonly ShardFrontier[]> {
    return this.#grpc.frontier(pool);
  }

  async pools(): Promise<readonly PoolInfo[]> {
    return this.#grpc.pools();
  }

  async createPool(options: PoolOptions): Promise<PoolInfo> {
    const info = await this.#grpc.createPool(options);
    // So that what is done with it next is native; without, it goes over gRPC.
    await this.#options.topology.load().catch(() => undefined);
    return info;
  }

  async removePool(name: string): Promise<void> {
    await this.#grpc.removePool(name);
    this.#options.topology.refresh();
  }

  async members(): Promise<ViewInfo> {
    return this.#grpc.members();
  }

  async close(): Promise<void> {
    this.#calls.close();
    await this.#grpc.close();
  }

  /** A moment has to be judged by a member's clock, and found: that is not native. */
  #read(
    request: GetRequest,
    wantValue: boolean,
    overGrpc: (timeoutMs: number) => Promise<ObjectRecord | null>,
  ): Promise<ObjectRecord | null> {
    return refusing(() => {
      const { key, at } = request;
      checkKey(key);
      const placed = at === undefined ? this.#calls.place(key) : null;
      if (placed === null) return wantValue ? this.#grpc.get(request) : this.#grpc.stat(request);
      return this.#reads.read(placed.shard, request, wantValue, overGrpc);
    });
  }
}

/** What is thrown before anything was sent is rejected like the rest. */
function refusing<T>(run: () => Promise<T>): Promise<T> {
  try {
    return run();
  } catch (caught) {
    return Promise.reject(toFreshetError(caught));
  }
}
