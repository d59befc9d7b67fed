/** What the loss of a member costs: until the view without it runs, and for puts meanwhile. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Figure, Row } from '../row.ts';
import { ViewCluster, wallMs } from '../view-cluster.ts';

const watchedMs = { full: 3000, quick: 800 };

export const viewChange: Row = {
  name: 'view-change',
  method:
    'Three members with a writer each in two of them. Member 3, then member 1, which leads, gets ' +
    'kill -9; then member 2 SIGSTOP. From the signal to the view without it running at both ' +
    'others, and the longest that any put took; from SIGCONT to its own shards running again.',
  open: async ({ folder, quick }) => {
    const members = await ViewCluster.start({ members: 3, folder });
    await members.call(1, 'createPool', { name: '/bench', kind: 'persistent' });
    const settle = quick ? watchedMs.quick : watchedMs.full;

    const lose = async (victim: number, signal: 'SIGKILL' | 'SIGSTOP') => {
      const others = [1, 2, 3].filter((id) => id !== victim);
      for (const id of others) await members.startPuts(id, `/bench/${String(id)}`);
      await pause(500);
      const before = members.numberAt(others[0] ?? 0);
      const began = wallMs();
      if (signal === 'SIGKILL') await members.cluster.kill(victim);
      else members.signal(victim, signal);
      const ended = await members.whenBeyond(others, before);
      await pause(settle);
      const stalls = await Promise.all(others.map((id) => members.takePuts(id)));
      const failures = stalls.flatMap((stall) => stall.failures);
      if (failures.length > 0) throw new Error(`puts failed: ${[...new Set(failures)].join(', ')}`);
      return { took: ended - began, stall: Math.max(...stalls.map(({ longestMs }) => longestMs)) };
    };

    return {
      close: () => members.close(),
      run: async (): Promise<readonly Figure[]> => {
        const follower = await lose(3, 'SIGKILL');
        await members.startAgain(3);
        const leader = await lose(1, 'SIGKILL');
        await members.startAgain(1);
        const stopped = await lose(2, 'SIGSTOP');
        const before = members.numberAt(1);
        const resumed = wallMs();
        members.signal(2, 'SIGCONT');
        const back = (await members.whenBeyond([1, 2, 3], before)) - resumed;
        const figure = (name: string, value: number): Figure => {
          return { name: `view-change ${name}`, unit: 'ms', value, raw: null };
        };
        return [
          figure('kill -9', follower.took),
          figure('kill -9 of the leader', leader.took),
          figure('longest put over kill -9', Math.max(follower.stall, leader.stall)),
          figure('SIGSTOP', stopped.took),
          figure('back after SIGCONT', back),
        ];
      },
    };
  },
};
