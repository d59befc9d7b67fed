/**
 * A door to any of several members. What fails because a member is gone is asked again, at the next
 * one, until the call's time is over; changes go under a session, so that each is made once however
 * often it is sent, and answered as the first time.
 *
 * Thread: event loop.
 * Invariants
 *  1. A change has one stamp for all its tries; the stamp is given back once nobody tries any more.
 *  2. A change whose outcome is not known is rejected as TIMEOUT, SESSION_EXPIRED, or with the
 *     error of its only try; never as one that was not made.
 *  3. Triggers, the removal of pools and streams that have begun are not tried again. A pool that
 *     is there with the same options is as good as made.
 */
import {
  type CallLimits,
  type Clock,
  FreshetError,
  type GetRequest,
  type HistoryRequest,
  isFreshetError,
  limits,
  type ListRequest,
  type ObjectRecord,
  type PoolInfo,
  type PoolOptions,
  type PutOutcome,
  type PutRequest,
  type PutResult,
  type Random,
  type RemoveRequest,
  RequestStamps,
  type SessionStamp,
  type ShardFrontier,
  timeoutOf,
  toFreshetError,
  type TriggerRequest,
  type TriggerResult,
  type WatchEvent,
  type WatchRequest,
} from '../base/mod.ts';
import type { Door, ViewInfo } from './door.ts';
import { insist } from './insist.ts';
import { isGone } from './retry-policy.ts';

export interface SessionDoorOptions<Member extends Door = Door> {
  /** At least one; the first that answers is used until it fails. */
  readonly addresses: readonly string[];
  readonly open: (address: string) => Member;
  /** Of calls that name no limit of their own. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Resolves after so many ms, and keeps the process alive until then. */
  readonly pause: (delayMs: number) => Promise<void>;
}

type Try<Member, Result> = (door: Member, timeoutMs: number) => Promise<Result>;

export class SessionDoor<Member extends Door = Door> implements Door {
  readonly #options: SessionDoorOptions<Member>;
  readonly #doors: (Member | null)[];
  readonly #stamps: RequestStamps;
  /** Of the member in use. */
  #current = 0;
  #isClosed = false;

  constructor(options: SessionDoorOptions<Member>) {
    this.#options = options;
    this.#doors = options.addresses.map(() => null);
    this.#stamps = new RequestStamps(options.random, options.clock);
    if (options.addresses.length === 0) {
      throw new FreshetError('INVALID_ARGUMENT', 'No address of a member was given');
    }
  }

  /** Finds a member that answers; UNREACHABLE as the last of them says it. */
  async connect(): Promise<void> {
    for (let nth = 1; ; nth++) {
      const at = this.#current;
      try {
        await this.#door(at).members();
        return;
      } catch (caught) {
        const error = toFreshetError(caught);
        if (!isGone(error.code) || nth >= this.#doors.length) throw error;
        this.#leave(at);
      }
    }
  }

  /** Asks a member something of its own, another one when it is gone. */
  async ask<Result>(call: CallLimits, run: Try<Member, Result>): Promise<Result> {
    return this.#insist(call, run);
  }

  async put(request: PutRequest): Promise<PutResult> {
    const bytes = request.value.byteLength;
    return this.#change(request, (door, change) => door.put(change), bytes);
  }

  async putMany(requests: readonly PutRequest[]): Promise<readonly PutOutcome[]> {
    // Doors gather what one turn of the event loop asks.
    return Promise.all(
      requests.map(async (request) =>
        this.put(request).catch((error: unknown) => toFreshetError(error)),
      ),
    );
  }

  async remove(request: RemoveRequest): Promise<PutResult> {
    return this.#change(request, (door, change) => door.remove(change));
  }

  async get(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#insist(request, (door, timeoutMs) => door.get({ ...request, timeoutMs }));
  }

  async stat(request: GetRequest): Promise<ObjectRecord | null> {
    return this.#insist(request, (door, timeoutMs) => door.stat({ ...request, timeoutMs }));
  }

  history(request: HistoryRequest): AsyncIterable<ObjectRecord> {
    return this.#stream((door) => door.history(request));
  }

  list(request: ListRequest): AsyncIterable<string> {
    return this.#stream((door) => door.list(request));
  }

  watch(request: WatchRequest): AsyncIterable<WatchEvent> {
    return this.#stream((door) => door.watch(request));
  }

  query(plan: unknown, signal?: AbortSignal): AsyncIterable<unknown> {
    return this.#stream((door) => door.query(plan, signal));
  }

  async triggerPut(request: TriggerRequest): Promise<TriggerResult> {
    return this.#once((door) => door.triggerPut(request));
  }

  async frontier(pool: string): Promise<readonly ShardFrontier[]> {
    return this.#insist({}, (door) => door.frontier(pool));
  }

  async pools(): Promise<readonly PoolInfo[]> {
    return this.#insist({}, (door) => door.pools());
  }

  async createPool(options: PoolOptions): Promise<PoolInfo> {
    return this.#insist({}, (door) => door.createPool(options));
  }

  async removePool(name: string): Promise<void> {
    await this.#once((door) => door.removePool(name));
  }

  async members(): Promise<ViewInfo> {
    return this.#insist({}, (door) => door.members());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#doors.map(async (door) => door?.close()));
  }

  /** `bytes`: of its value. */
  async #change<Request extends RemoveRequest>(
    request: Request,
    send: (door: Door, change: Request) => Promise<PutResult>,
    bytes = 0,
  ): Promise<PutResult> {
    const ask = (session: SessionStamp, key: string | null): Promise<PutResult> => {
      const run: Try<Member, PutResult> = (door, timeoutMs) =>
        send(door, { ...request, session, timeoutMs });
      return this.#insist(request, run, key, bytes);
    };
    if (request.session !== undefined) return ask(request.session, null);
    const session = this.#stamps.take();
    try {
      return await ask(session, request.key);
    } finally {
      this.#stamps.done(session);
    }
  }

  /**
   * `key`: of a change, whose outcome is not known once a try of it was given up; `bytes` go with
   * each try.
   */
  async #insist<Result>(
    { timeoutMs, signal }: CallLimits,
    run: Try<Member, Result>,
    key: string | null = null,
    bytes = 0,
  ): Promise<Result> {
    const { clock, pause } = this.#options;
    const limitMs = timeoutMs ?? this.#limitOf(bytes);
    const deadline = clock.monotonicMs() + limitMs;
    let at = this.#current;
    const leave = (): void => {
      this.#leave(at);
    };
    const members = (): number => this.#doors.length;
    const isClosed = (): boolean => this.#isClosed;
    const asked = { timeoutMs: limitMs, deadline, bytes, signal, key };
    const call = { ...asked, clock, pause, members, isClosed, leave };
    return insist(call, async (left) => {
      at = this.#current;
      return run(this.#door(at), left);
    });
  }

  #limitOf(bytes: number): number {
    const { timeoutMs } = this.#options;
    return bytes > limits.valueBytesWhole ? Math.max(timeoutMs, timeoutOf(bytes)) : timeoutMs;
  }

  async #once<Result>(run: (door: Door) => Promise<Result>): Promise<Result> {
    const at = this.#current;
    try {
      return await run(this.#door(at));
    } catch (caught) {
      if (isFreshetError(caught) && isGone(caught.code)) this.#leave(at);
      throw caught;
    }
  }

  async *#stream<Item>(open: (door: Door) => AsyncIterable<Item>): AsyncGenerator<Item> {
    for (let tries = 1; ; tries++) {
      const at = this.#current;
      let hasBegun = false;
      try {
        for await (const item of open(this.#door(at))) {
          hasBegun = true;
          yield item;
        }
        return;
      } catch (caught) {
        if (!isFreshetError(caught, 'UNREACHABLE') || this.#isClosed) throw caught;
        this.#leave(at);
        if (hasBegun || tries >= this.#doors.length) throw caught;
      }
    }
  }

  #door(at: number): Member {
    if (this.#isClosed) throw new FreshetError('CLOSED', 'The connection was closed');
    const address = this.#options.addresses[at] as string;
    const door = this.#doors[at] ?? this.#options.open(address);
    this.#doors[at] = door;
    return door;
  }

  /** The next one is used, unless another call has gone on already. */
  #leave(at: number): void {
    if (at === this.#current) this.#current = (at + 1) % this.#doors.length;
  }
}
