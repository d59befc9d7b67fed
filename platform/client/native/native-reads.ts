/**
 * Point reads through native doors, at any member of the shard. What a member cannot answer from
 * memory, and what it refuses for good, is asked over gRPC; so is, by linearizable reads, what is
 * not found: the key's pool may have been removed and made again elsewhere.
 *
 * Thread: event loop.
 */
import {
  checkPoint,
  type FreshetError,
  type GetRequest,
  type ObjectRecord,
  toFreshetError,
} from '../../base/mod.ts';
import type { Door } from '../door.ts';
import { enumNumber, timeoutNumber } from '../numbers.ts';
import { attemptMs } from '../retry-policy.ts';
import type { DoorConnection } from './door-connection.ts';
import { readLevels } from './door-frames.ts';
import { isForGrpc, type NativeCalls, unlessAborted } from './native-calls.ts';
import { ReadCall } from './read-call.ts';
import type { RoutedShard } from './topology.ts';

type Settle = (object: ObjectRecord | null) => void;
type Fail = (error: unknown) => void;

/** A read and its first try. */
class FirstTry extends ReadCall {
  readonly #owner: NativeReads;
  readonly #connection: DoorConnection;
  /** Monotonic, whole ms. */
  readonly #askedMs: number;
  readonly #settle: Settle;
  readonly #fail: Fail;

  constructor(
    owner: NativeReads,
    request: GetRequest,
    wantValue: boolean,
    placed: RoutedShard,
    connection: DoorConnection,
    settle: Settle,
    fail: Fail,
  ) {
    super(request, wantValue, placed);
    this.#owner = owner;
    this.#connection = connection;
    this.#askedMs = connection.turnMs;
    this.#settle = settle;
    this.#fail = fail;
  }

  get statusNames(): readonly string[] {
    return this.#owner.statusNames;
  }

  get deadline(): number {
    return this.#askedMs + this.#owner.limitOf(this.request);
  }

  get until(): number {
    return this.#askedMs + attemptMs(this.#owner.limitOf(this.request), this.readers);
  }

  onRead(object: ObjectRecord | null): void {
    const found = object === null || object.removed ? null : object;
    if (found !== null || !isLinearizable(this.request)) this.#settle(found);
    else
      this.#owner.again(this, this.#connection.nodeId, null, true).then(this.#settle, this.#fail);
  }

  onFailed(failed: FreshetError): void {
    this.#owner.again(this, this.#connection.nodeId, failed, false).then(this.#settle, this.#fail);
  }
}

class LaterTry extends ReadCall {
  readonly until: number;
  protected readonly statusNames: readonly string[];
  readonly #settle: Settle;
  readonly #fail: Fail;

  constructor(
    owner: NativeReads,
    request: GetRequest,
    wantValue: boolean,
    placed: RoutedShard,
    until: number,
    settle: Settle,
    fail: Fail,
  ) {
    super(request, wantValue, placed);
    this.until = until;
    this.statusNames = owner.statusNames;
    this.#settle = settle;
    this.#fail = fail;
  }

  onRead(object: ObjectRecord | null): void {
    this.#settle(object);
  }

  onFailed(failed: FreshetError): void {
    this.#fail(failed);
  }
}

function isLinearizable({ read = 'linearizable' }: GetRequest): boolean {
  return read === 'linearizable';
}

export class NativeReads {
  readonly #calls: NativeCalls;
  readonly #grpc: Pick<Door, 'get' | 'stat'>;

  constructor(calls: NativeCalls, grpc: Pick<Door, 'get' | 'stat'>) {
    this.#calls = calls;
    this.#grpc = grpc;
  }

  get statusNames(): readonly string[] {
    return this.#calls.options.statusNames;
  }

  limitOf({ timeoutMs }: GetRequest): number {
    return this.#calls.limitOf(timeoutMs);
  }

  /** Throws what is refused before it is sent; rejects the rest. */
  read(shard: RoutedShard, request: GetRequest, wantValue: boolean): Promise<ObjectRecord | null> {
    const { signal, read } = request;
    if (request.timeoutMs !== undefined) timeoutNumber(request.timeoutMs);
    if (read !== undefined) enumNumber(readLevels, read, 'read');
    checkPoint(request);
    const { clock, doors } = this.#calls.options;
    const connection = doors.route(shard.readers);
    if (connection === null) {
      const deadline = clock.monotonicMs() + this.limitOf(request);
      return unlessAborted(this.again({ request, wantValue, deadline }, null, null, false), signal);
    }
    const found = new Promise<ObjectRecord | null>((settle, fail) => {
      connection.ask(new FirstTry(this, request, wantValue, shard, connection, settle, fail));
    });
    return unlessAborted(found, signal);
  }

  /**
   * `failed`: how the first try ended, at the node; null: there was none, or it found nothing
   * (`isMissing`).
   */
  async again(
    { request, wantValue, deadline }: Pick<FirstTry, 'request' | 'wantValue' | 'deadline'>,
    node: number | null,
    failed: FreshetError | null,
    isMissing: boolean,
  ): Promise<ObjectRecord | null> {
    let asked = node;
    let isMissed = isMissing;
    let isElsewhere = isMissing || (failed !== null && isForGrpc(failed));
    const run = async (leftMs: number): Promise<ObjectRecord | null> => {
      const placed = isElsewhere ? null : this.#calls.place(request.key);
      const connection =
        placed === null ? null : this.#calls.options.doors.route(placed.shard.readers, asked);
      if (placed !== null && connection !== null) {
        asked = connection.nodeId;
        try {
          const found = await new Promise<ObjectRecord | null>((settle, fail) => {
            const { shard } = placed;
            const until = this.#calls.options.clock.monotonicMs() + leftMs;
            connection.ask(new LaterTry(this, request, wantValue, shard, until, settle, fail));
          });
          if (found !== null && !found.removed) return found;
          if (!isLinearizable(request)) return null;
          isMissed = true;
          isElsewhere = true;
        } catch (caught) {
          const error = toFreshetError(caught);
          if (!isForGrpc(error)) throw error;
          isElsewhere = true;
        }
      }
      const again = { ...request, timeoutMs: leftMs };
      const found = await (wantValue ? this.#grpc.get(again) : this.#grpc.stat(again));
      if (isMissed && found !== null) this.#calls.options.topology.refresh();
      return found;
    };
    if (failed !== null) this.#calls.onFailure(failed);
    const members = (): number => this.#calls.place(request.key)?.shard.readers.length ?? 1;
    const timeoutMs = this.limitOf(request);
    const call = { timeoutMs, deadline, signal: request.signal, key: null, members };
    return this.#calls.insist(call, run, isElsewhere ? null : failed);
  }
}
