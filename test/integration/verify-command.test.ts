import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { VerifyReport } from '../../platform/base/mod.ts';
import { forgeLog } from '../support/forged-log.ts';
import { freePort, programArgs, runProgram, tempFolder } from '../support/mod.ts';
import { type ServedProcesses, startServedProcesses } from '../support/serving.ts';

let served: ServedProcesses | null = null;

afterEach(async () => {
  await served?.close();
  served = null;
});

const ids = [1, 2, 3];
const keys = Array.from({ length: 60 }, (_, nth) => `k${String(nth)}`);
const startTimeoutMs = 60_000;

function freshet(...words: readonly string[]) {
  return runProgram(process.execPath, programArgs('platform/cli/main.ts', ...words));
}

/** Three members of one shard with all keys, each a process; how to verify at one of them. */
async function start() {
  const folder = await tempFolder('verify-command');
  const subgroups = [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: 3 }];
  const cluster = await startServedProcesses(folder, { config: { subgroups } });
  served = cluster;
  const { shards } = await cluster.database.createPool({ name: '/milk', kind: 'persistent' });
  for (const key of keys) await cluster.database.pool('/milk').put(key, { key });
  const [shard = 0] = shards;
  const addressOf = (id: number) => cluster.addresses.get(id) ?? '';
  const verify = (at: number, ...flags: readonly string[]) =>
    freshet('--address', addressOf(at), '--timeout', '60', ...flags, 'verify');
  /** By member: what the report says of it in the shard of the keys. */
  const verdicts = ({ shards: all }: VerifyReport) => {
    const told = all.find((one) => one.shard === shard)?.members ?? [];
    const byId = new Map(told.map(({ nodeId, verdict }) => [nodeId, verdict]));
    return ids.map((id) => byId.get(id));
  };
  const logs = join(folder, 'member-3', `shard-${String(shard)}`);
  return { running: cluster.running, shard, verify, verdicts, logs };
}

test('freshet verify shows that all members hold the same', async () => {
  const { verify, shard, verdicts } = await start();
  const { code, stdout, stderr } = await verify(2);
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout.split('\n');
  const title = `shard ${String(shard)} (persistent)  version ${String(keys.length)}`;
  const told = lines.slice(lines.indexOf(title) + 1).slice(0, ids.length);
  const row = /^ {2}(member \d) {2}newest 60 {2}([0-9a-f]{16}) {2}same$/;
  const rows = told.map((line) => row.exec(line)?.slice(1) ?? [line]);
  expect(rows.map(([member]) => member).sort()).toEqual(['member 1', 'member 2', 'member 3']);
  expect(new Set(rows.map(([, digest]) => digest)).size).toBe(1);

  const json = await verify(1, '--json');
  const report = JSON.parse(json.stdout) as VerifyReport;
  expect([json.code, report.ok, verdicts(report)]).toEqual([0, true, ['same', 'same', 'same']]);
});

test('freshet verify names a member with another history, and fails until it is filled', async () => {
  const { running, shard, verify, verdicts, logs } = await start();
  await running.kill(3);
  await forgeLog(join(logs, '00000000.log'), '/milk/');
  await running.start(3);
  const differs = { code: 'HISTORY_DIFFERS' };
  await expect(running.call(3, 'whenRunning', startTimeoutMs)).rejects.toMatchObject(differs);

  // Of whichever member it is asked.
  for (const at of [1, 3]) {
    const { code, stdout, stderr } = await verify(at, '--json');
    const report = JSON.parse(stdout) as VerifyReport;
    expect([code, report.ok, verdicts(report)]).toEqual([1, false, ['same', 'same', 'differs']]);
    const { error } = JSON.parse(stderr) as { error: { details: object } };
    expect(error).toMatchObject({ ...differs, details: { shard, members: '3' } });
  }
  const { code, stderr } = await verify(2);
  const [line, mend] = stderr.split('\n');
  const at = `(shard ${String(shard)}, version ${String(keys.length)})`;
  expect([code, line]).toEqual([
    1,
    `HISTORY_DIFFERS: Member 3 has another history than most ${at}`,
  ]);
  expect(mend).toContain("move the shard's folder away and start it");

  // As it says.
  await running.kill(3);
  await rm(logs, { recursive: true });
  await running.start(3);
  await running.whenRunning(startTimeoutMs);
  expect(await verify(3)).toMatchObject({ code: 0, stderr: '' });
});

test('freshet verify names a member that is away, and fails', async () => {
  const { running, shard, verify, verdicts } = await start();
  await running.kill(2);
  const { code, stdout, stderr } = await verify(3, '--json');
  const report = JSON.parse(stdout) as VerifyReport;
  expect([code, verdicts(report)[1]]).toEqual([3, 'unreachable']);
  const { error } = JSON.parse(stderr) as { error: object };
  expect(error).toMatchObject({ code: 'UNREACHABLE', details: { members: '2' } });
  expect(report.shards.map((one) => one.shard)).toContain(shard);
});

test('freshet verify of an address where nobody answers says so at once', async () => {
  const address = `127.0.0.1:${String(await freePort())}`;
  const { code, stdout, stderr } = await freshet('--address', address, 'verify');
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(/^UNREACHABLE: /);
});
