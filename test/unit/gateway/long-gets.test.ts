import { describe, expect, test } from 'vitest';
import { FreshetError, type GetRequest, limits } from '../../../platform/base/mod.ts';
import type { ObjectRecord } from '../../../platform/client/mod.ts';
import { LongBodies } from '../../../platform/gateway/long-bodies.ts';
import { getAdmitted } from '../../../platform/gateway/long-gets.ts';

const size = limits.valueBytesWhole + 1;
const key = '/milk/film';
const pruned = new FreshetError('COMPACTED', 'It was pruned');

/** As a member has it: `size` is what it says, so that no test holds so many bytes. */
function objectOf(version: number, isWhole: boolean, bytes = size): ObjectRecord {
  const value = isWhole ? Buffer.from('film') : null;
  const place = { version, epoch: 1, time: 1, eventTime: null, previousVersionOfKey: null };
  return { key, value, removed: false, size: bytes, ...place, meta: {} };
}

/** A door that answers in turn, and what it was asked. */
function doorOf(...answers: readonly (ObjectRecord | FreshetError | null)[]) {
  const asked: GetRequest[] = [];
  const get = (request: GetRequest): Promise<ObjectRecord | null> => {
    const answer = answers[asked.length] ?? null;
    asked.push(request);
    return answer instanceof FreshetError ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { asked, get };
}

/** All of it is free: it can be taken, and not a byte more. */
function expectFree(bodies: LongBodies, bytes: number): void {
  bodies.take(bytes);
  expect(() => {
    bodies.take(1);
  }).toThrow(/on their way out/);
  bodies.giveBack(bytes);
}

const overloaded = expect.objectContaining({ code: 'OVERLOADED' }) as unknown;
const wholeBytes = { maxBytes: limits.valueBytesWhole };

test('a short value comes at once, and takes no room', async () => {
  const door = doorOf(objectOf(7, true, 4));
  const bodies = new LongBodies('out', size);
  const { object, roomBytes } = await getAdmitted(door, { key }, bodies);
  expect([object?.version, roomBytes]).toEqual([7, 0]);
  expect(door.asked).toEqual([{ key, ...wholeBytes }]);
  expectFree(bodies, size);
});

test('a long one is fetched, this very version, once it has room', async () => {
  const door = doorOf(objectOf(7, false), objectOf(7, true));
  const bodies = new LongBodies('out', size);
  const request = { key, read: 'stable', timeoutMs: 5 } as const;
  const { object, roomBytes } = await getAdmitted(door, request, bodies);
  expect([object?.value?.byteLength, roomBytes]).toEqual([4, size]);
  expect(door.asked).toEqual([
    { ...request, ...wholeBytes },
    { ...request, version: 7, exact: true, maxBytes: size },
  ]);
  bodies.giveBack(roomBytes);
  expectFree(bodies, size);
});

test('one without room is not fetched', async () => {
  const door = doorOf(objectOf(7, false), objectOf(7, true));
  const bodies = new LongBodies('out', size);
  bodies.take(1);
  await expect(getAdmitted(door, { key }, bodies)).rejects.toEqual(overloaded);
  expect(door.asked).toHaveLength(1);
});

test.each([
  ['is not wanted', { key }, false],
  ['has more bytes than were asked for', { key, maxBytes: size - 1 }, true],
])('one that %s is left out', async (_why, request, isWanted) => {
  const door = doorOf(objectOf(7, false), objectOf(7, true));
  const bodies = new LongBodies('out', size);
  const { object, roomBytes } = await getAdmitted(door, request, bodies, {
    wanted: () => isWanted,
  });
  expect([object?.value, object?.size, roomBytes]).toEqual([null, size, 0]);
  expect(door.asked).toHaveLength(1);
});

describe('one that goes while it is looked at', () => {
  test.each([
    ['pruned', pruned],
    ['removed with its pool', null],
    ['a longer one of another history', objectOf(7, false, size + 1)],
  ])('(%s) is looked for again, and its room is not kept', async (_how, gone) => {
    const door = doorOf(objectOf(7, false), gone, objectOf(8, false), objectOf(8, true));
    const bodies = new LongBodies('out', size);
    const { object, roomBytes } = await getAdmitted(door, { key }, bodies);
    expect([object?.version, roomBytes]).toEqual([8, size]);
    bodies.giveBack(roomBytes);
    expectFree(bodies, size);
  });

  test('is refused where it was asked for by its version', async () => {
    const door = doorOf(objectOf(7, false), pruned);
    const bodies = new LongBodies('out', size);
    const found = getAdmitted(door, { key, version: 7 }, bodies);
    await expect(found).rejects.toMatchObject({ code: 'COMPACTED' });
    expect(door.asked).toHaveLength(2);
    expectFree(bodies, size);
  });
});
