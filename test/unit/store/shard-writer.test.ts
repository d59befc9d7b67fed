import { describe, expect, test } from 'vitest';
import { FreshetError, isErrorCode, ManualClock } from '../../../platform/base/mod.ts';
import type { Completion, CoreChange } from '../../../platform/group/core-types.ts';
import type { Group } from '../../../platform/group/group.ts';
import type { MemberCore } from '../../../platform/group/member-core.ts';
import type { ChangeWaiter } from '../../../platform/group/waiter.ts';
import { ShardWriter, Submission } from '../../../platform/store/shard-writer.ts';
import { storeLimits } from '../../../platform/store/store-limits.ts';
import { uncaughtIn } from '../../support/mod.ts';

const statusNames = ['OK', 'OVERLOADED', 'SHARD_STOPPED', 'UNKNOWN_POOL'];
const overloaded = 1;
const stopped = 2;

/** A native side with a ring of so much room, which says in which order it was given changes. */
class Ring {
  readonly taken: string[] = [];
  readonly open: ChangeWaiter[] = [];
  readonly addon = { statusNames };
  room = 0;
  refusal = overloaded;

  submit(change: CoreChange, end: ChangeWaiter): number {
    if (this.room === 0) {
      return this.refusal;
    }
    this.room--;
    this.taken.push(change.key);
    this.open.push(end);
    return 0;
  }

  answerAll(): void {
    for (const end of this.open.splice(0)) {
      end.complete({ status: 0, epoch: 1, version: 1, time: 1, previousVersionOfKey: 0 });
    }
  }

  error(status: number, what: string): FreshetError {
    const name = statusNames[status];
    return new FreshetError(isErrorCode(name) ? name : 'INTERNAL', what);
  }
}

const group = {
  isRunning: () => true,
  isHere: () => true,
  stoppedError: (_shard: number, what: string) => new FreshetError('SHARD_STOPPED', what),
};

function setUp() {
  const ring = new Ring();
  const clock = new ManualClock();
  const core = ring as unknown as MemberCore;
  const writer = new ShardWriter(1, core, group as unknown as Group, clock);
  const ask = (
    change: CoreChange,
    timeoutMs: number,
    signal: AbortSignal | null = null,
  ): Promise<Completion | null> => {
    const asked = new Asked(writer, change, clock.monotonicMs() + timeoutMs, signal);
    writer.submit(asked);
    return asked.ended;
  };
  return { ring, clock, writer, ask };
}

function change(key: string, value: Uint8Array | null = null): CoreChange {
  return { shard: 1, kind: 1, ack: 1, pool: 1, key, value, meta: null, extra: null };
}

class Asked extends Submission {
  readonly ended: Promise<Completion | null>;
  #resolve: (completion: Completion | null) => void = () => undefined;
  #reject: (error: FreshetError) => void = () => undefined;

  constructor(...given: ConstructorParameters<typeof Submission>) {
    super(...given);
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  protected onDone(completion: Completion | null): void {
    this.#resolve(completion);
  }

  protected onFailed(error: FreshetError): void {
    this.#reject(error);
  }
}

async function codeOf(result: Promise<unknown>): Promise<string> {
  try {
    await result;
    return 'OK';
  } catch (caught) {
    return caught instanceof FreshetError ? caught.code : 'another error';
  }
}

describe('changes for which there is no room', () => {
  test('wait in their order; nothing overtakes them', async () => {
    const { ring, clock, writer, ask } = setUp();
    const answers = ['a', 'b', 'c'].map((key) => ask(change(key), 1000));
    ring.room = 2;
    answers.push(ask(change('d'), 1000));
    expect(ring.taken).toEqual([]);
    clock.advance(storeLimits.ringPauseMs);
    expect(ring.taken).toEqual(['a', 'b']);
    ring.room = 5;
    clock.advance(storeLimits.ringPauseMs);
    expect(ring.taken).toEqual(['a', 'b', 'c', 'd']);
    expect(writer.isBacklogged).toBe(false);
    ring.answerAll();
    expect(await Promise.all(answers)).toHaveLength(4);
  });

  test('are refused as OVERLOADED at their own deadline', async () => {
    const { clock, writer, ask } = setUp();
    const long = codeOf(ask(change('long'), 5000));
    const short = codeOf(ask(change('short'), 50));
    clock.advance(60);
    expect(await short).toBe('OVERLOADED');
    expect(writer.isBacklogged).toBe(true);
    clock.advance(5000);
    expect(await long).toBe('OVERLOADED');
    expect(writer.isBacklogged).toBe(false);
  });

  test('of a shard that stands still say so', async () => {
    const { ring, clock, ask } = setUp();
    ring.refusal = stopped;
    const refused = codeOf(ask(change('a'), 100));
    clock.advance(200);
    expect(await refused).toBe('SHARD_STOPPED');
  });

  test('are bounded in bytes and number', async () => {
    const { ring, clock, ask } = setUp();
    const large = new Uint8Array(storeLimits.waitingBytes / 2);
    const first = ask(change('a', large), 1000);
    const second = ask(change('b', large), 1000);
    expect(await codeOf(ask(change('c', new Uint8Array(1)), 1000))).toBe('OVERLOADED');
    ring.room = 9;
    clock.advance(storeLimits.ringPauseMs);
    ring.answerAll();
    await Promise.all([first, second]);
    const fits = ask(change('d', new Uint8Array(1)), 1000);
    ring.answerAll();
    await fits;
  });

  test('can be given up', async () => {
    const { ring, clock, ask } = setUp();
    const abort = new AbortController();
    const given = codeOf(ask(change('a'), 1000, abort.signal));
    abort.abort();
    expect(await given).toBe('CANCELLED');
    ring.room = 1;
    clock.advance(10);
    expect(ring.taken).toEqual([]);
  });
});

test('what is never answered ends as TIMEOUT, its effect being unknown', async () => {
  const { ring, clock, ask } = setUp();
  ring.room = 1;
  const result = codeOf(ask(change('a'), 1000));
  clock.advance(900);
  expect(ring.taken).toEqual(['a']);
  clock.advance(1000);
  expect(await result).toBe('TIMEOUT');
});

/** Notes what it is told, and throws then. */
class Thrower extends Submission {
  readonly told: string[] = [];

  protected onDone(): void {
    this.told.push('OK');
    throw new Error(this.change.key);
  }

  protected onFailed({ code }: FreshetError): void {
    this.told.push(code);
    throw new Error(this.change.key);
  }
}

describe('who throws when it is told', () => {
  const keys = ['first', 'second'];

  function setUpThrowers() {
    const { ring, clock, writer, ask } = setUp();
    const deadline = clock.monotonicMs() + 1000;
    const throwers = keys.map((key) => new Thrower(writer, change(key), deadline, null));
    for (const one of throwers) writer.submit(one);
    return { ring, clock, throwers, last: ask(change('c'), 1000) };
  }

  test.each([
    ['an answer', 'OK'],
    ['that its time is over', 'TIMEOUT'],
  ])('%s takes nothing from the others', async (_what, code) => {
    const { ring, clock, throwers, last } = setUpThrowers();
    ring.room = 9;
    clock.advance(storeLimits.ringPauseMs);
    const uncaught = await uncaughtIn(async () => {
      if (code === 'OK') ring.answerAll();
      else clock.advance(2000);
      expect(await codeOf(last)).toBe(code);
    });
    expect(throwers.map(({ told }) => told)).toEqual([[code], [code]]);
    expect(uncaught.map(String)).toEqual(keys.map((key): unknown => expect.stringContaining(key)));
    // What comes after its end it does not hear.
    ring.answerAll();
    expect(throwers.flatMap(({ told }) => told)).toHaveLength(2);
  });

  test('that there was no room for it takes nothing from the others', async () => {
    const { clock, throwers, last } = setUpThrowers();
    const uncaught = await uncaughtIn(async () => {
      clock.advance(1000 + storeLimits.ringPauseMs);
      expect(await codeOf(last)).toBe('OVERLOADED');
    });
    expect(throwers.map(({ told }) => told)).toEqual([['OVERLOADED'], ['OVERLOADED']]);
    expect(uncaught).toHaveLength(2);
  });
});
