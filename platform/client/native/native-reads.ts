/**
 * Point reads through native doors, at any member of the shard. What a member cannot answer from
 * memory, and what it refuses for good, is asked over gRPC.
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
import { enumNumber, timeoutNumber } from '../numbers.ts';
import { attemptMs } from '../retry-policy.ts';
import type { DoorConnection } from './door-connection.ts';
import { type GetFrame, readLevels } from './door-frames.ts';
import { isForGrpc, type NativeCalls, unlessAborted } from './native-calls.ts';
import { type ReadAnswer, ReadCall } from './read-call.ts';
import type { RoutedShard } from './topology.ts';

/** Reads the same over gRPC, within the time. */
export type ReadOverGrpc = (timeoutMs: number) => Promise<ObjectRecord | null>;

interface Way {
  readonly request: GetRequest;
  readonly wantValue: boolean;
  readonly timeoutMs: number;
  /** Monotonic ms. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly overGrpc: ReadOverGrpc;
}

export class NativeReads {
  readonly #calls: NativeCalls;

  constructor(calls: NativeCalls) {
    this.#calls = calls;
  }

  /** Throws what is refused before it is sent; rejects the rest. */
  read(
    shard: RoutedShard,
    request: GetRequest,
    wantValue: boolean,
    overGrpc: ReadOverGrpc,
  ): Promise<ObjectRecord | null> {
    const { signal, read } = request;
    if (request.timeoutMs !== undefined) timeoutNumber(request.timeoutMs);
    if (read !== undefined) enumNumber(readLevels, read, 'read');
    checkPoint(request);
    const timeoutMs = this.#calls.limitOf(request.timeoutMs);
    const deadline = this.#calls.options.clock.monotonicMs() + timeoutMs;
    const way = { request, wantValue, timeoutMs, deadline, signal, overGrpc };
    return unlessAborted(this.#first(way, shard), signal);
  }

  #first(way: Way, shard: RoutedShard): Promise<ObjectRecord | null> {
    const connection = this.#calls.options.doors.route(shard.readers);
    if (connection === null) return this.#again(way, null, null);
    const attempt = attemptMs(way.timeoutMs, shard.readers.length);
    return new Promise((resolve, reject) => {
      const answer: ReadAnswer = {
        resolve: (object) => {
          resolve(object === null || object.removed ? null : object);
        },
        reject: (error) => {
          this.#again(way, connection.nodeId, error).then(resolve, reject);
        },
      };
      this.#ask(connection, way, shard.shard, attempt, answer);
    });
  }

  /** `failed`: how the first try ended, at the node; null: there was none. */
  async #again(
    way: Way,
    node: number | null,
    failed: FreshetError | null,
  ): Promise<ObjectRecord | null> {
    const { request, overGrpc } = way;
    let asked = node;
    let isElsewhere = failed !== null && isForGrpc(failed);
    const run = async (timeoutMs: number): Promise<ObjectRecord | null> => {
      const placed = isElsewhere ? null : this.#calls.place(request.key);
      const connection =
        placed === null ? null : this.#calls.options.doors.route(placed.shard.readers, asked);
      if (placed !== null && connection !== null) {
        asked = connection.nodeId;
        try {
          const found = await new Promise<ObjectRecord | null>((resolve, reject) => {
            const answer = { resolve, reject };
            this.#ask(connection, way, placed.shard.shard, timeoutMs, answer);
          });
          return found === null || found.removed ? null : found;
        } catch (caught) {
          const error = toFreshetError(caught);
          if (!isForGrpc(error)) throw error;
          isElsewhere = true;
        }
      }
      return overGrpc(timeoutMs);
    };
    if (failed !== null) this.#calls.onFailure(failed);
    const members = (): number => this.#calls.place(request.key)?.shard.readers.length ?? 1;
    const call = { ...way, key: null, members };
    return this.#calls.insist(call, run, isElsewhere ? null : failed);
  }

  #ask(
    connection: DoorConnection,
    { request, wantValue }: Way,
    shard: number,
    timeoutMs: number,
    answer: ReadAnswer,
  ): void {
    const { clock, statusNames } = this.#calls.options;
    const { key, version, exact = false, read = 'linearizable' } = request;
    const byVersion = exact ? readPoints.exactVersion : readPoints.atVersion;
    const point = version === undefined ? readPoints.newest : byVersion;
    const level = readLevels[read];
    const get: GetFrame = { level, shard, key, point, at: version ?? 0, wantValue };
    connection.ask(new ReadCall(get, clock.monotonicMs() + timeoutMs, statusNames, answer));
  }
}
