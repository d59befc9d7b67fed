import { describe, expect, test } from 'vitest';
import type { Report } from '../../../platform/group/group-messages.ts';
import type { ShardLayout } from '../../../platform/group/layout.ts';
import {
  adoptionOf,
  apartFrom,
  fillsFrom,
  holdersOf,
  longestOf,
  needsFill,
  newestView,
  nextNumber,
  participantsOf,
  restartView,
} from '../../../platform/group/restart-plan.ts';
import type { CoreView } from '../../../platform/group/view-codec.ts';
import { incarnationOf, layoutOf, positionOf, reportOf, shardOf, viewOf } from './plan-samples.ts';

type Given = Parameters<typeof reportOf>[1];

function reports(given: Readonly<Record<number, Given>>): Map<number, Report> {
  return new Map(
    Object.entries(given).map(([node, one]) => [Number(node), reportOf(Number(node), one)]),
  );
}

describe('the view that a restart goes on from', () => {
  const first = viewOf(1, 0, [1, 2, 3]);
  const second = viewOf(2, 1, [1, 2]);

  test('is none when nobody has a record', () => {
    expect(newestView(reports({ 1: {}, 2: {} }))).toEqual({ base: null, view: null, ballot: 0n });
  });

  test('is the newest that was committed', () => {
    const found = newestView(
      reports({ 1: { committed: second }, 2: { committed: second }, 3: { committed: first } }),
    );
    expect(found).toEqual({ base: second, view: second, ballot: 0n });
  });

  test('waits for a majority of it, whoever else is here', () => {
    const found = newestView(reports({ 1: { committed: second }, 3: { committed: first } }));
    expect(found).toEqual({ waitsFor: 'a majority of view 2: member 2' });
  });

  test('names all who could help', () => {
    expect(newestView(reports({ 1: { committed: first } }))).toEqual({
      waitsFor: 'a majority of view 1: enough of members 2, 3',
    });
  });

  test('is a successor that anyone has prepared', () => {
    const given = { 1: { committed: first, prepared: second }, 2: { committed: first } };
    const found = newestView(reports(given));
    expect(found).toEqual({ base: first, view: second, ballot: 0n });
  });

  test('is no successor of which a majority is away', () => {
    const next = viewOf(2, 1, [3, 4, 5]);
    const given = { 1: { committed: first }, 2: {}, 3: { committed: first, prepared: next } };
    expect(newestView(reports(given))).toEqual({
      waitsFor: 'a majority of view 2: enough of members 4, 5',
    });
  });

  test('is of two successors with one number the one put forward last', () => {
    const other = viewOf(2, 1, [2, 3]);
    const given = {
      1: { committed: first, prepared: second, ballot: 17 },
      2: { committed: first, prepared: second, ballot: 17 },
      3: { committed: first, prepared: other, ballot: 33 },
    };
    expect(newestView(reports(given))).toEqual({ base: first, view: other, ballot: 33n });
  });

  test('is of two successors the one that a later restart adopted, also with a lower number', () => {
    const restart = viewOf(3, 1, [1, 2]);
    const later = viewOf(4, 1, [2, 3]);
    const given = {
      1: {},
      2: { committed: first, prepared: restart, ballot: 17, adoptedAt: 5 },
      3: { committed: first, prepared: later },
    };
    expect(newestView(reports(given))).toEqual({ base: first, view: restart, ballot: 17n });
  });

  test('is the one that was committed, not another of its number that was put forward', () => {
    const other = viewOf(2, 1, [2, 3]);
    const given = {
      1: { committed: second },
      2: { committed: second },
      3: { committed: first, prepared: other, ballot: 17 },
    };
    expect(newestView(reports(given))).toEqual({ base: second, view: second, ballot: 0n });
  });

  test('is no successor of a view that was left behind', () => {
    const third = viewOf(3, 2, [1, 2]);
    const given = {
      1: { committed: third },
      2: { committed: third },
      3: { committed: first, prepared: viewOf(2, 1, [1, 2, 3]) },
    };
    expect(newestView(reports(given))).toEqual({ base: third, view: third, ballot: 0n });
  });

  test('waits for someone who knows the view before a prepared one', () => {
    expect(newestView(reports({ 4: { prepared: viewOf(3, 2, [1, 4]) } }))).toEqual({
      waitsFor: 'a member that was in view 2',
    });
  });

  test('is a first view that was prepared and perhaps begun', () => {
    const found = newestView(reports({ 1: { prepared: first }, 2: { prepared: first } }));
    expect(found).toEqual({ base: null, view: first, ballot: 0n });
  });
});

test('what was only prepared has to be noted first', () => {
  const view = viewOf(1, 0, [1, 3]);
  const lineage = { base: null, view, ballot: 5n };
  expect(adoptionOf(lineage)).toBe(lineage);
  expect(adoptionOf({ base: view, view, ballot: 0n })).toBeNull();
  expect(adoptionOf({ base: null, view: null, ballot: 0n })).toBeNull();
});

describe('who takes part', () => {
  const layout = layoutOf([1, 2, 3, 4]);
  const everyone = reports({ 4: {}, 2: {}, 1: {}, 3: {} });

  test('are all who are here in a first start', () => {
    expect(participantsOf(layout, { base: null, view: null, ballot: 0n }, everyone)).toEqual([
      1, 2, 3, 4,
    ]);
  });

  test('are all who are here when a first view was prepared and perhaps begun', () => {
    const view = viewOf(1, 0, [1, 3]);
    const lineage = { base: null, view, ballot: 0n };
    expect(participantsOf(layout, lineage, everyone)).toEqual([1, 2, 3, 4]);
  });

  test('are members of the view; others join later', () => {
    const view = viewOf(1, 0, [1, 3]);
    expect(participantsOf(layout, { base: view, view, ballot: 0n }, everyone)).toEqual([1, 3]);
  });

  test('are also those of the view that was committed', () => {
    const base = viewOf(1, 0, [1, 2, 3]);
    const view = viewOf(2, 1, [1, 3]);
    expect(participantsOf(layout, { base, view, ballot: 0n }, everyone)).toEqual([1, 2, 3]);
  });

  test('are also those who may have a shard that nobody held', () => {
    // Shard 2 is of members 2 and 3.
    const view = viewOf(1, 0, [1, 4], [shardOf(1, 1, [1, 4]), shardOf(2, 2, [])]);
    expect(layout.shard(2).members).toEqual([2, 3]);
    expect(participantsOf(layout, { base: view, view, ballot: 0n }, everyone)).toEqual([
      1, 2, 3, 4,
    ]);
  });
});

describe('the number of a restart', () => {
  test('is the first one when there was no view', () => {
    expect(nextNumber(null, reports({ 1: {} }))).toBe(1);
  });

  test('leaves one out, for a record that nobody here has', () => {
    expect(nextNumber(viewOf(4, 3, [1]), reports({ 1: {} }))).toBe(6);
  });

  test('is above all that were offered to another restart', () => {
    expect(nextNumber(viewOf(4, 3, [1]), reports({ 1: { offered: 6 }, 2: { offered: 8 } }))).toBe(
      9,
    );
    expect(nextNumber(null, reports({ 1: { offered: 1 } }))).toBe(2);
  });
});

describe('whose history of a shard counts', () => {
  const layout = layoutOf([1, 2, 3, 4]).shard(1);
  const old = viewOf(1, 0, [1, 2, 3], [shardOf(1, 4, [1, 2, 3])]);
  const view = viewOf(2, 1, [1, 2, 3, 4], [shardOf(1, 5, [1, 2, 3, 4])]);

  /** `base`: the newest that was committed; without one the view itself was. */
  function holders(
    view: CoreView | null,
    participants: readonly number[],
    given: Readonly<Record<number, Given>> = {},
    base: CoreView | null = view,
  ): number[] | null {
    const none = Object.fromEntries([1, 2, 3, 4].map((node) => [node, {}]));
    return holdersOf(layout, { base, view }, participants, reports({ ...none, ...given }));
  }

  test("is everyone's in a first start", () => {
    expect(holders(null, [2, 3])).toEqual([2, 3]);
  });

  test('is that of members of its last epoch', () => {
    const before = viewOf(2, 1, [1, 2, 3], [shardOf(1, 5, [1, 3])]);
    expect(holders(before, [1, 2], { 1: { committed: before } })).toEqual([1]);
    expect(holders(before, [2], { 2: { committed: before } })).toBeNull();
  });

  test('is not that of who did not prepare the epoch', () => {
    const given = {
      1: { committed: view },
      2: { committed: old, prepared: view },
      3: { committed: old },
    };
    expect(holders(view, [1, 2, 3, 4], given)).toEqual([1, 2]);
    expect(holders(view, [3, 4], given)).toBeNull();
  });

  test('is of an epoch that no change concerned that of all its members', () => {
    const next = viewOf(2, 1, [1, 2, 3, 4], [shardOf(1, 4, [1, 2, 3])]);
    expect(holders(next, [3], { 3: { committed: old } })).toEqual([3]);
  });

  test("is that of the base's epoch when all are here and nobody prepared the last", () => {
    const given = Object.fromEntries([1, 2, 3].map((node) => [node, { committed: old }]));
    expect(holders(view, [1, 2, 3, 4], given, old)).toEqual([1, 2, 3]);
  });

  test('is of nobody when some of the last epoch are away, who may have begun it', () => {
    const last = viewOf(2, 1, [1, 2, 3, 4], [shardOf(1, 5, [1, 2, 3])]);
    const here = reports({ 1: { committed: old }, 4: { prepared: last } });
    expect(holdersOf(layout, { base: old, view: last }, [1, 4], here)).toBeNull();
  });

  describe('when one that is here and cannot take the shard alone prepared the last epoch', () => {
    // The log of member 3 is damaged.
    const last = viewOf(2, 1, [1, 3], [shardOf(1, 5, [1, 3])]);
    const inOld = { committed: old };
    const inLast = { committed: old, prepared: last };

    test("is that of the base's, as no majority of the view has prepared it", () => {
      expect(holders(last, [1, 2], { 1: inOld, 2: inOld, 3: inLast }, old)).toEqual([1, 2]);
    });

    test("is that of the base's, as no majority of the base has prepared the view", () => {
      const joined = viewOf(2, 1, [1, 3, 4], [shardOf(1, 5, [1, 3])]);
      const prepared = { committed: old, prepared: joined };
      const given = { 1: inOld, 2: inOld, 3: prepared, 4: { prepared: joined } };
      expect(holders(joined, [1, 2], given, old)).toEqual([1, 2]);
    });

    test('is of nobody while who is away may have prepared it too', () => {
      const here = reports({ 2: inOld, 3: inLast });
      expect(holdersOf(layout, { base: old, view: last }, [2], here)).toBeNull();
    });

    test('is of nobody when the other one has lost its disk', () => {
      expect(holders(last, [2], { 1: {}, 2: inOld, 3: inLast }, old)).toBeNull();
    });

    test('is of nobody when another proposal of that number was prepared', () => {
      const other = viewOf(2, 1, [1, 2], [shardOf(1, 6, [1, 2])]);
      const given = { 1: { committed: old, prepared: other }, 2: inOld, 3: inLast };
      expect(holders(last, [1, 2], given, old)).toBeNull();
    });
  });

  test("is of nobody who prepared neither the last epoch nor the base's", () => {
    // Of an epoch before the base: the base's own holder has lost its disk, or is to come.
    const older = viewOf(1, 0, [1, 2, 3], [shardOf(1, 3, [1, 2])]);
    const base = viewOf(2, 1, [1, 2, 3, 4], [shardOf(1, 4, [2, 3])]);
    const next = viewOf(3, 2, [1, 2, 3, 4], [shardOf(1, 5, [1, 2])]);
    const given = { 1: { committed: older }, 2: { committed: older } };
    expect(holders(next, [1, 2, 4], given, base)).toBeNull();
    expect(holders(next, [1, 2, 3, 4], { ...given, 3: { committed: base } }, base)).toEqual([3]);
    expect(holders(base, [1, 2, 3, 4])).toBeNull();
  });

  test('may be of anyone when the shard was closed, so all have to be here', () => {
    const closed = viewOf(2, 1, [1], [shardOf(1, 5, [])]);
    expect(holders(closed, [1, 2, 3])).toBeNull();
    expect(holders(closed, [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
  });
});

describe('the longest history', () => {
  test('is of the later epoch, then of the higher sequence, then of the first', () => {
    const positions = [positionOf(2, 9), positionOf(3, 0), positionOf(3, 4), positionOf(3, 4)];
    const longest = longestOf([1, 2, 3, 4], (node) => positions[node - 1] as (typeof positions)[0]);
    expect(longest).toEqual({ node: 3, report: positions[2] });
  });
});

describe('who has to be filled', () => {
  const layout = layoutOf([1, 2, 3, 4]).shard(1);
  const donor = positionOf(3, 4, { version: 9 });

  test('is who is behind, ahead, or went another way', () => {
    expect(needsFill(layout, donor, donor)).toBe(false);
    expect(needsFill(layout, donor, { ...donor, version: 8 })).toBe(true);
    expect(needsFill(layout, donor, { ...donor, version: 10 })).toBe(true);
    expect(needsFill(layout, donor, { ...donor, digest: 'another' })).toBe(true);
  });

  test('is told by version and place on a volatile pool, which has no digest', () => {
    const memory = { ...layout, persistent: false };
    expect(needsFill(memory, donor, { ...donor, digest: 'another' })).toBe(false);
    expect(needsFill(memory, donor, { ...donor, version: 8 })).toBe(true);
    // As many versions, but it does not know of the newest pool.
    expect(needsFill(memory, donor, { ...donor, sequence: donor.sequence - 1 })).toBe(true);
    expect(needsFill(memory, donor, { ...donor, epoch: donor.epoch - 1 })).toBe(true);
  });

  test('is told from whom, if it takes part', () => {
    const behind = positionOf(2, 0);
    const fills = fillsFrom(layout, { node: 2, report: donor }, [1, 2, 3], (node) =>
      node === 1 ? behind : donor,
    );
    expect([...fills]).toEqual([[1, { shard: 1, donor: 2 }]]);
  });
});

describe('a member that lost its disk', () => {
  const before = viewOf(4, 3, [1, 2, 3]);

  test('does not count for the majority of a view', () => {
    const given = reports({ 2: { committed: before }, 3: {} });
    expect(newestView(given)).toEqual({ waitsFor: 'a majority of view 4: member 1' });
  });

  test('is no hindrance when all are there', () => {
    const given = reports({ 1: { committed: before }, 2: {}, 3: {} });
    expect(newestView(given)).toMatchObject({ view: { number: 4 } });
  });
});

describe('histories that end at one place', () => {
  const [layout] = layoutOf([1, 2, 3], 1, 3).shards;
  const at = (digest: string) => ({ ...positionOf(4, 7), digest });
  const positions = [at('b'), at('a'), at('a'), { ...at('b'), sequence: 6 }];
  const reportAt = (node: number) => positions[node - 1] as (typeof positions)[0];

  test('go on with that of most', () => {
    expect(longestOf([1, 2, 3], reportAt).node).toBe(2);
  });

  test('set those apart that differ there, not who is behind', () => {
    const donor = { node: 2, report: reportAt(2) };
    expect(layout?.persistent).toBe(true);
    expect(apartFrom(layout as ShardLayout, donor, [1, 2, 3, 4], reportAt)).toEqual([1]);
    const inMemory = { ...(layout as ShardLayout), persistent: false };
    expect(apartFrom(inMemory, donor, [1, 2, 3, 4], reportAt)).toEqual([]);
  });
});

describe('the view of a restart', () => {
  const layout = layoutOf([1, 2, 3], 1, 1);
  const before = viewOf(4, 3, [1, 2, 3], [shardOf(1, 6, [1, 2, 3]), shardOf(2, 9, [2])]);
  const none = positionOf(0, -1);
  const given = reports({
    1: { shards: [{ ...none, shard: 1, highest: 8 }] },
    3: { shards: [{ ...none, shard: 1, highest: 7 }] },
  });
  const taking = ({ members }: ShardLayout) => members.filter((node) => [1, 3].includes(node));
  const view = restartView(layout, before, 6, [1, 3], given, taking);

  test('follows the one before, with this incarnation of each who takes part', () => {
    expect(view).toMatchObject({ number: 6, parent: 4 });
    expect(view.members).toEqual([
      { node: 1, seat: 0, incarnation: incarnationOf(1) },
      { node: 3, seat: 1, incarnation: incarnationOf(3) },
    ]);
  });

  test('begins epochs above every one that anybody prepared', () => {
    expect(view.shards.map(({ epoch }) => epoch)).toEqual([9, 10]);
  });

  test('keeps the rank order of the layout, and all send', () => {
    expect(view.shards[0]).toMatchObject({ members: [0, 1], senders: [0, 1], persistent: true });
  });

  test('closes a shard of which nobody is here', () => {
    expect(layout.shard(2).members).toEqual([2]);
    expect(view.shards[1]).toMatchObject({ members: [], senders: [], closed: true });
  });

  test('has no parent when there was no view', () => {
    expect(restartView(layout, null, 1, [1, 3], given, taking)).toMatchObject({
      number: 1,
      parent: 0,
    });
  });
});
