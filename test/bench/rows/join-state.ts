/** What letting in a member that lacks everything costs the puts of the others. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Row } from '../row.ts';
import { ViewCluster, wallMs } from '../view-cluster.ts';

const MiB = 1024 * 1024;
const stateBytes = { full: 1024 * MiB, quick: 32 * MiB };
const valueBytes = 64 * 1024;
const joiner = 3;

export const joinState: Row = {
  name: 'join-state',
  method:
    'Two members with 1 GiB of values of 64 KiB in persistent shards and a writer of 100 B each. ' +
    'The third comes with an empty disk: the longest put of the others until its shards run.',
  open: async ({ folder, quick }) => {
    const members = await ViewCluster.start({ members: 3, folder });
    await members.call(1, 'createPool', { name: '/bench', kind: 'persistent' });
    const count = (quick ? stateBytes.quick : stateBytes.full) / valueBytes;
    await members.call(1, 'fill', { prefix: '/bench/state', count, size: valueBytes });
    const others = [1, 2];
    return {
      close: () => members.close(),
      run: async () => {
        const before = members.numberAt(1);
        await members.cluster.kill(joiner);
        await members.whenBeyond(others, before);
        await rm(join(folder, `member-${String(joiner)}`), { recursive: true });
        for (const id of others) await members.startPuts(id, `/bench/${String(id)}`);
        await pause(500);
        const began = wallMs();
        await members.startAgain(joiner);
        const took = wallMs() - began;
        const stalls = await Promise.all(others.map((id) => members.takePuts(id)));
        const failures = stalls.flatMap((stall) => stall.failures);
        if (failures.length > 0)
          throw new Error(`puts failed: ${[...new Set(failures)].join(', ')}`);
        const longest = Math.max(...stalls.map(({ longestMs }) => longestMs));
        return [
          { name: 'join-state longest put', unit: 'ms', value: longest, raw: null },
          { name: 'join-state', unit: 'ms', value: took, raw: null },
        ];
      },
    };
  },
};
