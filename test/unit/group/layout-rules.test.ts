import { describe, expect, test } from 'vitest';
import { FreshetError, parseConfig } from '../../../platform/base/mod.ts';
import { Type } from 'typebox';
import {
  defaultSubgroups,
  type ShardOptions,
  type SubgroupOptions,
  SubgroupSchema,
} from '../../../platform/group/layout-options.ts';
import { changeLayout, resolveLayout } from '../../../platform/group/layout-rules.ts';

const subgroup = (options: Partial<SubgroupOptions>): SubgroupOptions => ({
  name: 'a',
  kind: 'volatile',
  shards: 1,
  replicas: null,
  ...options,
});

function refusal(run: () => unknown): FreshetError {
  try {
    run();
  } catch (caught) {
    if (caught instanceof FreshetError) {
      return caught;
    }
    throw caught;
  }
  throw new Error('It was not refused');
}

describe('rules', () => {
  test('are what the shard says, else its subgroup, else three members and a minimum of one', () => {
    const { shards } = resolveLayout([
      subgroup({
        kind: 'trigger',
        replicas: 4,
        minReplicas: 2,
        delivery: 'raw',
        shards: [{}, { replicas: 5, minReplicas: 3, reserved: [9, 7], senders: [9] }],
      }),
      subgroup({ name: 'b', kind: 'persistent', shards: 2 }),
      subgroup({ name: 'c', shards: [{ reserved: [1, 2, 3, 4, 5] }] }),
    ]);
    const slowMember = { policy: 'wait', afterMs: 1000 };
    const multicast = { algorithm: 'binomial', blockBytes: 262_144 };
    const unsaid = { reserved: [], senders: null, delivery: 'ordered', slowMember, multicast };
    const plain = { persistent: false, ...unsaid };
    const rest = { subgroup: 'b', persistent: true, min: 1, max: 3 };
    expect(shards).toEqual([
      { ...plain, shard: 1, subgroup: 'catalog', index: 0, persistent: true, min: 1, max: 16 },
      { ...plain, shard: 2, subgroup: 'a', index: 0, min: 2, max: 4, delivery: 'raw' },
      {
        ...{ shard: 3, subgroup: 'a', index: 1, persistent: false, min: 3, max: 5 },
        ...{ reserved: [7, 9], senders: [9], delivery: 'raw', slowMember, multicast },
      },
      { ...plain, ...rest, shard: 4, index: 0 },
      { ...plain, ...rest, shard: 5, index: 1 },
      { ...plain, shard: 6, subgroup: 'c', index: 0, min: 1, max: 5, reserved: [1, 2, 3, 4, 5] },
    ]);
  });

  test('say of a slow member what the shard says, else its subgroup, else to wait', () => {
    const { shards } = resolveLayout([
      subgroup({
        slowMember: { policy: 'demote', afterMs: 300 },
        shards: [{}, { slowMember: { policy: 'suspect' } }],
      }),
    ]);
    expect(shards.map(({ slowMember }) => slowMember)).toEqual([
      { policy: 'wait', afterMs: 1000 },
      { policy: 'demote', afterMs: 300 },
      { policy: 'suspect', afterMs: 1000 },
    ]);
  });

  test('say how large values go what the shard says, else its subgroup, else the pipeline', () => {
    const { shards } = resolveLayout([
      subgroup({
        multicast: { algorithm: 'chain', blockBytes: 65_536 },
        shards: [{}, { multicast: { algorithm: 'tree' } }],
      }),
    ]);
    expect(shards.map(({ multicast }) => multicast)).toEqual([
      { algorithm: 'binomial', blockBytes: 262_144 },
      { algorithm: 'chain', blockBytes: 65_536 },
      { algorithm: 'tree', blockBytes: 262_144 },
    ]);
  });

  test('come from a configuration, whose faults are named by their place', () => {
    const schema = Type.Object({ subgroups: Type.Array(SubgroupSchema) });
    const read = (subgroups: unknown) =>
      parseConfig(schema, { subgroups }, { source: 'the test' }).subgroups;
    const shards = [{ minReplicas: 2, reserved: [1] }];
    expect(read([{ name: 'a', kind: 'volatile' }])).toEqual([subgroup({ shards: 4 })]);
    expect(read([subgroup({ shards })])).toEqual([subgroup({ shards })]);
    expect(() => read([subgroup({ shards: [{ minReplicas: 0 }] })])).toThrow(
      /subgroups\[0\]\.shards\[0\]\.minReplicas .*not 0/,
    );
    expect(() => read([{ ...subgroup({}), multicast: { blockBytes: 0 } }])).toThrow(
      /subgroups\[0\]\.multicast\.blockBytes .*not 0/,
    );
    expect(() => read([{ ...subgroup({}), multicast: { algorithm: 'ring' } }])).toThrow(
      /subgroups\[0\]\.multicast\.algorithm/,
    );
    const misspelt = { reserve: [1] } as ShardOptions;
    expect(() => read([subgroup({ shards: [misspelt] })])).toThrow(/did you mean reserved\?/);
  });
});

describe('refused with the nearest fix', () => {
  const shard = (options: ShardOptions) => () => resolveLayout([subgroup({ shards: [options] })]);
  const cases: readonly [string, () => unknown, RegExp, RegExp][] = [
    [
      'a minimum above the maximum',
      shard({ minReplicas: 4, replicas: 2 }),
      /shard 0 of the subgroup a needs at least 4 members and may have at most 2/,
      /Set minReplicas to 2, or replicas to 4/,
    ],
    [
      'a minimum above that of the subgroup',
      () => resolveLayout([subgroup({ replicas: 2, shards: [{}, { minReplicas: 3 }] })]),
      /shard 1 of the subgroup a/,
      /Set minReplicas to 2, or replicas to 3/,
    ],
    ['no members', shard({ replicas: 0 }), /replicas 0/, /Give 1 to 16/],
    ['too many members', shard({ replicas: 17 }), /replicas 17/, /Give 1 to 16/],
    [
      'a member reserved twice',
      shard({ reserved: [2, 1, 2] }),
      /shard 0 of the subgroup a reserves member 2 twice/,
      /Name member 2 once/,
    ],
    [
      'a member reserved by two shards, where each holds one',
      () => resolveLayout([subgroup({ shards: [{ reserved: [1] }, { reserved: [1] }] })], true),
      /the subgroup a reserves member 1 twice, for shards 0 and 1/,
      /Take member 1 out of one of them/,
    ],
    [
      'more reserved than there may be',
      shard({ replicas: 1, reserved: [1, 2] }),
      /reserves 2 members and may have at most 1/,
      /Set replicas to 2, or reserve 1 of them/,
    ],
    ['member 0', shard({ reserved: [0] }), /reserves member 0/, /from 1/],
    [
      'a sender that is not reserved',
      shard({ reserved: [1], senders: [2] }),
      /member 2 as a sender/,
      /Add 2 to reserved/,
    ],
    ['a sender twice', shard({ reserved: [1], senders: [1, 1] }), /twice/, /Name member 1 once/],
    [
      'raw delivery of what is stored',
      shard({ delivery: 'raw' }),
      /shard 0 of the subgroup a is volatile and of raw delivery/,
      /Set delivery to ordered, or make it a trigger subgroup/,
    ],
    ['nobody to send', shard({ reserved: [1], senders: [] }), /nobody to send/, /Name a sender/],
  ];
  test.each(cases)('%s', (_name, run, message, mend) => {
    const error = refusal(run);
    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.message).toMatch(message);
    expect(error.mend).toMatch(mend);
  });

  test('two shards may reserve the same member where members hold several', () => {
    const shards = [{ reserved: [1] }, { reserved: [1] }];
    expect(resolveLayout([subgroup({ shards })]).shards).toHaveLength(3);
  });
});

describe('a change online', () => {
  const before = resolveLayout([subgroup({ name: 'a', shards: 2 }), subgroup({ name: 'b' })]);

  test('keeps the numbers of the shards that stay, and uses no number again', () => {
    const numbersOf = (layout: typeof before) =>
      layout.subgroups.map(({ name, shards }) => [name, ...shards.map(({ shard }) => shard)]);
    const without = changeLayout(before, [subgroup({ name: 'b', replicas: 1 })]);
    expect(numbersOf(without)).toEqual([
      ['catalog', 1],
      ['b', 4],
    ]);
    const again = changeLayout(without, [
      subgroup({ name: 'a', shards: 2 }),
      subgroup({ name: 'b' }),
    ]);
    expect(numbersOf(again)).toEqual([
      ['catalog', 1],
      ['a', 5, 6],
      ['b', 4],
    ]);
    expect(again.shards.map(({ shard }) => shard)).toEqual([1, 4, 5, 6]);
  });

  test('is refused where keys would go to other shards, or stored data to another kind', () => {
    const more = refusal(() => changeLayout(before, [subgroup({ name: 'a', shards: 3 })]));
    expect(more.message).toBe('the subgroup a has 2 shards for good, not 3');
    expect(more.mend).toContain('Leave it at 2 shards');
    const other = refusal(() =>
      changeLayout(before, [subgroup({ name: 'a', shards: 2, kind: 'persistent' })]),
    );
    expect(other.mend).toContain('Leave its kind volatile');
  });

  test('is possible from the layout that nobody configured', () => {
    const first = resolveLayout(defaultSubgroups);
    expect(changeLayout(first, defaultSubgroups)).toEqual(first);
  });
});
