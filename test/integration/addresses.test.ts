import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../platform/base/mod.ts';
import { freePorts } from '../../platform/local-cluster.ts';
import { type Member, startMember } from '../../platform/node.ts';
import { requireThat, tempFolder } from '../support/mod.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

/** Starts a member at each host; all their shards run, or it throws. */
async function runAt(hosts: readonly string[]): Promise<void> {
  const folder = await tempFolder('addresses');
  const ports = await freePorts(hosts.length);
  const members = hosts.map((host, nth) => ({ id: nth + 1, host, port: ports[nth] ?? 0 }));
  const running: Member[] = [];
  try {
    for (const { id } of members) {
      const dataFolder = path.join(folder, String(id));
      const memory = { ringBudgetBytes: 24 * 1024 * 1024 };
      const cluster = { name: 'addresses' };
      const config = { cluster, node: id, members, dataFolder, memory };
      running.push(await startMember(config, { log: silentLogger() }));
    }
    await Promise.all(running.map((member) => member.whenRunning()));
    expect(running.map(({ group }) => group.view.running)).toEqual(hosts.map(() => true));
  } finally {
    await Promise.all(running.map((member) => member.close()));
  }
}

test('members find each other by host name', async () => {
  await runAt(['localhost', '127.0.0.1']);
});

test('members find each other over IPv6, with brackets or without', async (context) => {
  requireThat(context, hasIPv6, 'there is no IPv6 loopback', 'ip -6 addr add ::1/128 dev lo');
  await runAt(['::1', '[::1]']);
});
