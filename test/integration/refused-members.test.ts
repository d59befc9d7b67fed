/** Members that do not let each other in say why, where somebody looks: in `whenRunning`. */
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { silentLogger } from '../../platform/base/mod.ts';
import { freePorts } from '../../platform/local-cluster.ts';
import { type Member, startMember } from '../../platform/node.ts';
import { tempFolder, until } from '../support/mod.ts';
import { hasTransport } from '../support/transports.ts';

const running: Member[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((member) => member.close()));
});

/** Two members of which each has another idea of its cluster. */
async function startTwo(
  clusters: readonly {
    readonly name: string;
    readonly secret?: string;
    readonly transport?: string;
  }[],
): Promise<readonly Member[]> {
  const folder = await tempFolder('refused');
  const ports = await freePorts(2);
  const members = ports.map((port, nth) => ({ id: nth + 1, host: '127.0.0.1', port }));
  for (const [nth, cluster] of clusters.entries()) {
    const node = nth + 1;
    const dataFolder = path.join(folder, String(node));
    const memory = { ringBudgetBytes: 24 * 1024 * 1024 };
    const config = { cluster, node, members, dataFolder, memory };
    running.push(await startMember(config, { log: silentLogger() }));
  }
  return running;
}

async function expectReason(members: readonly Member[], reason: string): Promise<void> {
  for (const [nth, member] of members.entries()) {
    const other = String(2 - nth);
    const why = `waiting for member ${other} (refused as ${reason})`;
    await until(() => Promise.resolve(member.group.explain() === why));
    await expect(member.whenRunning(1)).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `The shards do not run yet: ${why}`,
    });
  }
}

test('another secret', async () => {
  const members = await startTwo([
    { name: 'one', secret: 'alpha' },
    { name: 'one', secret: 'beta' },
  ]);
  const reason = 'UNAUTHENTICATED: cluster.secret is another one there than here';
  await expectReason(members, reason);
});

test('another cluster', async () => {
  const members = await startTwo([{ name: 'one' }, { name: 'two' }]);
  await expectReason(members, 'WRONG_CLUSTER: cluster.name is another one there than here');
});

test.runIf(hasTransport('fabric/tcp'))('another transport', async () => {
  const members = await startTwo([{ name: 'one' }, { name: 'one', transport: 'fabric/tcp' }]);
  const reason = 'WRONG_TRANSPORT: cluster.transport is another one there than here';
  await expectReason(members, reason);
});

test.runIf(hasTransport('fabric/shm'))(
  'both in one process, over memory that both share',
  async () => {
    const transport = 'fabric/shm';
    const members = await startTwo([
      { name: 'one', transport },
      { name: 'one', transport },
    ]);
    await until(() => Promise.resolve(members[0]?.group.explain().includes('NO_FABRIC') === true));
  },
);

test('a transport that this machine has not', async () => {
  // An address with no device.
  const config = [{ name: 'one', transport: 'fabric/verbs' }];
  await expect(startTwo(config)).rejects.toMatchObject({ code: 'NO_FABRIC' });
});
