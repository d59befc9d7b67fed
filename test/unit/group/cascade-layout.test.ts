import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../../platform/base/mod.ts';
import { readCascadeLayout } from '../../../platform/group/cascade-layout.ts';
import { resolveLayout } from '../../../platform/group/layout-rules.ts';
import { planShards } from '../../../platform/group/shard-plan.ts';

const options = { source: 'layout.json' };

/** The example of src/service/README.md of Cascade, its four types written out. */
const fromReadme = `[
  {
    "type_alias": "VCSU",
    "layout": [
      {
        "min_nodes_by_shard": [1],
        "max_nodes_by_shard": [1],
        "delivery_modes_by_shard": ["Ordered"],
        "profiles_by_shard": ["DEFAULT"]
      },
      {
        "min_nodes_by_shard": [1,3,5],
        "max_nodes_by_shard": [3,5,7],
        "delivery_modes_by_shard": ["Ordered","Ordered","Raw"],
        "profiles_by_shard": ["VCS2_SHARD1","VCS2_SHARD2","VCS2_SHARD3"]
      }
    ]
  },
  { "type_alias": "VCSS", "layout": [] },
  { "type_alias": "PCSU", "layout": [] },
  { "type_alias": "PCSS", "layout": [] }
]`;

const one = (reserved: string, mode = 'Ordered', most = 1) => `{
  "min_nodes_by_shard": ["1"],
  "max_nodes_by_shard": ["${String(most)}"],
  "delivery_modes_by_shard": ["${mode}"],
  "reserved_node_ids_by_shard": [[${reserved}]],
  "profiles_by_shard": ["DEFAULT"]
}`;

/** What Cascade's service is installed with (src/service/cfg), its stray quotation mark included. */
const ofService = `[
  {"type_alias": "CascadeMetadataService", "layout": [${one('"0"')}]},
  {"type_alias": "VolatileCascadeStoreWithStringKey", "layout": [${one('"1","2","3"', undefined, 3)}]},
  {"type_alias": "PersistentCascadeStoreWithStringKey", "layout": [${one('"0"', undefined, 3)}]},
  {"type_alias": "TriggerCascadeNoStoreWithStringKey", "layout": [${one('"0"', 'Raw', 3)}]}
]'`;

/** Which members hold each shard of each subgroup. */
function heldBy(text: string, members: readonly number[]): Record<string, readonly number[][]> {
  const layout = resolveLayout(readCascadeLayout(text, options).subgroups, true);
  const { shards } = planShards(layout, null, members);
  const held = layout.subgroups.map(({ name, shards: rules }) => {
    const own = shards.filter(({ shard }) => rules.some((rule) => rule.shard === shard));
    return [name, own.map((shard) => [...shard.members])];
  });
  return Object.fromEntries(held) as Record<string, readonly number[][]>;
}

describe('a layout of Cascade', () => {
  test('from its documentation is read as it is', () => {
    const { subgroups, notes } = readCascadeLayout(fromReadme, options);
    const shard = { reserved: [], delivery: 'ordered' };
    expect(subgroups).toEqual([
      {
        name: 'volatile',
        kind: 'volatile',
        replicas: null,
        shards: [{ ...shard, minReplicas: 1, replicas: 1 }],
      },
      {
        name: 'volatile-1',
        kind: 'volatile',
        replicas: null,
        shards: [
          { ...shard, minReplicas: 1, replicas: 3 },
          { ...shard, minReplicas: 3, replicas: 5 },
          { ...shard, minReplicas: 5, replicas: 7 },
        ],
      },
    ]);
    expect(notes).toEqual([
      'Profiles (VCS2_SHARD1, VCS2_SHARD2, VCS2_SHARD3) say nothing here: ' +
        'rings and batches size themselves',
      '[0].layout[1], shard 2: Raw is Ordered, as what is stored has versions',
    ]);
  });

  test('gives every node of its documentation one shard, minimums first, then in turn', () => {
    const members = (count: number) => Array.from({ length: count }, (_, nth) => nth + 1);
    expect(heldBy(fromReadme, members(10))).toMatchObject({
      volatile: [[1]],
      'volatile-1': [[2], [3, 4, 5], [6, 7, 8, 9, 10]],
    });
    expect(heldBy(fromReadme, members(12))).toMatchObject({
      volatile: [[1]],
      'volatile-1': [
        [2, 11],
        [3, 4, 5, 12],
        [6, 7, 8, 9, 10],
      ],
    });
    // Too few for the last, which says so; the others run, where Cascade as a whole would wait.
    expect(heldBy(fromReadme, members(9))).toMatchObject({
      volatile: [[1]],
      'volatile-1': [[2, 6, 8], [3, 4, 5, 7, 9], []],
    });
  });

  test('as its service is installed, from node 0 on', () => {
    const { notes } = readCascadeLayout(ofService, options);
    expect(notes).toEqual([
      'The metadata service is the catalog, which every member holds',
      'Members are numbered from 1: node n is member n + 1',
    ]);
    expect(heldBy(ofService, [1, 2, 3, 4])).toEqual({
      catalog: [[1, 2, 3, 4]],
      volatile: [[2, 3, 4]],
      persistent: [[1]],
      trigger: [[1]],
    });
  });

  test('marks those that alone send with a star, and may number from 1', () => {
    const text = `[{"type_alias": "PCSS", "layout": [${one('"*1", "2", 3', 'Ordered', 3)}]}]`;
    const { subgroups, notes } = readCascadeLayout(text, { ...options, nodeOffset: 0 });
    expect(subgroups[0]?.shards).toEqual([
      { minReplicas: 1, replicas: 3, reserved: [1, 2, 3], senders: [1], delivery: 'ordered' },
    ]);
    expect(notes).toEqual([]);
  });

  test('takes in all that are reserved, as Cascade does, and says so', () => {
    const text = `[{"type_alias": "VCSS", "layout": [${one('1, 2, 3', 'Ordered', 2)}]}]`;
    const { subgroups, notes } = readCascadeLayout(text, options);
    expect(subgroups[0]?.shards).toMatchObject([{ replicas: 3, reserved: [2, 3, 4] }]);
    expect(notes[1]).toBe(
      '[0].layout[0], shard 0: 3 nodes are reserved, so that many may hold it, not 2',
    );
  });

  test('needs no aliases: then the order counts', () => {
    const text = `[{"layout": []}, {"layout": []}, {"layout": [${one('5')}]}]`;
    expect(readCascadeLayout(text, options).subgroups).toMatchObject([{ kind: 'persistent' }]);
  });
});

describe('refused, with the place and the nearest fix', () => {
  const volatile = (layout: string) => `[{"type_alias": "VCSS", "layout": [${layout}]}]`;
  const shards = (text: string) =>
    volatile(`{"delivery_modes_by_shard": ["Ordered", "Ordered"],
      "profiles_by_shard": ["DEFAULT", "DEFAULT"], ${text}}`);
  const cases: readonly [string, string, RegExp, RegExp][] = [
    ['no JSON', '[{', /In layout\.json: it is no JSON/, /./],
    ['no list', '{}', /In layout\.json: it must be array/, /./],
    [
      'an unknown name',
      volatile('{"min_nodes_by_shard": [1], "reserved_nodes_by_shard": [[1]]}'),
      /\[0\]\.layout\[0\]\.reserved_nodes_by_shard .*did you mean reserved_node_ids_by_shard\?/,
      /./,
    ],
    [
      'an unknown type',
      `[{"type_alias": "VolatileCascadeStoreWithStringKeys", "layout": []}]`,
      /\[0\]\.type_alias is 'VolatileCascadeStoreWithStringKeys'/,
      /Did you mean VolatileCascadeStoreWithStringKey\?/,
    ],
    [
      'a type more than Cascade has',
      '[{"layout": []}, {"layout": []}, {"layout": []}, {"layout": []}, {"layout": []}]',
      /\[4\]\.type_alias is missing/,
      /Name one of CascadeMetadataService/,
    ],
    ['an unknown mode', volatile(one('1', 'Unordered')), /delivery_modes_by_shard\[0\]/, /./],
    ['a node that is none', volatile(one('"x"')), /reserved_node_ids_by_shard\[0\]\[0\]/, /./],
    [
      'lists of different lengths',
      shards('"min_nodes_by_shard": [1, 1], "max_nodes_by_shard": [1]'),
      /\[0\]\.layout\[0\]\.max_nodes_by_shard has 1 entries, min_nodes_by_shard has 2/,
      /one entry for every shard/,
    ],
    [
      'a minimum above the maximum',
      shards('"min_nodes_by_shard": [1, 3], "max_nodes_by_shard": [1, 2]'),
      /\[0\]\.layout\[0\], shard 1: min_nodes_by_shard is 3, max_nodes_by_shard 2/,
      /Set min_nodes_by_shard to 2, or max_nodes_by_shard to 3/,
    ],
  ];
  test.each(cases)('%s', (_name, text, message, mend) => {
    let error: unknown = null;
    try {
      readCascadeLayout(text, options);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(FreshetError);
    const { code, message: said, mend: fix } = error as FreshetError;
    expect(code).toBe('INVALID_CONFIG');
    expect(said).toMatch(message);
    expect(fix).toMatch(mend);
  });

  test('a node that two shards of a subgroup reserve', () => {
    const text = shards(
      '"min_nodes_by_shard": [1, 1], "max_nodes_by_shard": [1, 1],' +
        '"reserved_node_ids_by_shard": [[4], [4]]',
    );
    const { subgroups } = readCascadeLayout(text, options);
    expect(() => resolveLayout(subgroups, true)).toThrow(
      'the subgroup volatile reserves member 5 twice, for shards 0 and 1',
    );
  });
});
