import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { LayoutReport } from '../../platform/base/mod.ts';
import { programArgs, runProgram, tempFolder } from '../support/mod.ts';
import { type ServingCluster, startServingCluster } from '../support/serving.ts';

let cluster: ServingCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const milk = { name: 'persistent', kind: 'persistent', shards: 1, replicas: 2 };

async function start() {
  const folder = await tempFolder('layout-command');
  const running = await startServingCluster(folder, { config: { subgroups: [milk] } });
  cluster = running;
  const address = `127.0.0.1:${String(running.ports[2]?.grpc)}`;
  const freshet = async (...words: readonly string[]) =>
    runProgram(
      process.execPath,
      programArgs('platform/cli/main.ts', '--address', address, ...words),
    );
  const file = path.join(folder, 'layout.json');
  return { running, freshet, file };
}

test('freshet layout apply shows and makes a change, and refuses what cannot be', async () => {
  const { running, freshet, file } = await start();
  const { stdout } = await freshet('layout', 'show', '--config');
  const config = JSON.parse(stdout) as { subgroups: object[]; layout: object };
  expect(config).toEqual({ subgroups: [milk], layout: { exclusive: false } });

  const barn = { name: 'barn', kind: 'volatile', shards: 1, replicas: 3 };
  await writeFile(file, JSON.stringify({ ...config, subgroups: [milk, barn] }));
  const planned = await freshet('layout', 'apply', file, '--dry-run');
  const lines = [
    'layout version 1 becomes 2',
    '  the subgroup barn is added: volatile, 1 shard of 1 to 3 members',
  ];
  expect(planned.stdout.split('\n').slice(0, 2)).toEqual(lines);
  expect(planned.stdout).toMatch(/ {2}barn\[0\], shard 3: new, members \d \d \d\n$/);
  expect((await running.door.layout()).version).toBe(1);

  const applied = await freshet('layout', 'apply', file);
  expect([applied.code, applied.stdout.split('\n').slice(0, 2)]).toEqual([0, lines]);
  expect(applied.stdout).toContain('layout version 2: done');
  const created = await freshet(
    'pool',
    'create',
    '/barn',
    '--kind',
    'volatile',
    '--subgroup',
    'barn',
  );
  expect([created.code, created.stderr]).toEqual([0, '']);
  const { version, shards }: LayoutReport = await running.door.layout();
  expect([version, shards[2]?.subgroup, shards[2]?.members.length]).toEqual([2, 'barn', 3]);

  await writeFile(file, JSON.stringify({ subgroups: [milk] }));
  const refused = await freshet('layout', 'apply', file);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('barn would be taken away, and has the pool /barn');
  expect(refused.stderr).toContain('Remove it first, with all keys (freshet pool rm /barn)');
  expect((await freshet('pool', 'rm', '/barn')).code).toBe(0);
  const dry = await freshet('layout', 'apply', file, '--dry-run');
  expect(dry.stdout).toMatch(/ {2}the subgroup barn is taken away: volatile, 1 shard\n/);
  expect(dry.stdout).toMatch(/ {2}barn\[0\], shard 3: taken away from members \d \d \d\n$/);
  const gone = await freshet('layout', 'apply', file);
  expect([gone.code, gone.stdout.split('\n').at(-2)]).toEqual([0, 'layout version 3: done']);
  expect((await running.door.layout()).shards).toHaveLength(2);
  const late = await freshet('put', '/barn/a', '1');
  expect(late.stderr).toContain('No pool holds /barn/a');
});

test('freshet layout apply reads a layout.json of Cascade', async () => {
  const { running, freshet, file } = await start();
  const shard = {
    min_nodes_by_shard: ['1'],
    max_nodes_by_shard: ['3'],
    reserved_node_ids_by_shard: [['0']],
    delivery_modes_by_shard: ['Ordered'],
    profiles_by_shard: ['DEFAULT'],
  };
  await writeFile(file, JSON.stringify([{ type_alias: 'PCSS', layout: [shard] }]));
  const other = await freshet('layout', 'apply', file, '--exclusive', '--dry-run');
  expect(other.stderr).toContain('layout.exclusive is false for good');
  const applied = await freshet('--json', 'layout', 'apply', file);
  expect(applied.stderr).toContain('node n is member n + 1');
  expect(JSON.parse(applied.stdout.split('\n')[0] ?? '')).toMatchObject({
    lines: ['the subgroup persistent: replicas 2 becomes 3, reserved none becomes 1'],
  });
  const { shards } = await running.door.layout();
  expect(shards[1]?.members).toHaveLength(3);
});
