/**
 * Triggers through native doors, to each member that is to take one. As over gRPC they are sent
 * once: where a connection is lost on the way, nobody knows.
 *
 * Thread: event loop.
 * Invariant: over gRPC goes only what no member has taken in.
 */
import {
  checkedEventTime,
  checkSize,
  encodeMeta,
  type TriggerRequest,
  type TriggerResult,
} from '../../base/mod.ts';
import { timeoutNumber } from '../numbers.ts';
import type { DoorConnection } from './door-connection.ts';
import type { TriggerFrame } from './door-frames.ts';
import { type NativeCalls, type Placed, unlessAborted } from './native-calls.ts';
import { TriggerCall } from './trigger-call.ts';

/** Makes a trigger over gRPC. */
export type TriggerOverGrpc = (request: TriggerRequest) => Promise<TriggerResult>;

export class NativeTriggers {
  readonly #calls: NativeCalls;

  constructor(calls: NativeCalls) {
    this.#calls = calls;
  }

  /** Throws what is refused before it is sent; rejects the rest. */
  put(
    { pool, shard }: Placed,
    request: TriggerRequest,
    overGrpc: TriggerOverGrpc,
  ): Promise<TriggerResult> {
    const { key, value, signal } = request;
    if (request.timeoutMs !== undefined) timeoutNumber(request.timeoutMs);
    checkSize(key, value.byteLength, pool);
    const eventTime = checkedEventTime(key, request.eventTime);
    const meta = encodeMeta(request.meta);
    const targets = this.#targets(request, shard.members);
    if (targets === null) return overGrpc(request);
    const frame = { pool: pool.id, key, value, meta, eventTime };
    const timeoutMs = this.#calls.limitOf(request.timeoutMs);
    const all = Promise.all(
      targets.map(async (target) => {
        const time = await this.#ask(target, frame, timeoutMs);
        return time ?? (await overGrpc({ ...request, to: [target.nodeId] })).time;
      }),
    );
    const members = targets.map(({ nodeId }) => nodeId);
    return unlessAborted(
      all.then((times) => ({ members, time: Math.max(...times) })),
      signal,
    );
  }

  /** Who is to take it; null: not all of them can be asked here, a member knows whom to take. */
  #targets(
    { key, to = 'one' }: TriggerRequest,
    holders: readonly number[],
  ): readonly DoorConnection[] | null {
    const { doors, topology } = this.#calls.options;
    const named = Array.isArray(to) ? [...new Set<number>(to)] : [];
    const wanted = to === 'one' || to === 'all' ? holders : named;
    const open = wanted.map((node) => doors.open(node));
    const connections = open.filter((connection) => connection !== null);
    if (connections.length < wanted.length || connections.length === 0) return null;
    if (to !== 'one') return connections;
    const place = topology.current?.triggerPlace(key, connections.length) ?? 0;
    return connections.slice(place, place + 1);
  }

  /** When it was taken in, µs; null: it was not. */
  #ask(target: DoorConnection, frame: TriggerFrame, timeoutMs: number): Promise<number | null> {
    const until = this.#calls.options.clock.monotonicMs() + timeoutMs;
    return new Promise((resolve, reject) => {
      const refuse = (): void => {
        resolve(null);
      };
      target.ask(new TriggerCall(frame, until, { resolve, refuse, reject }));
    });
  }
}
