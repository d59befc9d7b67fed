/**
 * A shard that this member does not hold, through a member that does: each call is one message and
 * one answer. `serveShards` is the other end.
 */
import {
  type Clock,
  errorFromObject,
  FreshetError,
  isFreshetError,
  limits,
  type ObjectRecord,
  type PutOutcome,
  type PutResult,
  type Random,
  type ReadLevel,
  RequestStamps,
  type SessionStamp,
  type ShardFrontier,
  toFreshetError,
} from '../base/mod.ts';
import type { Group, PeerMessages, ShardLayout } from '../group/mod.ts';
import type {
  FeedEvent,
  FeedOptions,
  ScanPage,
  ShardAccess,
  ShardCallLimits,
  ShardChange,
  ShardFeed,
  ShardRead,
  ShardScan,
  VersionPlace,
} from './shard-access.ts';
import { lookAgain } from './look-again.ts';
import { bringValue, ComingValues, type Crc32c, fetchValue, isLong } from './long-values.ts';
import { storeLimits } from './store-limits.ts';

const methods = [
  'put',
  'putMany',
  'read',
  'readPart',
  'checkVersion',
  'scan',
  'history',
  'feed',
  'feedStart',
  'frontier',
  'epochOf',
  'versionAtTime',
] as const;
type Method = (typeof methods)[number];
/** What a call is made with, for the member that is asked. */
type MakeArgument = (timeoutMs: number, node: number) => unknown[] | Promise<unknown[]>;

/** Answers are awaited a little longer than the work may take there. */
const answerGraceMs = 500;
const shortCall: ShardCallLimits = Object.freeze({ timeoutMs: 10_000, signal: null });

/** The holder was lost, or holds the shard no more. */
const sentAgain: ReadonlySet<string> = new Set(['UNREACHABLE', 'SHARD_STOPPED', 'NOT_A_MEMBER']);

function isSentAgain(outcome: unknown): boolean {
  return isFreshetError(outcome) && sentAgain.has(outcome.code);
}

export interface RemoteShardOptions {
  readonly messages: PeerMessages;
  readonly group: Group;
  readonly clock: Clock;
  readonly random: Random;
  readonly crc32c: Crc32c;
}

export class RemoteShard implements ShardAccess {
  readonly shard: number;
  readonly #messages: PeerMessages;
  readonly #group: Group;
  readonly #clock: Clock;
  readonly #stamps: RequestStamps;
  readonly #crc32c: Crc32c;
  #nextBrought = 1;

  constructor(layout: ShardLayout, { messages, group, clock, random, crc32c }: RemoteShardOptions) {
    this.#crc32c = crc32c;
    this.#stamps = new RequestStamps(random, clock);
    this.shard = layout.shard;
    this.#messages = messages;
    this.#group = group;
    this.#clock = clock;
  }

  async put(change: ShardChange, call: ShardCallLimits): Promise<PutResult> {
    return this.#stamped([change], async ([stamped]) => {
      const send = isLong(change.value)
        ? this.#bringing(stamped as ShardChange, change.value, call.signal)
        : (timeoutMs: number): unknown[] => [stamped, timeoutMs];
      return (await this.#insist('put', send, call)) as PutResult;
    });
  }

  /** Its value is brought first, to the member that is asked then. */
  #bringing(change: ShardChange, value: Uint8Array, signal: AbortSignal | null): MakeArgument {
    return async (timeoutMs, node) => {
      const deadline = this.#clock.monotonicMs() + timeoutMs;
      const leftMs = (): number => Math.max(1, deadline - this.#clock.monotonicMs());
      const id = this.#nextBrought++;
      const place = { node, shard: this.shard, id };
      await bringValue(this.#messages, place, value, { leftMs, signal });
      return [{ ...change, value: null }, leftMs(), id];
    };
  }

  async putMany(
    changes: readonly ShardChange[],
    call: ShardCallLimits,
  ): Promise<readonly PutOutcome[]> {
    return this.#stamped(changes, (stamped) => this.#insistMany(stamped, call));
  }

  begin(): boolean {
    return false;
  }

  glance(): null {
    return null;
  }

  async read(read: ShardRead, call: ShardCallLimits): Promise<ObjectRecord | null> {
    return lookAgain(read, () => this.#readOnce(read, call));
  }

  async #readOnce(read: ShardRead, call: ShardCallLimits): Promise<ObjectRecord | null> {
    const { maxBytes = Infinity } = read;
    const asked = { ...read, maxBytes: Math.min(maxBytes, limits.valueBytesWhole) };
    const argument = (timeoutMs: number): unknown[] => [asked, timeoutMs];
    const found = (await this.#insist('read', argument, call)) as ObjectRecord | null;
    const isLeftOut = found?.value === null && !found.removed && read.wantValue;
    if (!isLeftOut || found.size > maxBytes) return found;
    return { ...found, value: await this.#fetchValue(found, call) };
  }

  /** However long it takes, as long as each part comes in time. */
  async #fetchValue(place: VersionPlace, call: ShardCallLimits): Promise<Uint8Array> {
    const fetch = (): Promise<Uint8Array | null> =>
      fetchValue((from) => this.readPart(place, from, call), this.#crc32c);
    const value = await fetch();
    if (value !== null) return value;
    // Nobody looks at parts where they are read: there it may be damaged.
    await this.checkVersion(place, call);
    const mended = await fetch();
    if (mended !== null) return mended;
    throw new FreshetError('UNREACHABLE', 'A long value did not come as it is stored');
  }

  async readPart(
    { version, epoch }: VersionPlace,
    from: number,
    call: ShardCallLimits,
  ): Promise<Uint8Array> {
    const argument = (timeoutMs: number): unknown[] => [{ version, epoch }, from, timeoutMs];
    return (await this.#insist('readPart', argument, call)) as Uint8Array;
  }

  async checkVersion({ version, epoch }: VersionPlace, call: ShardCallLimits): Promise<void> {
    const argument = (timeoutMs: number): unknown[] => [{ version, epoch }, timeoutMs];
    await this.#insist('checkVersion', argument, call);
  }

  async scan(scan: ShardScan, resume: Uint8Array | null, call: ShardCallLimits): Promise<ScanPage> {
    const argument = (timeoutMs: number): unknown[] => [scan, resume, timeoutMs];
    return (await this.#insist('scan', argument, call)) as ScanPage;
  }

  async history(
    key: string,
    from: number,
    to: number,
    limit: number,
    call: ShardCallLimits,
  ): Promise<readonly ObjectRecord[]> {
    const argument = (timeoutMs: number): unknown[] => [key, from, to, limit, timeoutMs];
    return (await this.#insist('history', argument, call)) as readonly ObjectRecord[];
  }

  feed(options: FeedOptions): ShardFeed {
    return new RemoteFeed(options, (method, argument, call) =>
      this.#call(method, () => argument, call),
    );
  }

  async frontier(read: ReadLevel, call: ShardCallLimits): Promise<ShardFrontier> {
    const argument = (timeoutMs: number): unknown[] => [read, timeoutMs];
    return (await this.#insist('frontier', argument, call)) as ShardFrontier;
  }

  async epochOf(version: number): Promise<number | null> {
    return (await this.#insist('epochOf', () => [version], shortCall)) as number | null;
  }

  async versionAtTime(time: number, read: ReadLevel, call: ShardCallLimits): Promise<number> {
    const argument = (timeoutMs: number): unknown[] => [time, read, timeoutMs];
    return (await this.#insist('versionAtTime', argument, call)) as number;
  }

  /** With session identities, so that what is sent again is applied once. */
  async #stamped<Result>(
    changes: readonly ShardChange[],
    send: (stamped: readonly ShardChange[]) => Promise<Result>,
  ): Promise<Result> {
    const given: SessionStamp[] = [];
    const stamped = changes.map((change) => {
      if (change.session !== null) return change;
      const session = this.#stamps.take();
      given.push(session);
      return { ...change, session };
    });
    try {
      return await send(stamped);
    } finally {
      for (const stamp of given) this.#stamps.done(stamp);
    }
  }

  /**
   * Sent again, perhaps to another holder, until the call's time is over. That nobody took it in the
   * end does not tell what became of it before.
   */
  async #insist(method: Method, argument: MakeArgument, call: ShardCallLimits): Promise<unknown> {
    const deadline = this.#clock.monotonicMs() + call.timeoutMs;
    let cutOff: FreshetError | null = null;
    for (;;) {
      const timeoutMs = Math.max(1, deadline - this.#clock.monotonicMs());
      try {
        return await this.#call(method, argument, { ...call, timeoutMs });
      } catch (caught) {
        const wasNotMade = isFreshetError(caught, 'NOT_A_MEMBER');
        const isOver = this.#clock.monotonicMs() >= deadline || call.signal?.aborted === true;
        if (isOver && wasNotMade) throw cutOff ?? caught;
        if (isOver || !isSentAgain(caught)) throw caught;
        if (!wasNotMade) cutOff = toFreshetError(caught);
        await this.#pause();
      }
    }
  }

  /** What the holder of then did not make is sent again like a change of its own. */
  async #insistMany(
    changes: readonly ShardChange[],
    call: ShardCallLimits,
  ): Promise<readonly PutOutcome[]> {
    const deadline = this.#clock.monotonicMs() + call.timeoutMs;
    const outcomes = new Map<ShardChange, PutOutcome>();
    const cutOff = new Map<ShardChange, PutOutcome>();
    let left = changes;
    for (;;) {
      const timeoutMs = Math.max(1, deadline - this.#clock.monotonicMs());
      const answers = await this.#sendMany(left, { ...call, timeoutMs });
      left.forEach((change, nth) => {
        const answer = answers[nth] as PutOutcome;
        const wasNotMade = isFreshetError(answer, 'NOT_A_MEMBER');
        outcomes.set(change, wasNotMade ? (cutOff.get(change) ?? answer) : answer);
        if (isSentAgain(answer) && !wasNotMade) cutOff.set(change, answer);
      });
      left = left.filter((change) => isSentAgain(outcomes.get(change)));
      const isOver = this.#clock.monotonicMs() >= deadline || call.signal?.aborted === true;
      if (left.length === 0 || isOver) break;
      await this.#pause();
    }
    return changes.map((change) => outcomes.get(change) as PutOutcome);
  }

  async #sendMany(
    changes: readonly ShardChange[],
    call: ShardCallLimits,
  ): Promise<readonly PutOutcome[]> {
    try {
      const answers = await this.#insist('putMany', (timeoutMs) => [changes, timeoutMs], call);
      return (answers as unknown[]).map((answer) =>
        typeof answer === 'object' && answer !== null && 'code' in answer
          ? errorFromObject(answer)
          : (answer as PutResult),
      );
    } catch (caught) {
      const error = toFreshetError(caught);
      return changes.map(() => error);
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(storeLimits.stoppedPauseMs, resolve);
    });
  }

  /** Waited for as long as the call may take: a view with one may be on its way. */
  async #holder(method: Method, call: ShardCallLimits): Promise<number> {
    const deadline = this.#clock.monotonicMs() + call.timeoutMs;
    for (;;) {
      if (!this.#group.layout.has(this.shard)) throw this.#unreachedError([]);
      const fitting = this.#fitting(method);
      const holders = fitting.filter((node) => this.#messages.up.has(node));
      const node = holders[this.shard % Math.max(1, holders.length)];
      if (node !== undefined) {
        return node;
      }
      if (call.signal?.aborted === true) {
        throw new FreshetError('CANCELLED', `The call of shard ${String(this.shard)} was given up`);
      }
      if (this.#clock.monotonicMs() >= deadline) {
        throw this.#unreachedError(fitting);
      }
      await this.#pause();
    }
  }

  #unreachedError(holders: readonly number[]): FreshetError {
    const shard = String(this.shard);
    if (holders.length === 0) {
      return this.#group.stoppedError(this.shard, 'No member holds what was asked for');
    }
    const held = holders.map(String).join(', ');
    return new FreshetError(
      'NOT_A_MEMBER',
      `Shard ${shard} is reached by members ${held}, none of which is connected`,
      { mend: this.#group.explain(), details: { shard: this.shard } },
    );
  }

  async #call(method: Method, argument: MakeArgument, call: ShardCallLimits): Promise<unknown> {
    const node = await this.#holder(method, call);
    const made = await argument(call.timeoutMs, node);
    return this.#messages.call(node, `shard.${method}`, [this.shard, ...made], {
      timeoutMs: call.timeoutMs + answerGraceMs,
      signal: call.signal,
    });
  }

  /** What changes a shard goes to a member that sends in it. */
  #fitting(method: Method): readonly number[] {
    const isChange = method === 'put' || method === 'putMany';
    return isChange ? this.#group.senders(this.shard) : this.#group.holders(this.shard);
  }
}

type FeedPlace = Pick<ShardFeed, 'position' | 'epochBefore'>;

type FeedCall = (
  method: 'feed' | 'feedStart',
  argument: unknown[],
  call: ShardCallLimits,
) => Promise<unknown>;

/** Asks again and again for what comes next; nothing is kept at the other member between. */
class RemoteFeed implements ShardFeed {
  readonly #options: FeedOptions;
  readonly #call: FeedCall;
  readonly #abort = new AbortController();
  #position: number;
  #epochBefore: number;

  constructor(options: FeedOptions, call: FeedCall) {
    this.#options = options;
    this.#call = call;
    this.#position = options.from ?? 0;
    this.#epochBefore = options.epochBefore ?? 0;
  }

  get position(): number {
    return this.#position;
  }

  get epochBefore(): number {
    return this.#epochBefore;
  }

  async start(): Promise<void> {
    if (this.#position === 0) {
      this.#takePlace(await this.#call('feedStart', [this.#options], shortCall));
    }
  }

  async next(max: number): Promise<readonly FeedEvent[]> {
    await this.start();
    for (;;) {
      if (this.#abort.signal.aborted) {
        throw new FreshetError('CLOSED', 'The watch was closed');
      }
      const place = { from: this.#position, epochBefore: this.#epochBefore };
      const options = { ...this.#options, ...place };
      const call = { timeoutMs: storeLimits.remoteFeedWaitMs, signal: this.#abort.signal };
      const answer = await this.#call('feed', [options, max], call);
      this.#takePlace(answer);
      const { events } = answer as { readonly events: readonly FeedEvent[] };
      if (events.length > 0) {
        return events;
      }
    }
  }

  #takePlace(answer: unknown): void {
    const { position, epochBefore } = answer as FeedPlace;
    this.#position = position;
    this.#epochBefore = epochBefore;
  }

  close(): void {
    this.#abort.abort();
  }
}

/** Lets other members use the shards that this one holds. Arguments come from members only. */
export function serveShards(
  messages: PeerMessages,
  local: (shard: number) => ShardAccess,
  clock: Clock,
): void {
  const coming = new ComingValues(messages, clock);
  for (const method of methods) {
    messages.handle(`shard.${method}`, async (from, argument) => {
      const [shard, ...rest] = argument as [number, ...unknown[]];
      const isBrought = method === 'put' && rest.length > 2;
      if (isBrought)
        rest[0] = {
          ...(rest[0] as ShardChange),
          value: coming.claim({ node: from, shard, id: rest[2] as number }),
        };
      return serve(local(shard), method, rest, clock);
    });
  }
}

async function serve(
  shard: ShardAccess,
  method: Method,
  argument: readonly unknown[],
  clock: Clock,
): Promise<unknown> {
  // Arguments were made by RemoteShard of another member, which is authenticated.
  const given = argument as readonly never[];
  const at = (nth: number): never => given[nth] as never;
  const call = (nth: number): ShardCallLimits => ({ timeoutMs: at(nth), signal: null });
  switch (method) {
    case 'put':
      return shard.put(at(0), call(1));
    case 'putMany': {
      const outcomes = await shard.putMany(at(0), call(1));
      return outcomes.map((outcome) => (isFreshetError(outcome) ? outcome.toJSON() : outcome));
    }
    case 'read':
      return shard.read(at(0), call(1));
    case 'readPart':
      return shard.readPart(at(0), at(1), call(2));
    case 'checkVersion':
      return shard.checkVersion(at(0), call(1));
    case 'scan':
      return shard.scan(at(0), at(1), call(2));
    case 'history':
      return shard.history(at(0), at(1), at(2), at(3), call(4));
    case 'feedStart':
      return startOf(shard.feed(at(0)));
    case 'feed':
      return pollFeed(shard.feed(at(0)), at(1), clock);
    case 'frontier':
      return shard.frontier(at(0), call(1));
    case 'epochOf':
      return shard.epochOf(at(0));
    case 'versionAtTime':
      return shard.versionAtTime(at(0), at(1), call(2));
  }
}

async function startOf(feed: ShardFeed): Promise<FeedPlace> {
  await feed.start();
  const { position, epochBefore } = feed;
  feed.close();
  return { position, epochBefore };
}

async function pollFeed(feed: ShardFeed, max: number, clock: Clock): Promise<unknown> {
  let cancel = (): void => undefined;
  const timedOut = new Promise<readonly FeedEvent[]>((resolve) => {
    cancel = clock.after(storeLimits.remoteFeedWaitMs / 2, () => {
      resolve([]);
    });
  });
  const coming = feed.next(max);
  // Closing rejects what still waits; that is no news.
  coming.catch(() => undefined);
  try {
    const { position: from, epochBefore: before } = feed;
    const events = await Promise.race([coming, timedOut]);
    // What comes with the end of the wait is handed out by the next one.
    const { version, epoch } = events.at(-1)?.object ?? { version: from - 1, epoch: before };
    return { events, position: version + 1, epochBefore: epoch };
  } finally {
    cancel();
    feed.close();
  }
}
