import { afterEach, describe, expect, test } from 'vitest';
import { FreshetError } from '../../platform/base/mod.ts';
import { FillMember, shard } from './fill-member.ts';

const MiB = 1024 * 1024;
const start = { epoch: 0, sequence: -1 };
const sessions = 40;
const requests = 1000;
const { signal } = new AbortController();
const local = <Result>(work: Promise<Result>): Promise<Result> => work;

/** What was asked in some of the sessions is answered as it was, and not made again. */
async function expectAnswers(
  member: FillMember,
  answers: ReadonlyMap<number, readonly number[]>,
): Promise<void> {
  const { version } = await member.position();
  for (const [session, versions] of answers) {
    for (const request of [1, 2, versions.length]) {
      const again = await member.put('/k', Buffer.from('again'), session, request);
      expect(again).toBe(versions[request - 1]);
    }
  }
  expect((await member.position()).version).toBe(version);
}

const opened: FillMember[] = [];

afterEach(() => {
  for (const member of opened.splice(0)) member.core.close();
});

async function openMember(nodeId: number): Promise<FillMember> {
  const member = new FillMember(nodeId);
  opened.push(member);
  await member.open();
  return member;
}

interface Donor {
  readonly donor: FillMember;
  /** Of each session the versions that its requests got. */
  readonly answers: Map<number, number[]>;
}

/** More than a MiB of sessions, all of one key. */
async function openDonor(): Promise<Donor> {
  const donor = await openMember(1);
  await donor.begin(1);
  await donor.makePool();
  const answers = new Map<number, number[]>();
  for (let session = 1; session <= sessions; session++) {
    const puts = Array.from({ length: requests }, (_, nth) =>
      donor.put('/k', Buffer.from('v'), session, nth + 1),
    );
    answers.set(session, await Promise.all(puts));
  }
  return { donor, answers };
}

async function openJoiner(donor: FillMember): Promise<FillMember> {
  const joiner = await openMember(2);
  joiner.donors.set(1, donor);
  return joiner;
}

const fill = { shard, donor: 1 };

describe('the sessions of a volatile shard', () => {
  test('come in messages of bounded size', async () => {
    const { donor, answers } = await openDonor();
    const joiner = await openJoiner(donor);
    await joiner.filler.fill(fill, start, signal, local);
    expect(joiner.reads).toBeGreaterThan(5);
    expect(joiner.bytes / joiner.reads).toBeLessThanOrEqual(256 * 1024);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await expectAnswers(joiner, answers);
  });

  test('are those of one position, though the donor goes on between their pieces', async () => {
    const { donor, answers } = await openDonor();
    const joiner = await openJoiner(donor);
    const moves = [3, 5, 6];
    joiner.onCall = async () => {
      if (joiner.reads !== moves[0]) return;
      const session = moves.shift() as number;
      const versions = answers.get(session) as number[];
      versions.push(await donor.put('/k', Buffer.from('more'), session, versions.length + 1));
    };
    await joiner.filler.fillEnd(fill, { epoch: 1, sequence: -1 }, signal);
    expect(moves).toEqual([]);
    expect(joiner.reads).toBeGreaterThan(10);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await expectAnswers(joiner, answers);
  });

  test('come from another donor when one is lost amid them', async () => {
    const { donor, answers } = await openDonor();
    const other = await openMember(3);
    other.donors.set(1, donor);
    await other.filler.fill(fill, start, signal, local);
    const joiner = await openJoiner(donor);
    joiner.donors.set(3, other);
    joiner.onCall = () => {
      if (joiner.reads < 3) return Promise.resolve();
      return Promise.reject(new FreshetError('UNREACHABLE', 'it is lost'));
    };
    const lost = joiner.filler.fill(fill, start, signal, local);
    await expect(lost).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(await joiner.position()).not.toEqual(await donor.position());
    joiner.onCall = () => Promise.resolve();
    const mine = await joiner.position();
    await joiner.filler.fill({ shard, donor: 3 }, mine, signal, local);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await expectAnswers(joiner, answers);
  });

  test('come to who follows in one go, as long as it may go on', async () => {
    const { donor, answers } = await openDonor();
    const joiner = await openJoiner(donor);
    const follow = async (mayGoOn: () => boolean): Promise<boolean> =>
      joiner.filler.follow(fill, await joiner.position(), 1, signal, mayGoOn);
    expect(await follow(() => true)).toBe(true); // the pool
    const before = await joiner.position();
    expect(await follow(() => joiner.reads < 4)).toBe(true);
    expect(await joiner.position()).toEqual(before);
    expect(joiner.reads).toBe(4);
    expect(await follow(() => true)).toBe(true);
    expect(await joiner.position()).toEqual(await donor.position());
    expect(await follow(() => true)).toBe(false);
    await joiner.begin(2);
    await expectAnswers(joiner, answers);
  });

  test('come before a last value that is too long for a message, and count with it', async () => {
    const { donor, answers } = await openDonor();
    const value = Buffer.alloc(65 * MiB, 'long');
    const before = await donor.put('/short', Buffer.from('short'), sessions + 1, 1);
    const version = await donor.put('/long', value, sessions + 1, 2);
    answers.set(sessions + 1, [before, version]);
    const joiner = await openJoiner(donor);
    joiner.onCall = () => {
      if (joiner.bytes < 32 * MiB) return Promise.resolve();
      return Promise.reject(new FreshetError('UNREACHABLE', 'it is lost'));
    };
    const lost = joiner.filler.fill(fill, start, signal, local);
    await expect(lost).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect((await joiner.position()).version).toBe(before);
    joiner.onCall = () => Promise.resolve();
    await joiner.filler.fill(fill, await joiner.position(), signal, local);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await expectAnswers(joiner, answers);
  });

  test('do not hide that what is here is the beginning of what the donor has', async () => {
    const { donor, answers } = await openDonor();
    for (const key of ['/a', '/b', '/c']) await donor.put(key, Buffer.alloc(MiB));
    const joiner = await openJoiner(donor);
    await joiner.filler.fill(fill, start, signal, local);
    await donor.put('/d', Buffer.from('last'));
    joiner.bytes = 0;
    await joiner.filler.fill(fill, await joiner.position(), signal, local);
    expect(joiner.bytes).toBeLessThan(2 * MiB);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await expectAnswers(joiner, answers);
  });
});
