import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { layoutLines, showLayout } from '../../../platform/cli/layout-view.ts';
import { planShards, resolveLayout } from '../../../platform/group/mod.ts';
import { programArgs, runProgram, tempFolder } from '../../support/mod.ts';

const subgroups = [
  { name: 'v', kind: 'volatile', shards: 2, replicas: 2 },
  {
    name: 'gpu',
    kind: 'trigger',
    replicas: null,
    shards: [{ replicas: 3, minReplicas: 2, reserved: [4, 9], senders: [4], delivery: 'raw' }],
  },
] as const;

const withFour = [
  'subgroup    shard  kind        delivery  has        members (* sends, ! reserved)',
  'catalog[0]  1      persistent  ordered   4 of 1–16  1 2 3 4',
  'v[0]        2      volatile    ordered   2 of 1–2   2 3',
  'v[1]        3      volatile    ordered   2 of 1–2   3 1',
  'gpu[0]      4      trigger     raw       3 of 2–3   4*! 1 2',
  '',
  'member 1  3 shards',
  'member 2  3 shards',
  'member 3  3 shards',
  'member 4  2 shards',
];

test('a layout is shown with who holds, sends and is reserved', () => {
  const layout = resolveLayout(subgroups);
  const plan = planShards(layout, null, [1, 2, 3, 4]);
  const shown = showLayout(layout, plan, [1, 2, 3, 4]);
  expect(layoutLines(shown)).toEqual(withFour);
  expect(shown.shards[3]).toEqual({
    ...{ subgroup: 'gpu', index: 0, shard: 4, kind: 'trigger', delivery: 'raw', min: 2, max: 3 },
    ...{ members: [4, 1, 2], senders: [4], reserved: [4, 9], waitsFor: null },
  });
  expect(shown.load[1]).toEqual({ member: 2, shards: [1, 2, 4] });
});

test('a closed shard is shown with what it waits for, a spare as such', () => {
  const one = resolveLayout([{ name: 'v', kind: 'volatile', shards: 1, replicas: 1 }]);
  const spare = layoutLines(showLayout(one, planShards(one, null, [1, 2]), [1, 2]));
  expect(spare).toContain('member 1  spare');
  const layout = resolveLayout(subgroups);
  const lines = layoutLines(showLayout(layout, planShards(layout, null, [1, 2]), [1, 2]));
  expect(lines.find((line) => line.startsWith('gpu'))).toMatch(/0 of 2–3 +closed$/);
  expect(lines.at(-1)).toBe('shard 0 of the subgroup gpu needs 1 more member that may send: 4');
});

const layoutCommand = async (...words: readonly string[]) =>
  runProgram(process.execPath, programArgs('platform/cli/main.ts', ...words));

test('the command reads a configuration, or a layout of Cascade, and tells what follows', async () => {
  const folder = await tempFolder('layout-command');
  const config = path.join(folder, 'member.json');
  const members = [1, 2, 3, 4].map((id) => ({ id, port: 7000 + id }));
  await writeFile(config, JSON.stringify({ node: 1, members, subgroups, logLevel: 'warn' }));
  const shown = await layoutCommand('layout', config, '--then', '1,2');
  expect([shown.code, shown.stderr]).toEqual([0, '']);
  const lines = shown.stdout.split('\n');
  expect(lines.slice(0, withFour.length)).toEqual(withFour);
  expect(lines.slice(withFour.length, withFour.length + 3)).toEqual(['', 'then with 1, 2', '']);

  const cascade = path.join(folder, 'layout.json');
  const shard = {
    min_nodes_by_shard: ['1'],
    max_nodes_by_shard: ['2'],
    reserved_node_ids_by_shard: [['0']],
    delivery_modes_by_shard: ['Ordered'],
    profiles_by_shard: ['DEFAULT'],
  };
  await writeFile(cascade, `${JSON.stringify([{ type_alias: 'PCSS', layout: [shard] }])}'`);
  const read = await layoutCommand('--json', 'layout', cascade, '--members', '1,2,3');
  expect(read.stderr).toContain('node n is member n + 1');
  const [, persistent] = (JSON.parse(read.stdout) as { readonly shards: readonly unknown[] })
    .shards;
  expect(persistent).toMatchObject({ members: [1, 2], reserved: [1], min: 1, max: 2 });
});

test('the command refuses what it cannot use, with the nearest fix', async () => {
  const folder = await tempFolder('layout-refused');
  const file = path.join(folder, 'member.json');
  const refusalOf = async (text: string, ...words: readonly string[]) => {
    await writeFile(file, text);
    return (await layoutCommand('layout', file, ...words)).stderr;
  };
  expect(await refusalOf('{"subgruops": []}')).toContain('Did you mean subgroups?');
  expect(await refusalOf('{}')).toContain('Give them: --members 1,2,3');
  expect(await refusalOf('{}', '--members', '1,2,1')).toContain('names member 1 twice');
  expect(await refusalOf('{')).toContain('it is no JSON');
});
