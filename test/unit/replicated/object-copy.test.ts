import { expect, test } from 'vitest';
import { FreshetError, ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import type { CallRecord, Outcome } from '../../../platform/replicated/call-record.ts';
import { ObjectCopy } from '../../../platform/replicated/object-copy.ts';
import type { Replica } from '../../../platform/replicated/replica.ts';

const call = {} as CallRecord;
const outcomeOf = (value: number): Outcome => ({ error: null, value: Uint8Array.of(value) });

/** A member that holds the shard or not, and the copies that it made. */
function rig() {
  const clock = new ManualClock();
  const place = { held: false, running: false, failing: false };
  const made: { closed: boolean; views: number; giveUp: () => void }[] = [];
  const makeReplica = (): Replica => {
    const nth = made.length;
    let giveUp: () => void = () => undefined;
    const given = new Promise<never>((_, reject) => {
      giveUp = () => {
        reject(new FreshetError('CLOSED', 'It was closed'));
      };
    });
    given.catch(() => undefined);
    const one = { closed: false, views: 0, giveUp };
    made.push(one);
    const replica = {
      state: { count: 10 + nth },
      start: () =>
        place.failing ? Promise.reject(new Error('no log yet')) : Promise.resolve(undefined),
      submit: () => (one.closed ? given : Promise.race([given, pending(nth)])),
      onView: () => {
        one.views++;
      },
      close: () => {
        one.closed = true;
        giveUp();
      },
    };
    return replica as unknown as Replica;
  };
  const answers = new Map<number, () => void>();
  const pending = (nth: number): Promise<Outcome> =>
    new Promise((resolve) => {
      answers.set(nth, () => {
        resolve(outcomeOf(nth));
      });
    });
  const copy = new ObjectCopy({
    name: '/bank/ledger',
    isHeld: () => place.held,
    isRunning: () => place.running,
    makeReplica,
    elsewhere: {
      count: () => Promise.resolve(5),
      submit: () => Promise.resolve(outcomeOf(99)),
    },
    clock,
    log: silentLogger(),
  });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { clock, place, made, copy, answers, settle };
}

test('is made when the shard comes to be held, and calls go elsewhere before', async () => {
  const { place, made, copy, answers, settle } = rig();
  await copy.open();
  expect([await copy.count(), copy.replica]).toEqual([5, null]);
  expect(await copy.submit(call, 100)).toEqual(outcomeOf(99));
  copy.onView();
  expect(made).toHaveLength(0);
  Object.assign(place, { held: true, running: true });
  copy.onView();
  copy.onView();
  await settle();
  expect(made).toHaveLength(1);
  expect(await copy.count()).toBe(10);
  const answer = copy.submit(call, 100);
  answers.get(0)?.();
  expect(await answer).toEqual(outcomeOf(0));
  copy.onView();
  expect(made[0]?.views).toBe(1);
});

test('is let go when the shard is held no more, and what is under way is asked elsewhere', async () => {
  const { place, made, copy } = rig();
  Object.assign(place, { held: true, running: true });
  await copy.open();
  const answer = copy.submit(call, 100);
  Object.assign(place, { held: false, running: false });
  copy.onView();
  expect(made[0]?.closed).toBe(true);
  await expect(answer).rejects.toMatchObject({ code: 'NOT_A_MEMBER' });
  expect(await copy.count()).toBe(5);
});

test('is tried again until it can be made, and not after the end', async () => {
  const { clock, place, made, copy, settle } = rig();
  await copy.open();
  Object.assign(place, { held: true, running: true, failing: true });
  copy.onView();
  await settle();
  clock.advance(100);
  await settle();
  expect(made.length).toBeGreaterThan(1);
  expect(made.every(({ closed }) => closed)).toBe(true);
  place.failing = false;
  clock.advance(100);
  await settle();
  expect(copy.replica).not.toBeNull();
  copy.close();
  const count = made.length;
  copy.onView();
  await settle();
  expect(made).toHaveLength(count);
  expect(made.at(-1)?.closed).toBe(true);
});
