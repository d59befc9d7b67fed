/**
 * Changes through native doors, each under one stamp however often and wherever it is tried.
 *
 * Thread: event loop.
 * Invariants
 *  1. The stamp of a change is given back once nobody tries it any more.
 *  2. What a member refuses for good is told as its store tells it, over gRPC.
 */
import {
  checkRaw,
  type FreshetError,
  type ObjectChange,
  type PutRequest,
  type PutResult,
  type Random,
  type RemoveRequest,
  RequestStamps,
  type SessionStamp,
  toChange,
  toFreshetError,
} from '../../base/mod.ts';
import { acks } from '../../bridge/mod.ts';
import { enumNumber, timeoutNumber, versionNumber } from '../numbers.ts';
import { attemptMs } from '../retry-policy.ts';
import { type ChangeAnswer, ChangeCall } from './change-call.ts';
import type { DoorConnection } from './door-connection.ts';
import { isForGrpc, type NativeCalls, type Placed, unlessAborted } from './native-calls.ts';
import type { RoutedShard } from './topology.ts';

type ChangeRequest = RemoveRequest & Pick<Partial<PutRequest>, 'value'>;

/** Makes the same change over gRPC, within the time, under the stamp if there is one. */
export type OverGrpc = (session: SessionStamp | undefined, timeoutMs: number) => Promise<PutResult>;

/** A change on its way. */
interface Way {
  readonly change: ObjectChange;
  /** To be given back; null: it is the caller's, or there is none. */
  readonly stamp: SessionStamp | null;
  readonly timeoutMs: number;
  /** Monotonic ms. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly overGrpc: OverGrpc;
}

export class NativeChanges {
  readonly #calls: NativeCalls;
  readonly #stamps: RequestStamps;

  constructor(calls: NativeCalls, random: Random) {
    this.#calls = calls;
    this.#stamps = new RequestStamps(random, calls.options.clock);
  }

  /** Throws what is refused before it is sent; rejects the rest. */
  make(
    { pool, shard }: Placed,
    kind: ObjectChange['kind'],
    request: ChangeRequest,
    overGrpc: OverGrpc,
  ): Promise<PutResult> {
    const { ack, signal, session } = request;
    checkNumbers(request);
    if (kind !== 'remove') checkRaw(pool, request, shard.raw);
    // What nobody answers is not sent twice.
    const stamp = session === undefined && ack !== 'none' ? this.#stamps.take() : null;
    try {
      const change = toChange(kind, request, pool, stamp ?? session);
      const timeoutMs = this.#calls.limitOf(request.timeoutMs);
      const deadline = this.#calls.options.clock.monotonicMs() + timeoutMs;
      const way = { change, stamp, timeoutMs, deadline, signal, overGrpc };
      return unlessAborted(this.#first(way, shard), signal);
    } catch (caught) {
      this.#giveBack(stamp);
      throw caught;
    }
  }

  /** The first try is the one that counts: nothing is made for others. */
  #first(way: Way, { shard, writers }: RoutedShard): Promise<PutResult> {
    const connection = this.#calls.options.doors.route(writers);
    if (connection === null) return this.#again(way, null, null);
    const attempt = attemptMs(way.timeoutMs, writers.length);
    return new Promise((resolve, reject) => {
      const answer: ChangeAnswer = {
        resolve: (result) => {
          this.#giveBack(way.stamp);
          resolve(result);
        },
        reject: (error) => {
          this.#again(way, connection.nodeId, error).then(resolve, reject);
        },
      };
      this.#ask(connection, way, shard, attempt, answer);
    });
  }

  /** `failed`: how the first try ended, at the node; null: there was none. */
  async #again(way: Way, node: number | null, failed: FreshetError | null): Promise<PutResult> {
    const { change, stamp, overGrpc } = way;
    const { key, session } = change;
    let asked = node;
    let isElsewhere = failed !== null && isForGrpc(failed);
    const run = async (timeoutMs: number): Promise<PutResult> => {
      const placed = isElsewhere ? null : this.#calls.place(key);
      const connection =
        placed === null ? null : this.#calls.options.doors.route(placed.shard.writers, asked);
      if (placed !== null && connection !== null) {
        asked = connection.nodeId;
        try {
          return await new Promise<PutResult>((resolve, reject) => {
            const answer = { resolve, reject };
            this.#ask(connection, way, placed.shard.shard, timeoutMs, answer);
          });
        } catch (caught) {
          const error = toFreshetError(caught);
          if (!isForGrpc(error)) throw error;
          isElsewhere = true;
          this.#calls.onFailure(error);
        }
      }
      return overGrpc(session ?? undefined, timeoutMs);
    };
    if (failed !== null) this.#calls.onFailure(failed);
    try {
      const members = (): number => this.#calls.place(key)?.shard.writers.length ?? 1;
      const call = { ...way, key: stamp === null ? null : key, members };
      return await this.#calls.insist(call, run, isElsewhere ? null : failed);
    } finally {
      this.#giveBack(stamp);
    }
  }

  #ask(
    connection: DoorConnection,
    { change }: Way,
    shard: number,
    timeoutMs: number,
    answer: ChangeAnswer,
  ): void {
    const { clock, statusNames } = this.#calls.options;
    const until = clock.monotonicMs() + timeoutMs;
    connection.ask(new ChangeCall(change, shard, until, statusNames, answer));
  }

  #giveBack(stamp: SessionStamp | null): void {
    if (stamp !== null) this.#stamps.done(stamp);
  }
}

/** As the other doors take them; INVALID_ARGUMENT names the argument. */
function checkNumbers({ ack, expect, timeoutMs }: ChangeRequest): void {
  if (ack !== undefined) enumNumber(acks, ack, 'ack');
  if (timeoutMs !== undefined) timeoutNumber(timeoutMs);
  if (expect === undefined) return;
  versionNumber(expect.version, 'expect.version');
  versionNumber(expect.versionOfKey, 'expect.versionOfKey');
  versionNumber(expect.epoch, 'expect.epoch');
}
