/** Nobody may be suspected because the machine is busy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { ViewCluster } from '../../bench/view-cluster.ts';
import { atLeast, atMost, type Check } from '../check.ts';

const hogs = 4;
const seconds = { full: 1800, quick: 20 };
const members = [1, 2, 3];

/** Four processes that never sleep beside three members that put; views are counted. */
export const cpuHogs: Check = {
  point: 'failure detection',
  name: 'cpu-hogs',
  run: async ({ folder, quick, say }) => {
    const lasts = quick ? seconds.quick : seconds.full;
    const cluster = await ViewCluster.start({ members: members.length, folder });
    const busy: ChildProcess[] = [];
    try {
      await cluster.call(1, 'createPool', { name: '/accept', kind: 'persistent' });
      const before = cluster.numberAt(1);
      for (let nth = 0; nth < hogs; nth++) {
        busy.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
      }
      for (const id of members) await cluster.startPuts(id, `/accept/${String(id)}`);
      for (let past = 0; past < lasts; past += 10) {
        await pause(10_000);
        if (past % 300 === 290) say(`  ${String(past + 10)} s of ${String(lasts)} s`);
      }
      const stalls = await Promise.all(members.map((id) => cluster.takePuts(id)));
      const failed = stalls.flatMap(({ failures }) => failures).length;
      const puts = stalls.reduce((sum, stall) => sum + stall.puts, 0);
      const views = Math.max(...members.map((id) => cluster.numberAt(id))) - before;
      const where = `in ${String(lasts)} s beside ${String(hogs)} busy processes`;
      return [
        atMost(`views that began ${where}`, 0, views),
        atMost(`puts that failed ${where}`, 0, failed),
        atLeast(`puts answered ${where}`, lasts, puts),
      ];
    } finally {
      for (const child of busy) child.kill('SIGKILL');
      await cluster.close();
    }
  },
};
