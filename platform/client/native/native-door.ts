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
  allOutcomes,
  type GetRequest,
  type HistoryRequest,
  type ListRequest,
  type ObjectChange,
  type ObjectRecord,
  oneResult,
  type OutcomeSink,
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
import { NativeCalls, type NativeCallsOptions, unlessAborted } from './native-calls.ts';
import { type ChangeRequest, NativeChanges } from './native-changes.ts';
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
    this.#changes = new NativeChanges(this.#calls, options.grpc, options.random);
    this.#reads = new NativeReads(this.#calls, options.grpc);
    this.#triggers = new NativeTriggers(this.#calls);
  }

  put(request: PutRequest): Promise<PutResult> {
    return this.#change(request.store === false ? 'trigger' : 'put', request);
  }

  /** Connections gather what one turn of the event loop asks. */
  putMany(requests: readonly PutRequest[]): Promise<readonly PutOutcome[]> {
    const nowMs = this.#options.clock.monotonicMs();
    return allOutcomes(requests.length, (sink) => {
      requests.forEach((request, nth) => {
        if (request.signal !== undefined) settleWith(this.put(request), sink, nth);
        else this.#begin(request.store === false ? 'trigger' : 'put', request, nowMs, sink, nth);
      });
    });
  }

  remove(request: RemoveRequest): Promise<PutResult> {
    return this.#change('remove', request);
  }

  get(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#read(request, true);
  }

  stat(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#read(request, false);
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

  #change(kind: ObjectChange['kind'], request: ChangeRequest): Promise<PutResult> {
    const made = oneResult((sink) => {
      this.#begin(kind, request, this.#options.clock.monotonicMs(), sink, 0);
    });
    return unlessAborted(made, request.signal);
  }

  /** How it ends, however that is, goes to the end. */
  #begin(
    kind: ObjectChange['kind'],
    request: ChangeRequest,
    nowMs: number,
    end: OutcomeSink,
    nth: number,
  ): void {
    const { key, value } = request;
    try {
      const isLarge = value !== undefined && value.byteLength > doorValueBytesMax;
      const placed = isLarge ? null : this.#calls.place(key);
      if (placed !== null) this.#changes.make(placed, kind, request, nowMs, end, nth);
      else if (kind === 'remove') settleWith(this.#grpc.remove(request), end, nth);
      else settleWith(this.#grpc.put(request as PutRequest), end, nth);
    } catch (caught) {
      end.settle(nth, toFreshetError(caught));
    }
  }

  /**
   * A moment has to be judged by a member's clock, and found: that is not native, nor is what
   * leaves a value out by its length.
   */
  #read(request: GetRequest, wantValue: boolean): Promise<ObjectRecord | null> {
    const { key, at, maxBytes } = request;
    try {
      const isNative = at === undefined && maxBytes === undefined;
      const placed = isNative ? this.#calls.place(key) : null;
      if (placed !== null) return this.#reads.read(placed.shard, request, wantValue);
    } catch (caught) {
      return Promise.reject(toFreshetError(caught));
    }
    return wantValue ? this.#grpc.get(request) : this.#grpc.stat(request);
  }
}

function settleWith(made: Promise<PutResult>, end: OutcomeSink, nth: number): void {
  made.then(
    (result) => {
      end.settle(nth, result);
    },
    (caught: unknown) => {
      end.settle(nth, toFreshetError(caught));
    },
  );
}

/** What is thrown before anything was sent is rejected like the rest. */
function refusing<T>(run: () => Promise<T>): Promise<T> {
  try {
    return run();
  } catch (caught) {
    return Promise.reject(toFreshetError(caught));
  }
}
