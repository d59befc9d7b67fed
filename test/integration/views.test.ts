import { afterEach, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { bytes, startProcessCluster, text } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';

let cluster: LocalCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const milk = { name: '/milk', kind: 'persistent' } as const;

interface Writers {
  readonly numbers: Map<number, number[]>;
  readonly ended: Map<number, string>;
}

/** What the writers of these members are told, from now on. */
function watchWriters(of: LocalCluster, ids: readonly number[]): Writers {
  const writers: Writers = { numbers: new Map(), ended: new Map() };
  for (const { id, process } of of.members.filter((member) => ids.includes(member.id))) {
    const numbers: number[] = [];
    writers.numbers.set(id, numbers);
    process?.on('message', (message: { type: string; number: number; code: string }) => {
      if (message.type === 'acknowledged') numbers.push(message.number);
      if (message.type === 'writerEnded') writers.ended.set(id, message.code);
    });
  }
  return writers;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const total = ({ numbers }: Writers): number => [...numbers.values()].flat().length;

describe('kill -9 of one member', () => {
  test.each([3, 1])('%i: the others go on, and it is let in again', async (victim) => {
    const folder = await tempFolder('views');
    const running = await startProcessCluster(folder);
    cluster = running;
    const others = [1, 2, 3].filter((id) => id !== victim);
    await cluster.call(1, 'createPool', milk);
    await cluster.call(1, 'createPool', { name: '/herd', kind: 'volatile' });
    await cluster.call(1, 'put', { key: '/herd/kept', value: bytes('in memory') });
    const writers = watchWriters(cluster, others);
    for (const id of others) {
      const first = id * 1_000_000;
      await cluster.call(id, 'writeUntilFailure', { prefix: '/milk/w', lanes: 4, first });
    }
    await until(() => total(writers) >= 200);
    await cluster.kill(victim);
    const atKill = total(writers);
    await until(() => total(writers) >= atKill + 500);
    await cluster.start(victim);
    await cluster.whenRunning();
    const atReturn = total(writers);
    await until(() => total(writers) >= atReturn + 200);
    expect(writers.ended).toEqual(new Map());

    const told = [...writers.numbers.values()].flat();
    for (const id of [1, 2, 3]) {
      const keys = new Set((await running.call(id, 'list', '/milk/w')) as string[]);
      const lost = told.filter((n) => !keys.has(`/milk/w/${String(n % 97)}/${String(n)}`));
      expect({ id, lost }).toEqual({ id, lost: [] });
    }
    const kept = (await cluster.call(victim, 'get', {
      key: '/herd/kept',
      read: 'local',
    })) as ObjectRecord | null;
    expect(text(kept?.value)).toBe('in memory');
  });
});
