import { expect, test } from 'vitest';
import { SeededRandom } from '../../../platform/base/mod.ts';
import {
  type CallRecord,
  decodeValue,
  encodeValue,
  type Outcome,
} from '../../../platform/replicated/call-record.ts';
import { ReplicaState } from '../../../platform/replicated/replica-state.ts';
import { Counter } from './counter.ts';

let requests = 0;

function call(method: string, ...args: unknown[]): CallRecord {
  const id = { node: 3, run: 'r', request: ++requests };
  return { id, lowestUnanswered: 1, asOf: 0, method, args: encodeValue(args, 'them') };
}

const at = (version: number) => ({ version, epoch: 2, time: 1000 + version });
const value = (outcome: Outcome) => decodeValue(outcome.value);

test('copies that apply the same calls are equal, to the byte', () => {
  const copies = [new ReplicaState(Counter), new ReplicaState(Counter)];
  const calls = [call('add', 4), call('draw'), call('refuse', 'no'), call('add', 5)];
  const outcomes = copies.map((copy) => calls.map((one, nth) => copy.apply(one, at(nth * 2 + 1))));
  expect(outcomes[0]).toEqual(outcomes[1]);
  expect(outcomes[0]?.map(value)[0]).toBe(4);
  const random = new SeededRandom(3);
  expect(value(outcomes[0]?.[1] as Outcome)).toEqual([3, 2, 1003, 3, random.u32(), random.u32()]);
  expect(outcomes[0]?.[2]?.error).toMatchObject({ code: 'CONDITION_FAILED', message: 'no' });
  expect(outcomes[0]?.map(value)[3]).toBe(109);
  expect(copies[0]?.snapshot()).toEqual(copies[1]?.snapshot());
});

test('a call that comes twice is applied once, before and after a snapshot', () => {
  const copy = new ReplicaState(Counter);
  const twice = call('add', 1);
  const first = copy.apply(twice, at(1));
  expect(copy.apply(twice, at(2))).toEqual(first);
  const joined = new ReplicaState(Counter);
  joined.restore(copy.snapshot());
  expect(joined.last).toEqual(at(2));
  expect(joined.apply(twice, at(3))).toEqual(first);
  expect(value(joined.apply(call('add', 1), at(4)))).toBe(2);
});

test('what is no call, or returns a promise, is an outcome like any other', () => {
  const copy = new ReplicaState(Counter);
  for (const method of ['total', 'hidden', 'snapshot', 'constructor', 'toString', 'nothing']) {
    expect(copy.apply(call(method), at(++requests)).error?.code).toBe('UNSUPPORTED');
  }
  const late = copy.apply(call('late'), at(++requests));
  expect(late.error).toMatchObject({ code: 'CALL_FAILED' });
  expect(late.error?.message).toContain('promise');
});

test('p2p calls read what is applied, and there is no context in them', async () => {
  const copy = new ReplicaState(Counter);
  copy.apply(call('add', 7), at(1));
  expect(value(await copy.read('total', encodeValue([], 'them')))).toBe(7);
  expect((await copy.read('add', encodeValue([1], 'them'))).error?.code).toBe('UNSUPPORTED');
  expect(() => new Counter().hidden()).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});

test('versions that go back are a fault of ours', () => {
  const copy = new ReplicaState(Counter);
  copy.apply(call('add', 1), at(5));
  expect(() => copy.apply(call('add', 1), at(5))).toThrow('calls are applied in order');
});
