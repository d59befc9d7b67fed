/**
 * Changes through native doors, each under one stamp however often and wherever it is tried.
 *
 * Thread: event loop.
 * Invariants
 *  1. The stamp of a change is given back once nobody tries it any more.
 *  2. What a member refuses for good is told as its store tells it, over gRPC.
 *  3. Every change that was made ends once.
 */
import {
  checkRaw,
  type FreshetError,
  type ObjectChange,
  type PutOutcome,
  type PutRequest,
  type PutResult,
  type Random,
  type RemoveRequest,
  RequestStamps,
  type OutcomeSink,
  type SessionStamp,
  toChange,
  toFreshetError,
} from '../../base/mod.ts';
import { acks } from '../../bridge/mod.ts';
import type { Door } from '../door.ts';
import { enumNumber, timeoutNumber, versionNumber } from '../numbers.ts';
import { attemptMs } from '../retry-policy.ts';
import { type ChangeAnswer, ChangeCall } from './change-call.ts';
import type { DoorConnection } from './door-connection.ts';
import { isForGrpc, type NativeCalls, type Placed } from './native-calls.ts';

/** Of a put the value is there. */
export type ChangeRequest = RemoveRequest & Pick<Partial<PutRequest>, 'value'>;

/** A change on its way, and what becomes of its first try. */
class Way implements ChangeAnswer {
  readonly change: ObjectChange;
  readonly request: ChangeRequest;
  /** To be given back; null: it is the caller's, or there is none. */
  readonly stamp: SessionStamp | null;
  readonly timeoutMs: number;
  /** Monotonic ms. */
  readonly deadline: number;
  readonly #owner: NativeChanges;
  readonly #end: OutcomeSink;
  readonly #nth: number;
  /** That was asked first; null: nobody was. */
  #node: number | null = null;

  constructor(
    owner: NativeChanges,
    change: ObjectChange,
    request: ChangeRequest,
    stamp: SessionStamp | null,
    timeoutMs: number,
    deadline: number,
    end: OutcomeSink,
    nth: number,
  ) {
    this.#owner = owner;
    this.change = change;
    this.request = request;
    this.stamp = stamp;
    this.timeoutMs = timeoutMs;
    this.deadline = deadline;
    this.#end = end;
    this.#nth = nth;
  }

  get signal(): AbortSignal | undefined {
    return this.request.signal;
  }

  askedAt(node: number): this {
    this.#node = node;
    return this;
  }

  resolve(result: PutResult): void {
    this.#owner.giveBack(this.stamp);
    this.#end.settle(this.#nth, result);
  }

  /** The first try ended so; null: nobody could be asked. */
  reject(failed: FreshetError | null): void {
    const settle = (outcome: PutOutcome): void => {
      this.#end.settle(this.#nth, outcome);
    };
    const fail = (caught: unknown): void => {
      settle(toFreshetError(caught));
    };
    this.#owner.again(this, this.#node, failed).then(settle, fail);
  }
}

export class NativeChanges {
  readonly #calls: NativeCalls;
  readonly #grpc: Pick<Door, 'put' | 'remove'>;
  readonly #stamps: RequestStamps;

  constructor(calls: NativeCalls, grpc: Pick<Door, 'put' | 'remove'>, random: Random) {
    this.#calls = calls;
    this.#grpc = grpc;
    this.#stamps = new RequestStamps(random, calls.options.clock);
  }

  /** Throws what is refused before it is sent; all else goes to the end. `nowMs`: monotonic. */
  make(
    { pool, shard }: Placed,
    kind: ObjectChange['kind'],
    request: ChangeRequest,
    nowMs: number,
    end: OutcomeSink,
    nth = 0,
  ): void {
    const { ack, session } = request;
    checkNumbers(request);
    if (kind !== 'remove') checkRaw(pool, request, shard.raw);
    const timeoutMs = this.#calls.limitOf(request.timeoutMs);
    // What nobody answers is not sent twice.
    const stamp = session === undefined && ack !== 'none' ? this.#stamps.take(nowMs) : null;
    let way: Way;
    try {
      const change = toChange(kind, request, pool, stamp ?? session);
      way = new Way(this, change, request, stamp, timeoutMs, nowMs + timeoutMs, end, nth);
    } catch (caught) {
      this.giveBack(stamp);
      throw caught;
    }
    const connection = this.#calls.options.doors.route(shard.writers);
    if (connection === null) {
      way.reject(null);
      return;
    }
    const until = nowMs + attemptMs(timeoutMs, shard.writers.length);
    this.#ask(connection, way.change, shard.shard, until, way.askedAt(connection.nodeId));
  }

  /** `failed`: how the first try ended, at the node; null: there was none. */
  async again(way: Way, node: number | null, failed: FreshetError | null): Promise<PutResult> {
    const { change, stamp } = way;
    const { key } = change;
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
            const until = this.#calls.options.clock.monotonicMs() + timeoutMs;
            this.#ask(connection, change, placed.shard.shard, until, { resolve, reject });
          });
        } catch (caught) {
          const error = toFreshetError(caught);
          if (!isForGrpc(error)) throw error;
          isElsewhere = true;
          this.#calls.onFailure(error);
        }
      }
      return this.#overGrpc(way, timeoutMs);
    };
    if (failed !== null) this.#calls.onFailure(failed);
    try {
      const members = (): number => this.#calls.place(key)?.shard.writers.length ?? 1;
      const { timeoutMs, deadline, signal } = way;
      const call = { timeoutMs, deadline, signal, key: stamp === null ? null : key, members };
      return await this.#calls.insist(call, run, isElsewhere ? null : failed);
    } finally {
      this.giveBack(stamp);
    }
  }

  giveBack(stamp: SessionStamp | null): void {
    if (stamp !== null) this.#stamps.done(stamp);
  }

  /** The same change, under its stamp if it has one, within the time. */
  #overGrpc({ change, request }: Way, timeoutMs: number): Promise<PutResult> {
    const { kind, session } = change;
    const again = session === null ? request : { ...request, session, timeoutMs };
    return kind === 'remove' ? this.#grpc.remove(again) : this.#grpc.put(again as PutRequest);
  }

  #ask(
    connection: DoorConnection,
    change: ObjectChange,
    shard: number,
    until: number,
    answer: ChangeAnswer,
  ): void {
    const { statusNames } = this.#calls.options;
    connection.ask(new ChangeCall(change, shard, until, statusNames, answer));
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
