import { type LocalCluster, startLocalCluster } from '../../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../../platform/store/mod.ts';
import { atLeast, atMost, type Check } from '../check.ts';

const pool = { name: '/accept', kind: 'persistent' };
const rounds = 2;
const wanted = { full: 3000, quick: 300 };
const waitMs = 60_000;
const lanes = 8;

/** Writers in all members; all members killed at once; what was acknowledged is looked for. */
export const durability: Check = {
  point: '2 core',
  name: 'durability',
  run: async ({ folder, quick }) => {
    const isSource = import.meta.url.endsWith('.ts');
    const entry = `../../support/cluster-member.${isSource ? 'ts' : 'js'}`;
    const cluster = await startLocalCluster({
      dataFolder: folder,
      entry: new URL(entry, import.meta.url),
      config: { logLevel: 'silent' },
    });
    try {
      await cluster.whenRunning();
      await cluster.call(1, 'createPool', pool);
      const acknowledged: number[] = [];
      const goal = quick ? wanted.quick : wanted.full;
      for (let round = 0; round < rounds; round++) {
        acknowledged.push(...(await writeAndKill(cluster, round, goal)));
        await Promise.all([2, 3, 1].map((id) => cluster.start(id)));
        await cluster.whenRunning();
      }
      const lost = await lostOf(cluster, acknowledged);
      return [
        atLeast('puts acknowledged before kill -9 of all members', goal, acknowledged.length),
        atMost('acknowledged and not found, or with another value', 0, lost),
      ];
    } finally {
      await cluster.close();
    }
  },
};

async function writeAndKill(cluster: LocalCluster, round: number, goal: number): Promise<number[]> {
  const numbers: number[] = [];
  for (const { process: child } of cluster.members) {
    child?.on('message', (message: { type: string; number: number }) => {
      if (message.type === 'acknowledged') numbers.push(message.number);
    });
  }
  for (const id of [1, 2, 3]) {
    const first = (round * 3 + id) * 1_000_000;
    await cluster.call(id, 'writeUntilFailure', { prefix: `${pool.name}/w`, lanes, first });
  }
  const until = performance.now() + waitMs;
  while (numbers.length < goal / rounds && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all([1, 2, 3].map((id) => cluster.kill(id)));
  return numbers;
}

async function lostOf(cluster: LocalCluster, numbers: readonly number[]): Promise<number> {
  let lost = 0;
  for (const number of numbers) {
    const key = `${pool.name}/w/${String(number % 97)}/${String(number)}`;
    const found = (await cluster.call(1 + (number % 3), 'get', { key })) as ObjectRecord | null;
    const text = Buffer.from(found?.value ?? []).toString();
    if (text !== String(number)) lost++;
  }
  return lost;
}
