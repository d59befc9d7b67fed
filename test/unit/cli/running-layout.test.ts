import { describe, expect, test } from 'vitest';
import type { HeldShard, LayoutReport } from '../../../platform/base/mod.ts';
import {
  balancingMoves,
  loadsBetween,
  runningLines,
} from '../../../platform/cli/running-layout.ts';

function held(
  shard: number,
  members: readonly number[],
  given: Partial<HeldShard> = {},
): HeldShard {
  const place = { shard, subgroup: 'milk', index: shard - 2, min: 1, max: 2 };
  const lists = { reserved: [], members, homes: members, leaving: [], wanted: members };
  return { ...place, ...lists, version: 10, ...given };
}

const catalog = held(1, [1, 2, 3], { subgroup: 'catalog', index: 0, max: 16 });
const report = (...shards: readonly HeldShard[]): LayoutReport => ({
  view: 4,
  version: 2,
  source: '',
  members: [1, 2, 3],
  exclusive: false,
  shards: [catalog, ...shards],
});

test('a running layout is shown with who leaves, who is awaited, and what stands still', () => {
  const shards = [
    held(2, [1, 2, 3], { leaving: [1] }),
    held(3, [2], { homes: [2, 3] }),
    held(4, [], { homes: [1, 3] }),
  ];
  expect(runningLines(report(...shards))).toEqual([
    'view 4, layout version 2',
    '',
    'subgroup    shard  has        versions  members (> leaves, ? awaited)',
    'catalog[0]  1      3 of 1–16  10        1 2 3',
    'milk[0]     2      3 of 1–2   10        1> 2 3',
    'milk[1]     3      1 of 1–2   10        2 3?',
    'milk[2]     4      0 of 1–2   10        closed: 1? 3?',
    '',
    'member 1  2 shards',
    'member 2  3 shards',
    'member 3  2 shards',
  ]);
});

describe('balancing', () => {
  const busy = held(2, [1, 2]);
  const other = held(3, [1, 2]);
  const before = report(busy, other);

  test('goes by the puts that came meanwhile', () => {
    const after = report({ ...busy, version: 10 }, { ...other, version: 1000 });
    const { ofPuts, loadOf } = loadsBetween(before, after);
    expect([ofPuts, loadOf(2), loadOf(3)]).toEqual([true, 0, 990]);
  });

  test('goes by all versions when none came', () => {
    const { ofPuts, loadOf } = loadsBetween(before, before);
    expect([ofPuts, loadOf(2)]).toEqual([false, 10]);
  });

  test('gives a member without shards some, and leaves alone what moves or stands still', () => {
    expect(balancingMoves(before, () => 10, 8)).toEqual([{ shard: 2, from: 1, to: 3 }]);
    const moving = held(2, [1, 2, 3], { leaving: [1] });
    expect(balancingMoves(report(moving, held(3, [])), () => 10, 8)).toEqual([]);
  });
});
