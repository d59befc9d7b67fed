import { expect, test } from 'vitest';
import {
  FreshetError,
  type OutcomeSink,
  type PutRequest,
  type PutResult,
} from '../../../platform/base/mod.ts';
import { GatheredPuts } from '../../../platform/gateway/gathered-puts.ts';

interface Call {
  readonly requests: readonly PutRequest[];
  readonly sink: OutcomeSink;
}

/** `onCall`: in the turn in which the backend is asked. */
function setUp(onCall: (call: Call) => void = () => undefined) {
  const calls: Call[] = [];
  const puts = new GatheredPuts((requests, sink) => {
    const call = { requests, sink };
    calls.push(call);
    onCall(call);
  });
  return { calls, puts };
}

const requestOf = (name: string, rest: Partial<PutRequest> = {}): PutRequest => ({
  key: `/milk/${name}`,
  value: Buffer.from(name),
  ...rest,
});
const resultOf = (version: number): PutResult => ({
  version,
  epoch: 1,
  time: version,
  previousVersionOfKey: null,
});
const turn = (): Promise<void> => new Promise(setImmediate);
const keysOf = (calls: readonly Call[]): unknown[] =>
  calls.map(({ requests }) => requests.map(({ key }) => key));

/** The version of each that was made, the code of each other, null of those that wait. */
function noted(puts: readonly Promise<PutResult>[]): unknown[] {
  const outcomes: unknown[] = puts.map(() => null);
  puts.forEach((put, nth) => {
    put.then(
      ({ version }) => (outcomes[nth] = version),
      (error: unknown) => (outcomes[nth] = (error as FreshetError).code),
    );
  });
  return outcomes;
}

test('puts of one turn go together at its end, each as it was asked', async () => {
  const { calls, puts } = setUp();
  const { signal } = new AbortController();
  const requests = [
    requestOf('a', { timeoutMs: 50 }),
    requestOf('b', { timeoutMs: 5000, signal }),
    requestOf('a'),
  ];
  for (const request of requests) void puts.put(request);
  await Promise.resolve();
  expect(calls).toEqual([]);
  await turn();
  expect(calls).toHaveLength(1);
  expect(calls[0]?.requests).toHaveLength(3);
  requests.forEach((request, nth) => {
    expect(calls[0]?.requests[nth]).toBe(request);
  });
});

test('each is answered when its own outcome comes, whatever those of others are', async () => {
  const { calls, puts } = setUp();
  const outcomes = noted(['a', 'b', 'c', 'd'].map((name) => puts.put(requestOf(name))));
  await turn();
  const sink = calls[0]?.sink;
  sink?.settle(2, resultOf(7));
  await turn();
  expect(outcomes).toEqual([null, null, 7, null]);
  sink?.settle(0, new FreshetError('TIMEOUT', 'too late'));
  sink?.settle(3, resultOf(8));
  await turn();
  expect(outcomes).toEqual(['TIMEOUT', null, 7, 8]);
  sink?.settle(1, resultOf(9));
  await turn();
  expect(outcomes).toEqual(['TIMEOUT', 9, 7, 8]);
});

test('puts of a later turn go in another call, and have answers of their own', async () => {
  const { calls, puts } = setUp();
  const outcomes = noted([puts.put(requestOf('a')), puts.put(requestOf('b'))]);
  await turn();
  const later = noted([puts.put(requestOf('c'))]);
  await turn();
  expect(keysOf(calls)).toEqual([['/milk/a', '/milk/b'], ['/milk/c']]);
  calls[1]?.sink.settle(0, resultOf(3));
  await turn();
  expect([outcomes, later]).toEqual([[null, null], [3]]);
  calls[0]?.sink.settle(0, resultOf(1));
  calls[0]?.sink.settle(1, resultOf(2));
  await turn();
  expect([outcomes, later]).toEqual([[1, 2], [3]]);
});

test('what is put while the backend is asked goes with the next ones', async () => {
  const outcomes: unknown[][] = [];
  const { calls, puts } = setUp(({ requests, sink }) => {
    sink.settle(0, resultOf(requests.length));
    if (calls.length === 1) outcomes.push(noted([puts.put(requestOf('b'))]));
  });
  outcomes.push(noted([puts.put(requestOf('a'))]));
  await turn();
  await turn();
  expect(keysOf(calls)).toEqual([['/milk/a'], ['/milk/b']]);
  expect(outcomes).toEqual([[1], [1]]);
});
