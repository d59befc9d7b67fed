import { describe, expect, test } from 'vitest';
import {
  FreshetError,
  limits,
  ManualClock,
  type OutcomeSink,
  type PutOutcome,
  type PutResult,
  timeoutOf,
} from '../../../platform/base/mod.ts';
import { KeyPlaces } from '../../../platform/store/key-places.ts';
import { type ChangeRequest, ObjectChanges } from '../../../platform/store/object-changes.ts';
import type {
  MadeChange,
  ShardAccess,
  ShardCallLimits,
  ShardChange,
} from '../../../platform/store/shard-access.ts';
import { uncaughtIn } from '../../support/mod.ts';

const result: PutResult = { version: 1, epoch: 1, time: 1, previousVersionOfKey: null };
const value = Buffer.of(1);

interface Call {
  readonly keys: readonly string[];
  readonly call: ShardCallLimits;
}

/** The one shard, which notes what it is asked. */
class NotedShard {
  /** It is held by this member; an error: what it throws then. */
  held: boolean | FreshetError = false;
  readonly begun: string[][] = [];
  readonly sent: Call[] = [];

  begin(changes: readonly MadeChange[]): boolean {
    if (this.held instanceof FreshetError) throw this.held;
    if (!this.held) return false;
    this.begun.push(changes.map(({ change }) => change.key));
    for (const one of changes) one.settle(result);
    return true;
  }

  put({ key }: ShardChange, call: ShardCallLimits): Promise<PutResult> {
    this.sent.push({ keys: [key], call });
    return new Promise((resolve, reject) => {
      if (call.signal === null) resolve(result);
      call.signal?.addEventListener('abort', () => {
        reject(new FreshetError('CANCELLED', key));
      });
    });
  }

  putMany(changes: readonly ShardChange[], call: ShardCallLimits): Promise<readonly PutOutcome[]> {
    this.sent.push({ keys: changes.map(({ key }) => key), call });
    return Promise.resolve(changes.map(() => result));
  }
}

class Outcomes implements OutcomeSink {
  /** By their place. */
  readonly codes: string[] = [];
  readonly #thrower: number | null;

  /** It throws when it is told of this one. */
  constructor(thrower: number | null = null) {
    this.#thrower = thrower;
  }

  settle(nth: number, outcome: PutOutcome): void {
    this.codes[nth] = outcome instanceof FreshetError ? outcome.code : 'OK';
    if (nth === this.#thrower) throw new Error(`of ${String(nth)}`);
  }
}

function setUp() {
  const shard = new NotedShard();
  const access = (): ShardAccess => shard as unknown as ShardAccess;
  const pool = { name: '/milk', id: 1, kind: 'volatile', maxValueBytes: 100, shards: [1] };
  const find = (key: string): unknown => (key.startsWith('/milk/') ? pool : null);
  const directory = { generation: 1, find } as never;
  const placement = { shardOf: () => 1 } as never;
  const changes = new ObjectChanges({
    ...{ access, directory, placement, catalog: {} as never, pools: {} as never },
    group: { layout: { has: () => false } } as never,
    places: new KeyPlaces(directory, placement, access),
    poolOf: (key) => Promise.reject(new FreshetError('UNKNOWN_POOL', key)),
    clock: new ManualClock(),
  });
  return { shard, changes };
}

const requestOf = (name: string, rest: Partial<ChangeRequest> = {}): ChangeRequest => ({
  key: `/milk/${name}`,
  value,
  ...rest,
});
const turn = (): Promise<void> => new Promise(setImmediate);

test('what is wrong with one is told of it alone; the others go together', async () => {
  const { shard, changes } = setUp();
  shard.held = true;
  const outcomes = new Outcomes();
  const requests = [
    requestOf('a'),
    requestOf('k'.repeat(limits.keyBytes)),
    requestOf('text', { value: 'text' as never }),
    requestOf('b'),
    requestOf('long', { value: Buffer.alloc(101) }),
    requestOf('meta', { meta: { name: 'x'.repeat(limits.metaBytes) } }),
    { key: '/cheese/1', value },
    requestOf('c'),
  ];
  changes.make('put', requests, outcomes);
  await turn();
  expect(outcomes.codes).toEqual([
    ...['OK', 'KEY_TOO_LONG', 'INVALID_ARGUMENT', 'OK', 'VALUE_TOO_LARGE', 'META_TOO_LARGE'],
    ...['UNKNOWN_POOL', 'OK'],
  ]);
  expect(shard.begun).toEqual([['/milk/a', '/milk/b', '/milk/c']]);
});

describe('puts that another member makes', () => {
  test('of many callers go alone, each with its own time and until it is given up', async () => {
    const { shard, changes } = setUp();
    const outcomes = new Outcomes();
    const [first, second] = [new AbortController(), new AbortController()];
    const requests = [
      requestOf('a', { timeoutMs: 100 }),
      requestOf('b', { timeoutMs: 5000, signal: first.signal }),
      requestOf('c', { signal: second.signal }),
    ];
    changes.make('put', requests, outcomes);
    expect(shard.sent).toEqual([
      { keys: ['/milk/a'], call: { timeoutMs: 100, signal: null } },
      { keys: ['/milk/b'], call: { timeoutMs: 5000, signal: first.signal } },
      {
        keys: ['/milk/c'],
        call: { timeoutMs: timeoutOf(value.byteLength), signal: second.signal },
      },
    ]);
    await turn();
    expect(outcomes.codes).toEqual(['OK']);
    second.abort();
    await turn();
    expect(outcomes.codes).toEqual(['OK', undefined, 'CANCELLED']);
    first.abort();
    await turn();
    expect(outcomes.codes).toEqual(['OK', 'CANCELLED', 'CANCELLED']);
  });

  test('of one batch go in one message', async () => {
    const { shard, changes } = setUp();
    const outcomes = new Outcomes();
    changes.make('put', [requestOf('a'), requestOf('b', { timeoutMs: 100 })], outcomes, true);
    await turn();
    const call = { timeoutMs: timeoutOf(value.byteLength), signal: null };
    expect(shard.sent).toEqual([{ keys: ['/milk/a', '/milk/b'], call }]);
    expect(outcomes.codes).toEqual(['OK', 'OK']);
  });
});

describe('who throws when it is told takes nothing from the others', () => {
  const three = ['a', 'b', 'c'].map((name) => requestOf(name));
  const closed = new FreshetError('CLOSED', 'closed');
  const wrong = requestOf('text', { value: 'text' as never });

  test.each([
    ['made here', true, three, false, ['OK', 'OK', 'OK']],
    ['none of which was begun', closed, three, false, ['CLOSED', 'CLOSED', 'CLOSED']],
    ['made elsewhere, each alone', false, three, false, ['OK', 'OK', 'OK']],
    ['made elsewhere, in one message', false, three, true, ['OK', 'OK', 'OK']],
    ['refused at once', true, [wrong, ...three], false, ['INVALID_ARGUMENT', 'OK', 'OK', 'OK']],
  ])('of those %s', async (_which, held, requests, isBatch, codes) => {
    const { shard, changes } = setUp();
    shard.held = held;
    const outcomes = new Outcomes(0);
    const uncaught = await uncaughtIn(async () => {
      changes.make('put', requests, outcomes, isBatch);
      await turn();
    });
    expect(outcomes.codes).toEqual(codes);
    expect(uncaught.map(String)).toEqual([expect.stringContaining('of 0')]);
  });
});
