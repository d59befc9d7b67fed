import { expect, test } from 'vitest';
import { ManualClock } from '../../../platform/base/mod.ts';
import { StartTurns } from '../../../platform/lambda/start-turns.ts';

function world() {
  const clock = new ManualClock();
  const turns = new StartTurns(clock);
  const begun: string[] = [];
  const take = (name: string, isUrgent = () => false) =>
    turns.take(() => {
      begun.push(name);
    }, isUrgent);
  return { clock, begun, take };
}

test('threads begin one after another, in the order they asked', () => {
  const { begun, take } = world();
  const ends = ['a', 'b', 'c'].map((name) => take(name));
  expect(begun).toEqual(['a']);
  ends[0]?.();
  ends[0]?.();
  expect(begun).toEqual(['a', 'b']);
  ends[1]?.();
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('one that work waits for overtakes those that have none', () => {
  const { begun, take } = world();
  let work = false;
  const endA = take('a');
  take('b');
  const endC = take('c', () => work);
  work = true;
  endA();
  endC();
  expect(begun).toEqual(['a', 'c', 'b']);
});

test('one that does not get ready holds nobody up for long', () => {
  const { clock, begun, take } = world();
  const endA = take('a');
  take('b');
  clock.advance(999);
  expect(begun).toEqual(['a']);
  clock.advance(1);
  expect(begun).toEqual(['a', 'b']);
  // Its late end takes nobody else's turn away.
  take('c');
  endA();
  expect(begun).toEqual(['a', 'b']);
});

test('one that gives up before its turn never begins', () => {
  const { begun, take } = world();
  const endA = take('a');
  const endB = take('b');
  take('c');
  endB();
  endA();
  expect(begun).toEqual(['a', 'c']);
});
