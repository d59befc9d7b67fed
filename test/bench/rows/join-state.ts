/** What letting in a member that lacks everything costs the others, and one that lacks little. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Figure, Row } from '../row.ts';
import { ViewCluster, wallMs } from '../view-cluster.ts';

const MiB = 1024 * 1024;
const stateBytes = { full: 1024 * MiB, quick: 32 * MiB };
const valueBytes = 64 * 1024;
/** How long it stays away after the view without it. */
const awayMs = { full: 3000, quick: 300 };
const joiner = 3;

export const joinState: Row = {
  name: 'join-state',
  method:
    'Three members with 1 GiB of values of 64 KiB in persistent shards, and a writer of 100 B in ' +
    'two of them. The third is stopped until the others have a view without it, and 3 s more: from ' +
    'SIGCONT to its own shards running again. Then it comes with an empty disk: the longest put of ' +
    'the others until its shards run.',
  open: async ({ folder, quick }) => {
    const members = await ViewCluster.start({ members: 3, folder });
    await members.call(1, 'createPool', { name: '/bench', kind: 'persistent' });
    const count = (quick ? stateBytes.quick : stateBytes.full) / valueBytes;
    await members.call(1, 'fill', { prefix: '/bench/state', count, size: valueBytes });
    const others = [1, 2];

    /** While the others put: what `work` says, and the longest that a put took. */
    const underLoad = async (work: () => Promise<number>): Promise<readonly [number, number]> => {
      for (const id of others) await members.startPuts(id, `/bench/${String(id)}`);
      await pause(500);
      const took = await work();
      const stalls = await Promise.all(others.map((id) => members.takePuts(id)));
      const failures = stalls.flatMap((stall) => stall.failures);
      if (failures.length > 0) throw new Error(`puts failed: ${[...new Set(failures)].join(', ')}`);
      return [took, Math.max(...stalls.map(({ longestMs }) => longestMs))];
    };

    /** It has all but what was put meanwhile. */
    const comeBack = async (): Promise<number> => {
      const before = members.numberAt(1);
      members.signal(joiner, 'SIGSTOP');
      await members.whenBeyond(others, before);
      await pause(quick ? awayMs.quick : awayMs.full);
      const without = members.numberAt(1);
      const began = wallMs();
      members.signal(joiner, 'SIGCONT');
      return (await members.whenBeyond([...others, joiner], without)) - began;
    };

    /** It has nothing. */
    const comeBlank = async (): Promise<number> => {
      const began = wallMs();
      await members.startAgain(joiner);
      return wallMs() - began;
    };

    return {
      close: () => members.close(),
      run: async () => {
        const [back] = await underLoad(comeBack);
        const before = members.numberAt(1);
        await members.cluster.kill(joiner);
        await members.whenBeyond(others, before);
        await rm(join(folder, `member-${String(joiner)}`), { recursive: true });
        const [took, longest] = await underLoad(comeBlank);
        const figure = (name: string, value: number): Figure => {
          return { name: `join-state${name}`, unit: 'ms', value, raw: null };
        };
        return [
          figure(' back after SIGCONT', back),
          figure(' longest put', longest),
          figure('', took),
        ];
      },
    };
  },
};
