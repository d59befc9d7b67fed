import { expect, test } from 'vitest';
import { Reaches } from '../../../platform/lambda/reaches.ts';

const reach = (done: number) => [{ stage: 'count', done, seen: done + 1 }];

test('a member is where it said last that it was, as one of these members', () => {
  const reaches = new Reaches();
  reaches.note(2, 7, [1, 2, 3], reach(10));
  reaches.note(2, 7, [1, 2, 3], reach(12));
  reaches.note(2, 7, [1, 2], reach(40));
  expect([...reaches.of(7, [1, 2, 3], 'count')]).toEqual([[2, { done: 12, seen: 13 }]]);
  expect(reaches.of(8, [1, 2, 3], 'count').size).toBe(0);
  expect(reaches.of(7, [1, 2, 3], 'other').size).toBe(0);
});

test('members that a shard has again are not the first to be forgotten', () => {
  const reaches = new Reaches();
  reaches.note(2, 7, [1, 2, 3], reach(10));
  for (const others of [
    [1, 2],
    [2, 3],
    [3, 1],
  ]) {
    reaches.note(2, 7, others, reach(11));
    reaches.note(2, 7, [1, 2, 3], reach(20));
  }
  reaches.note(2, 7, [2, 1], reach(30));
  expect([...reaches.of(7, [1, 2, 3], 'count')]).toEqual([[2, { done: 20, seen: 21 }]]);
  expect(reaches.of(7, [1, 2], 'count').size).toBe(0);
});
