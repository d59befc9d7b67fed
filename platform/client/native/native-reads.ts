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
import { readPoints } from '../../bridge/mod.ts';
import type { Door } from '../door.ts';
import { enumNumber, timeoutNumber } from '../numbers.ts';
import { attemptMs } from '../retry-policy.ts';
import type { DoorConnection } from './door-connection.ts';
import { type GetFrame, readLevels } from './door-frames.ts';
import { isForGrpc, type NativeCalls, unlessAborted } from './native-calls.ts';
import { type ReadAnswer, ReadCall } from './read-call.ts';
import type { RoutedShard } from './topology.ts';

/** A read on its way, and what becomes of its first try. */
class Way implements ReadAnswer {
  readonly request: GetRequest;
  readonly wantValue: boolean;
  readonly timeoutMs: number;
  /** Monotonic ms. */
  readonly deadline: number;
  readonly #owner: NativeReads;
  readonly #settle: (object: ObjectRecord | null) => void;
  readonly #fail: (error: unknown) => void;
  /** That was asked first; null: nobody was. */
  #node: number | null = null;

  constructor(
    owner: NativeReads,
    request: GetRequest,
    wantValue: boolean,
    timeoutMs: number,
    deadline: number,
    settle: (object: ObjectRecord | null) => void,
    fail: (error: unknown) => void,
  ) {
    this.#owner = owner;
    this.request = request;
    this.wantValue = wantValue;
    this.timeoutMs = timeoutMs;
    this.deadline = deadline;
    this.#settle = settle;
    this.#fail = fail;
  }

  askedAt(node: number): this {
    this.#node = node;
    return this;
  }

  resolve(object: ObjectRecord | null): void {
    const found = object === null || object.removed ? null : object;
    if (found !== null || !isLinearizable(this.request)) this.#settle(found);
    else this.#owner.again(this, this.#node, null, true).then(this.#settle, this.#fail);
  }

  /** The first try ended so; null: nobody could be asked. */
  reject(failed: FreshetError | null): void {
    this.#owner.again(this, this.#node, failed, false).then(this.#settle, this.#fail);
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

  /** Throws what is refused before it is sent; rejects the rest. */
  read(
    { shard, readers }: RoutedShard,
    request: GetRequest,
    wantValue: boolean,
  ): Promise<ObjectRecord | null> {
    const { signal, read } = request;
    if (request.timeoutMs !== undefined) timeoutNumber(request.timeoutMs);
    if (read !== undefined) enumNumber(readLevels, read, 'read');
    checkPoint(request);
    const { clock, doors } = this.#calls.options;
    const timeoutMs = this.#calls.limitOf(request.timeoutMs);
    const nowMs = clock.monotonicMs();
    const connection = doors.route(readers);
    const found = new Promise<ObjectRecord | null>((resolve, reject) => {
      const way = new Way(this, request, wantValue, timeoutMs, nowMs + timeoutMs, resolve, reject);
      if (connection === null) {
        way.reject(null);
        return;
      }
      const until = nowMs + attemptMs(timeoutMs, readers.length);
      this.#ask(connection, request, wantValue, shard, until, way.askedAt(connection.nodeId));
    });
    return unlessAborted(found, signal);
  }

  /**
   * `failed`: how the first try ended, at the node; null: there was none, or it found nothing
   * (`isMissing`).
   */
  async again(
    { request, wantValue, timeoutMs, deadline }: Way,
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
          const found = await new Promise<ObjectRecord | null>((resolve, reject) => {
            const { shard } = placed.shard;
            const until = this.#calls.options.clock.monotonicMs() + leftMs;
            this.#ask(connection, request, wantValue, shard, until, { resolve, reject });
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
    const call = { timeoutMs, deadline, signal: request.signal, key: null, members };
    return this.#calls.insist(call, run, isElsewhere ? null : failed);
  }

  #ask(
    connection: DoorConnection,
    request: GetRequest,
    wantValue: boolean,
    shard: number,
    until: number,
    answer: ReadAnswer,
  ): void {
    const { key, version, exact = false, read = 'linearizable' } = request;
    const byVersion = exact ? readPoints.exactVersion : readPoints.atVersion;
    const point = version === undefined ? readPoints.newest : byVersion;
    const level = readLevels[read];
    const get: GetFrame = { level, shard, key, point, at: version ?? 0, wantValue };
    connection.ask(new ReadCall(get, until, this.#calls.options.statusNames, answer));
  }
}
