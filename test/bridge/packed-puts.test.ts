/** Changes of a shard that go down to the native side in one call, over a member's real core. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  encodeMeta,
  FreshetError,
  limits,
  ManualClock,
  type Meta,
  type PutOutcome,
  type PutResult,
} from '../../platform/base/mod.ts';
import { readFloors, readPoints } from '../../platform/bridge/mod.ts';
import type { Group, MemberCore } from '../../platform/group/mod.ts';
import { Glances } from '../../platform/store/glances.ts';
import { LocalChanges } from '../../platform/store/local-changes.ts';
import type { MadeChange, ShardChange } from '../../platform/store/shard-access.ts';
import { storeLimits } from '../../platform/store/store-limits.ts';
import { uncaughtIn, until } from '../support/mod.ts';
import { FillMember, shard } from './fill-member.ts';
import { poolId } from './native-member.ts';

const call = { timeoutMs: 1000, signal: null };
const open: FillMember[] = [];

afterEach(() => {
  for (const { core } of open.splice(0)) core.close();
});

async function openMember(nodeId: number): Promise<FillMember> {
  const member = new FillMember(nodeId);
  open.push(member);
  await member.open();
  return member;
}

function changesOf(member: FillMember) {
  const { core } = member;
  const clock = new ManualClock();
  const state = { isRunning: true };
  const group = {
    isRunning: () => state.isRunning,
    isHere: () => true,
    isObserving: () => false,
    stoppedError: (_shard: number, what: string) => new FreshetError('SHARD_STOPPED', what),
  } as unknown as Group;
  const changes = new LocalChanges(shard, { core, group, clock, previousOf: () => null });
  return { member, core, clock, state, changes };
}

/** The member that has the shard alone. */
async function startAlone() {
  const member = await openMember(1);
  await member.begin(1);
  await member.makePool();
  return changesOf(member);
}

/** One whose shard delivers nothing, as the other member never begins. */
async function startInVain() {
  const member = await openMember(1);
  const other = await openMember(2);
  await Promise.all([meet(member.core, other.core), meet(other.core, member.core)]);
  for (const one of [member, other]) await one.prepare(1, [1, 2]);
  await member.start(1);
  return changesOf(member);
}

function meet(core: MemberCore, { addon, handle, nodeId }: MemberCore): Promise<void> {
  return new Promise((resolve) => {
    const onPeer = (_node: number, state: string): void => {
      if (state === 'up') resolve();
    };
    core.listen({ onPeer });
    core.addon.addPeer(core.handle, nodeId, '127.0.0.1', addon.listenPort(handle));
  });
}

function changeOf(key: string, rest: Partial<ShardChange> = {}): ShardChange {
  const value = Buffer.from(`of ${key}`);
  const given = { kind: 'put', pool: poolId, ack: 'delivered', key, value } as const;
  return { ...given, meta: null, expect: null, eventTime: null, session: null, ...rest };
}

/** The version of each that was made, the code of each other. */
function shown(outcomes: readonly PutOutcome[]): unknown[] {
  return outcomes.map((one) => (one instanceof FreshetError ? one.code : one.version));
}

function found(core: MemberCore, key: string): Buffer | null {
  return core.get(shard, key, readPoints.newest, 0, readFloors.local, true);
}

describe('changes that cannot be laid out', () => {
  const long = 'k'.repeat(limits.keyBytes + 1);
  const wide = 'é'.repeat(limits.keyBytes / 2 + 1);
  const meta = Buffer.alloc(limits.metaBytes + 1);

  test.each([
    ['a key that is too long', changeOf(long), 'KEY_TOO_LONG'],
    ['a key of wide characters', changeOf(wide), 'KEY_TOO_LONG'],
    ['a meta that is too long', changeOf('/m', { meta }), 'INVALID_ARGUMENT'],
    ['an event time that is none', changeOf('/e', { eventTime: Infinity }), 'INVALID_ARGUMENT'],
  ])('are refused alone: %s', async (_what, bad, code) => {
    const { core, changes } = await startAlone();
    const good = ['/a', '/b', '/c', '/d'].map((key) => changeOf(key));
    const inTheMiddle = [...good.slice(0, 2), bad, ...good.slice(2)];
    expect(shown(await changes.makeMany(inTheMiddle, call))).toEqual([1, 2, code, 3, 4]);
    expect(shown(await changes.makeMany([bad, ...good], call))).toEqual([code, 5, 6, 7, 8]);
    expect(shown(await changes.makeMany([...good, bad], call))).toEqual([9, 10, 11, 12, code]);
    expect(shown(await changes.makeMany([bad, bad], call))).toEqual([code, code]);
    for (const { key, value } of good) expect(found(core, key)).toEqual(value);
    expect(core.waiting).toBe(0);
  });
});

function metaOf(nth: number): Meta | undefined {
  return nth % 4 === 0 ? { nth: 'x'.repeat(nth % 23) } : undefined;
}

test('what is laid out arrives, whatever the lengths, and whatever lay there before', async () => {
  const { core, changes } = await startAlone();
  const alone = vi.spyOn(core, 'submit');
  const all = Array.from({ length: 200 }, (_, nth) => {
    const key = `/${'k'.repeat(nth % 9)}${nth % 3 === 0 ? 'é€😀' : ''}${String(nth)}`;
    const value = Buffer.alloc((nth * 37) % 300, nth);
    const meta = encodeMeta(metaOf(nth));
    return changeOf(key, { value, meta, eventTime: nth % 5 === 0 ? nth : null });
  });
  // Nothing of one that expected something is left for those that are laid out in its place.
  const absent = { versionOfKey: 0 };
  const first = await changes.makeMany(
    all.map((one) => ({ ...one, value: Buffer.alloc(9, 7), expect: absent, eventTime: 5 })),
    call,
  );
  expect(first.every((outcome) => !(outcome instanceof FreshetError))).toBe(true);
  const again = await changes.makeMany(all, call);
  const glances = new Glances(core);
  for (const [nth, { key, value, eventTime }] of all.entries()) {
    const { version } = again[nth] as PutResult;
    const told = { version, value, eventTime, meta: metaOf(nth) ?? {} };
    expect(glances.newest(shard, key, false)).toMatchObject(told);
  }
  expect(alone).not.toHaveBeenCalled();
});

test('what is never answered ends as TIMEOUT, and what there was no room for as OVERLOADED', async () => {
  const { core, clock, changes } = await startInVain();
  const max = core.addon.limits['outstandingMax'] ?? 0;
  const all = Array.from({ length: max + 100 }, (_, nth) => changeOf(`/${String(nth)}`));
  const made = changes.makeMany(all, call);
  const queued = core.waiting;
  expect(queued).toBeGreaterThan(0);
  expect(queued).toBeLessThan(all.length);
  clock.advance(call.timeoutMs + 1);
  // What the native side has may still be made: that is told a little later.
  clock.advance(4 * storeLimits.overdueSweepMs);
  const codes = shown(await made);
  expect(codes.slice(0, queued).every((code) => code === 'TIMEOUT')).toBe(true);
  expect(codes.slice(queued).every((code) => code === 'OVERLOADED')).toBe(true);
  // It has their tokens until it answers; nobody hears of that any more.
  expect(core.waiting).toBe(queued);
  await core.stopEpoch(shard);
  await until(() => core.waiting === 0);
});

test('of those whose epoch ends the ones with a session are made in the next', async () => {
  const { member, core, clock, state, changes } = await startInVain();
  const keys = ['/a', '/b', '/c', '/d'];
  const told: unknown[] = [];
  const made = keys.map((key, nth): MadeChange => {
    const session = { session: 7, request: nth + 1, lowestUnanswered: 1 };
    const change = changeOf(key, nth % 2 === 0 ? {} : { session });
    const settle = (outcome: PutOutcome): void => {
      [told[nth]] = shown([outcome]);
    };
    return { change, deadlineMs: clock.monotonicMs() + 1000, signal: null, settle };
  });
  changes.begin(made);
  state.isRunning = false;
  await core.stopEpoch(shard);
  await until(() => core.waiting === 0);
  expect(told).toEqual(['SHARD_STOPPED', undefined, 'SHARD_STOPPED']);
  await member.begin(2);
  await member.makePool();
  state.isRunning = true;
  clock.advance(storeLimits.stoppedPauseMs);
  await until(() => told.length === keys.length);
  expect(told).toEqual(['SHARD_STOPPED', 1, 'SHARD_STOPPED', 2]);
  expect(keys.map((key) => String(found(core, key)))).toEqual(['null', 'of /b', 'null', 'of /d']);
});

test('who throws when it is told takes no answer from the others', async () => {
  const { core, clock, changes } = await startAlone();
  const told: unknown[] = [];
  const made = ['/a', '/b', '/c'].map((key, nth): MadeChange => {
    const settle = (outcome: PutOutcome): void => {
      told.push(...shown([outcome]));
      if (nth < 2) throw new Error(`${key} throws`);
    };
    return { change: changeOf(key), deadlineMs: clock.monotonicMs() + 1000, signal: null, settle };
  });
  const uncaught = await uncaughtIn(async () => {
    changes.begin(made);
    await until(() => told.length === 3);
  });
  expect(told).toEqual([1, 2, 3]);
  expect(uncaught.map(String)).toEqual([
    expect.stringContaining('/a throws'),
    expect.stringContaining('/b throws'),
  ]);
  expect(core.waiting).toBe(0);
});
