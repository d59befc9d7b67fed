/** A pool whose remover dies in the middle of it, and the next one of its name. */
import { afterEach, expect, test } from 'vitest';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { startProcessCluster, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

const keys = 3000;
let cluster: LocalCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

async function fill(running: LocalCluster, at: number): Promise<void> {
  await Promise.all(
    Array.from({ length: keys }, (_, nth) =>
      running.call(at, 'put', { key: `/milk/${String(nth)}`, value: Buffer.from('old') }),
    ),
  );
}

function codeOf(caught: unknown): string {
  return (caught as { code: string }).code;
}

test.each(['persistent', 'volatile'])(
  'what a removal left whose member died is gone before there is a %s pool of the name',
  async (kind) => {
    const running = await startProcessCluster(await tempFolder('pool-removal'), { members: 4 });
    cluster = running;
    await running.call(1, 'createPool', { name: '/milk', kind: 'persistent' });
    await fill(running, 1);
    await expect(running.call(4, 'dieRemovingPool', '/milk')).rejects.toThrow();
    expect(await running.call(2, 'get', { key: '/milk/7' }).catch(codeOf)).toBe('UNKNOWN_POOL');
    await until(async () => (await running.call(2, 'poolsLeaving', '/milk')) === 1);

    await running.call(1, 'createPool', { name: '/milk', kind });
    for (const id of [1, 2, 3]) {
      expect(await running.call(id, 'list', '/milk')).toEqual([]);
      expect(await running.call(id, 'get', { key: '/milk/7' })).toBeNull();
    }
    await running.call(2, 'put', { key: '/milk/7', value: Buffer.from('new') });
    const found = (await running.call(3, 'get', { key: '/milk/7' })) as ObjectRecord;
    expect(text(found.value)).toBe('new');
    expect(await running.call(3, 'poolsLeaving', '/milk')).toBe(0);
  },
);
