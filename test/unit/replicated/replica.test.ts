import { describe, expect, test } from 'vitest';
import {
  createLogger,
  FreshetError,
  ManualClock,
  SeededRandom,
  silentLogger,
} from '../../../platform/base/mod.ts';
import { decodeValue, type Outcome } from '../../../platform/replicated/call-record.ts';
import { type CopyAccess, OrderedCaller } from '../../../platform/replicated/ordered-caller.ts';
import { Replica } from '../../../platform/replicated/replica.ts';
import type { LogEntry, ReplicaLog } from '../../../platform/replicated/replica-log.ts';
import { ReplicaState } from '../../../platform/replicated/replica-state.ts';
import { replicatedLimits } from '../../../platform/replicated/replicated-limits.ts';
import { Counter } from './counter.ts';

/** A log in memory that loses answers, and, if it forgets, calls before the newest snapshot. */
class MemoryLog {
  readonly entries: LogEntry[] = [];
  readonly #clock: ManualClock;
  readonly #random: SeededRandom;
  readonly #followers = new Map<(entries: readonly LogEntry[]) => void, (error: Error) => void>();
  readonly #snapshots: { bytes: Uint8Array; count: number }[] = [];
  #version = 0;
  #calls: number | null = null;
  epoch = 1;
  lossy = 0;
  /** Of its snapshots: how often they were asked for, and whether none can be read. */
  reads = 0;
  isUnreadable = false;
  /** Calls are answered no sooner. */
  answers: Promise<void> = Promise.resolve();
  keepsCalls = Infinity;

  constructor(clock: ManualClock, seed = 1) {
    this.#clock = clock;
    this.#random = new SeededRandom(seed);
  }

  get calls(): number {
    return this.entries.filter(({ kind }) => kind === 'call').length;
  }

  at(): ReplicaLog {
    return {
      forgets: this.keepsCalls < Infinity,
      refusal: () => null,
      append: async (bytes) => {
        await Promise.resolve();
        // Lost on the way there, or on the way back.
        if (this.#random.chance(this.lossy / 2)) throw lost();
        const { epoch } = this;
        const version = ++this.#version;
        const place = { version, epoch, time: version };
        this.#push({ kind: 'call', place, previous: this.#calls, bytes });
        this.#calls = version;
        await this.answers;
        if (this.#random.chance(this.lossy / 2)) throw lost();
      },
      readSnapshot: async () => {
        this.reads++;
        if (this.isUnreadable) throw lost();
        return Promise.resolve(this.#snapshots.at(-1) ?? null);
      },
      writeSnapshot: async (bytes, count) => {
        await Promise.resolve();
        this.#version++;
        this.#snapshots.push({ bytes, count });
        this.#push({ kind: 'snapshot', count });
      },
      follow: (from, onEntries, onEnd) => {
        let next = from;
        const follower = (entries: readonly LogEntry[]): void => {
          const fresh = entries.filter((entry) => {
            if (entry.kind === 'call' && entry.place.version < next) return false;
            if (entry.kind === 'call') next = entry.place.version + 1;
            return true;
          });
          onEntries(fresh);
        };
        queueMicrotask(() => {
          follower(this.entries.slice(-this.keepsCalls));
          this.#followers.set(follower, onEnd);
        });
        return { close: () => this.#followers.delete(follower) };
      },
      holds: ({ version, epoch }) => version === 0 || epoch === this.epoch,
    };
  }

  /** Nobody follows any more, as when the shard is read anew from disk. */
  end(): void {
    const ends = [...this.#followers.values()];
    this.#followers.clear();
    for (const end of ends) end(lost());
  }

  /** As when nobody is left of those that had the one there was. */
  beginHistory(): void {
    this.epoch++;
    this.entries.length = 0;
    this.#snapshots.length = 0;
    this.#version = 0;
    this.#calls = null;
  }

  #push(entry: LogEntry): void {
    this.entries.push(entry);
    // Later than an answer that is lost: the call is sent again before it is seen.
    this.#clock.after(50, () => {
      for (const follow of this.#followers.keys()) follow([entry]);
    });
  }
}

function lost(): FreshetError {
  return new FreshetError('SHARD_STOPPED', 'The view failed');
}

interface Copy {
  readonly replica: Replica;
  readonly caller: OrderedCaller;
  readonly call: (method: string, ...args: unknown[]) => Promise<Outcome>;
}

async function copyOf(
  log: MemoryLog,
  clock: ManualClock,
  node: number,
  leads = node === 1,
  logger = silentLogger(),
): Promise<Copy> {
  const replica = new Replica({
    name: '/counter',
    state: new ReplicaState(Counter),
    log: log.at(),
    clock,
    logger,
    snapshotCalls: 10,
    leads: () => leads,
    askSnapshot: () => Promise.resolve(),
  });
  await replica.start();
  await settled();
  const copy: CopyAccess = {
    count: () => Promise.resolve(replica.state.count),
    submit: (call, timeoutMs) => replica.submit(call, timeoutMs),
  };
  const caller = new OrderedCaller({ name: '/counter', node, run: 'r', clock, copy });
  const call = (method: string, ...args: unknown[]): Promise<Outcome> =>
    caller.call(method, args, 60_000, (outcome) => outcome);
  return { replica, caller, call };
}

/** Lets promises and timers go on until the work is done. */
async function passing<Result>(clock: ManualClock, work: Promise<Result>): Promise<Result> {
  const state = { isDone: false };
  const done = work.finally(() => {
    state.isDone = true;
  });
  done.catch(() => undefined);
  while (!state.isDone) {
    await settled();
    clock.advance(20);
  }
  return done;
}

/** Everything that waits for nothing but promises has gone on. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('calls over a log that loses half of all answers', () => {
  test.each([1, 2, 3, 4, 5])(
    'are applied once each, and copies are equal (seed %i)',
    async (seed) => {
      const clock = new ManualClock();
      const log = new MemoryLog(clock, seed);
      const copies = await Promise.all([1, 2, 3].map((node) => copyOf(log, clock, node)));
      log.lossy = 0.5;
      const calls = copies.flatMap(({ call }) => Array.from({ length: 40 }, () => call('add', 1)));
      const outcomes = await passing(clock, Promise.all(calls));
      const totals = outcomes.map(({ value }) => decodeValue(value) as number);
      expect(totals.sort((a, b) => a - b)).toEqual(
        Array.from({ length: 120 }, (_, nth) => nth + 1),
      );
      expect(log.calls).toBeGreaterThan(120);
      clock.advance(50);
      const states = copies.map(({ replica }) => replica.state.snapshot());
      expect(states[1]).toEqual(states[0]);
      expect(states[2]).toEqual(states[0]);
    },
  );
});

test('a joiner begins with a snapshot and the calls after it', async () => {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  log.keepsCalls = 8;
  const old = await copyOf(log, clock, 1);
  for (let nth = 0; nth < 25; nth++) await passing(clock, old.call('add', 1));
  const joiner = await copyOf(log, clock, 2);
  clock.advance(50);
  expect(joiner.replica.state.snapshot()).toEqual(old.replica.state.snapshot());
  expect(joiner.replica.state.count).toBe(25);
});

test('a copy that finds a gap goes on only from a snapshot behind it', async () => {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  log.keepsCalls = 3;
  // Nobody writes snapshots at first.
  const old = await copyOf(log, clock, 2);
  for (let nth = 0; nth < 25; nth++) await passing(clock, old.call('add', 1));
  const joiner = await copyOf(log, clock, 3);
  clock.advance(1000);
  await settled();
  expect(joiner.replica.state.count).toBe(0);
  await old.replica.writeSnapshot();
  await passing(clock, old.call('add', 1));
  clock.advance(1000);
  await settled();
  clock.advance(1000);
  expect(joiner.replica.state.count).toBe(26);
  expect(joiner.replica.state.snapshot()).toEqual(old.replica.state.snapshot());
});

test('what was applied of another history is undone', async () => {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  const copy = await copyOf(log, clock, 1);
  await passing(clock, copy.call('add', 5));
  copy.replica.onView();
  expect(copy.replica.state.count).toBe(1);
  log.epoch = 2;
  log.entries.length = 0;
  copy.replica.onView();
  expect(copy.replica.state.count).toBe(0);
});

test.each(['while it is not followed', 'while the snapshot to begin with is read'])(
  'what was applied of another history is undone: a view %s',
  async (when) => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    const copy = await copyOf(log, clock, 1);
    for (let nth = 0; nth < 12; nth++) await passing(clock, copy.call('add', 5));
    log.end();
    if (when.endsWith('read')) clock.advance(replicatedLimits.retryPauseMs);
    log.beginHistory();
    copy.replica.onView();
    const other = await copyOf(log, clock, 2);
    await passing(clock, other.call('add', 1));
    for (let nth = 0; nth < 5; nth++) {
      clock.advance(1000);
      await settled();
    }
    expect(copy.replica.state.snapshot()).toEqual(other.replica.state.snapshot());
    expect(copy.replica.state.count).toBe(1);
    expect(clock.timerCount).toBe(0);
  },
);

test('a copy that cannot go on tries less and less often, and says so once', async () => {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  const lines: string[] = [];
  const logger = createLogger({
    level: 'warn',
    destination: { write: (line) => lines.push(line) },
  });
  const copy = await copyOf(log, clock, 2, false, logger);
  log.isUnreadable = true;
  log.reads = 0;
  log.end();
  const { followPauseMsMax, retryPauseMs } = replicatedLimits;
  for (let ms = 0; ms < 20 * followPauseMsMax; ms += retryPauseMs) {
    clock.advance(retryPauseMs);
    await settled();
  }
  expect(log.reads).toBeGreaterThan(20);
  expect(log.reads).toBeLessThan(30);
  const saidNow = (): unknown[] => lines.map((line) => (JSON.parse(line) as { msg: unknown }).msg);
  expect(saidNow()).toEqual(['following the log again', 'no snapshot yet']);
  log.isUnreadable = false;
  clock.advance(followPauseMsMax);
  await settled();
  await passing(clock, copy.call('add', 1));
  expect(copy.replica.state.count).toBe(1);
  log.end();
  expect(saidNow()).toHaveLength(3);
});

test('a call that is applied here is answered once it has its place in the log', async () => {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  let release = (): void => undefined;
  log.answers = new Promise((resolve) => {
    release = resolve;
  });
  const { replica, call } = await copyOf(log, clock, 1);
  let isAnswered = false;
  const answer = call('add', 5).finally(() => {
    isAnswered = true;
  });
  await settled();
  clock.advance(100);
  await settled();
  expect([replica.state.count, isAnswered]).toEqual([1, false]);
  release();
  expect(decodeValue((await answer).value)).toBe(5);
});

test('closing rejects who waits, and final errors are not tried again', async () => {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  const copy = await copyOf(log, clock, 1);
  log.lossy = 2;
  const waiting = copy.replica.whenApplied({ node: 9, run: 'x', request: 1 });
  copy.replica.close();
  await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(passing(clock, copy.call('add', 1))).rejects.toMatchObject({ code: 'CLOSED' });
  const function_ = () => 1;
  await expect(copy.call('add', function_)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a call whose time is over says that its effect is unknown', async () => {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  const copy = await copyOf(log, clock, 1);
  log.lossy = 2;
  const refused = await passing(
    clock,
    copy.call('add', 1).catch((error: unknown) => error),
  );
  expect(refused).toMatchObject({ code: 'SHARD_STOPPED', retryable: true });
});
