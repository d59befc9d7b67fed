import { afterEach, expect, test } from 'vitest';
import type { HeldShard, LayoutReport } from '../../platform/base/mod.ts';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { CountingClient, countingDefaults } from '../support/counting-client.ts';
import { freePort, programArgs, runProgram, tempFolder, until } from '../support/mod.ts';
import { type ServedProcesses, startServedProcesses } from '../support/serving.ts';

let served: ServedProcesses | null = null;
const doors = new Map<number, GrpcDoor>();

afterEach(async () => {
  for (const door of doors.values()) await door.close();
  doors.clear();
  await served?.close();
  served = null;
});

const milk = { name: 'persistent', kind: 'persistent', shards: 6, replicas: 2 } as const;
const ids = [1, 2, 3];
/** Everything is moved away from it. */
const idle = 3;

interface Move {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

function freshet(address: string, ...words: readonly string[]) {
  const args = programArgs('platform/cli/main.ts', '--address', address, ...words);
  return runProgram(process.execPath, args);
}

/** Three members, each a process, and a client that counts, at all of them. */
async function start() {
  const folder = await tempFolder('layout-balance');
  const cluster = await startServedProcesses(folder, { config: { subgroups: [milk] } });
  served = cluster;
  for (const [id, address] of cluster.addresses) {
    doors.set(id, new GrpcDoor(address, { token: null, timeoutMs: 2000 }));
  }
  const pools = [{ name: '/milk', kind: 'persistent' }] as const;
  const client = new CountingClient(doors, {
    ...countingDefaults,
    seed: 1,
    valueBytes: 100,
    pools,
  });
  await client.createPools();
  const cli = (...words: readonly string[]) => freshet(cluster.addresses.get(2) ?? '', ...words);
  const shards = async (): Promise<readonly HeldShard[]> => {
    const { stdout } = await cli('--json', 'layout', 'show');
    const report = JSON.parse(stdout) as LayoutReport;
    return report.shards.filter(({ subgroup }) => subgroup === milk.name);
  };
  return { client, cli, shards };
}

/** Versions that each member holds. */
function loadsIn(shards: readonly HeldShard[]): readonly number[] {
  return ids.map((id) => {
    const held = shards.filter(({ members }) => members.includes(id));
    return held.reduce((sum, { version }) => sum + version, 0);
  });
}

function movesIn(stdout: string): readonly Move[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const numbers = /^shard (\d+) from member (\d+) to (\d+)(: done)?$/.exec(line)?.slice(1, 4);
    const [shard = 0, from = 0, to = 0] = numbers?.map(Number) ?? [];
    return { shard, from, to };
  });
}

test('freshet layout balance spreads shards anew while the cluster is used', async () => {
  const { client, cli, shards } = await start();
  client.begin();
  for (const { shard, members } of await shards()) {
    if (!members.includes(idle)) continue;
    const to = ids.find((id) => !members.includes(id)) ?? 0;
    const moved = await cli(
      ...['layout', 'move', String(shard), '--from', String(idle), '--to', String(to)],
    );
    expect([moved.code, moved.stdout]).toEqual([
      0,
      `shard ${String(shard)} from member ${String(idle)} to ${String(to)}: done\n`,
    ]);
  }
  const crowded = await shards();
  expect(crowded.map(({ members }) => [...members].sort())).toEqual(crowded.map(() => [1, 2]));

  const planned = await cli('layout', 'balance', '--dry-run', '--measure', '1');
  expect([planned.code, planned.stderr]).toEqual([0, 'counting puts for 1 s\n']);
  const plan = movesIn(planned.stdout);
  expect(plan.map(({ to }) => to)).toEqual(plan.map(() => idle));
  expect(plan.length).toBeGreaterThan(0);
  expect(await shards()).toMatchObject(crowded.map(({ members }) => ({ members })));

  const before = client.acknowledged;
  const applied = await cli('layout', 'balance', '--measure', '1');
  expect(applied.code).toBe(0);
  const moves = movesIn(applied.stdout);
  expect(moves.length).toBeGreaterThan(0);
  const held = await shards();
  for (const { shard, from, to } of moves) {
    const members = held.find((one) => one.shard === shard)?.members;
    expect([members?.includes(from), members?.includes(to)]).toEqual([false, true]);
  }
  const now = client.acknowledged;
  expect(now).toBeGreaterThan(before);
  await until(() => client.acknowledged > now + 100 || client.faults.length > 0);

  await client.rest();
  await client.check(ids);
  expect(client.faults).toEqual([]);

  // By what is there, which does not change any more, one plan after the other until none gains.
  const isBalanced = async () => {
    const { code, stdout } = await cli('layout', 'balance', '--measure', '0');
    expect(code).toBe(0);
    return stdout === 'no move would gain enough\n';
  };
  for (let left = 4; !(await isBalanced()); left--) expect(left).toBeGreaterThan(0);
  const loads = loadsIn(await shards());
  const mean = loads.reduce((sum, load) => sum + load, 0) / ids.length;
  for (const load of loads) expect(Math.abs(load - mean)).toBeLessThan(mean / 3);
});

test('freshet layout move and balance refuse what cannot be, and move nothing', async () => {
  const { cli, shards } = await start();
  const before = await shards();
  const [first] = before;
  const shard = String(first?.shard);
  const [from = 0] = first?.members ?? [];
  const other = ids.find((id) => first?.members.includes(id) === false) ?? 0;
  const refusals: readonly (readonly [readonly string[], string])[] = [
    [['move', shard, '--from', String(from), '--to', '9'], '9'],
    [['move', shard, '--from', String(other), '--to', String(from)], String(other)],
    [['move', '99', '--from', '1', '--to', '2'], '99'],
    [['move', 'first', '--from', '1', '--to', '2'], "<shard> is 'first'"],
    [['balance', '--max', '0'], "--max is '0'"],
    [['balance', '--measure', 'long'], "--measure is 'long'"],
  ];
  for (const [words, told] of refusals) {
    const { code, stdout, stderr } = await cli('layout', ...words);
    expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: '' });
    expect(stderr).toContain(told);
  }
  expect(await shards()).toMatchObject(before.map(({ members }) => ({ members })));

  const nobody = `127.0.0.1:${String(await freePort())}`;
  const { code, stdout, stderr } = await freshet(nobody, 'layout', 'balance');
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(/^UNREACHABLE: /);
});
