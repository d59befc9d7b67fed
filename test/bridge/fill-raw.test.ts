import { afterEach, expect, test } from 'vitest';
import { FillMember, shard } from './fill-member.ts';

const { signal } = new AbortController();
const local = <Result>(work: Promise<Result>): Promise<Result> => work;
const fill = { shard, donor: 1 };

const opened: FillMember[] = [];

afterEach(() => {
  for (const member of opened.splice(0)) member.core.close();
});

/** Members of a raw shard that run it apart; the second is filled from the first. */
async function openTwo(): Promise<readonly [FillMember, FillMember]> {
  const donor = new FillMember(1, 'raw');
  const member = new FillMember(2, 'raw');
  opened.push(donor, member);
  await Promise.all(opened.map((one) => one.open()));
  member.donors.set(1, donor);
  return [donor, member];
}

test('what came to others of a raw shard is not filled in; the rules of its pools are', async () => {
  const [donor, member] = await openTwo();
  await donor.begin(1);
  await donor.makePool();
  for (let nth = 0; nth < 40; nth++) await donor.trigger(`/k/${String(nth)}`);
  const blank = await member.position();
  await member.filler.fill(fill, blank, signal, local);
  expect(await member.position()).toEqual(blank);
  expect(member.bytes).toBeLessThan(1024);
  await member.begin(2);
  await member.trigger('/k/new');
  expect((await member.position()).version).toBe(1);
});

test('a member of a raw shard that keeps its memory is left what came to it', async () => {
  const [donor, member] = await openTwo();
  for (const one of [donor, member]) {
    await one.begin(1);
    await one.makePool();
    await one.trigger('/k/both');
  }
  for (let nth = 0; nth < 5; nth++) await donor.trigger('/k/there');
  await donor.closePool();
  await member.trigger('/k/here');
  const mine = await member.position();
  expect(mine.version).toBe(2);
  await member.core.stopEpoch(shard);
  await member.filler.fill(fill, mine, signal, local);
  expect(await member.position()).toEqual(mine);
  await member.begin(2);
  await expect(member.trigger('/k/more')).rejects.toThrow('UNKNOWN_POOL');
});

test('a pool that the donor does not know is forgotten: others would refuse its changes', async () => {
  const [donor, member] = await openTwo();
  await donor.begin(1);
  await member.begin(1);
  await member.makePool();
  await member.trigger('/k/taken');
  await member.core.stopEpoch(shard);
  await member.filler.fill(fill, await member.position(), signal, local);
  await member.begin(2);
  await expect(member.trigger('/k/more')).rejects.toThrow('UNKNOWN_POOL');
  expect((await member.position()).version).toBe(1);
});
