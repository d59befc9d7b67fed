/** What the loss of a member costs a shard that it has no part in. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Row } from '../row.ts';
import { ViewCluster } from '../view-cluster.ts';

const windowMs = { full: 3000, quick: 1000 };
const victim = 4;

/** Of one shard, which these members hold. */
const subgroupOf = (name: string, reserved: readonly number[]) => {
  return { name, kind: 'volatile', shards: [{ replicas: reserved.length, reserved }] };
};

export const unaffectedShard: Row = {
  name: 'unaffected-shard',
  method:
    'Four members; a writer at member 1 in a shard of members 1 and 2, one at member 3 in a shard ' +
    'of 3 and 4. The longest put of the first while member 4 gets kill -9, beside the longest of ' +
    'an equally long time without.',
  open: async ({ folder, quick }) => {
    const config = { subgroups: [subgroupOf('north', [1, 2]), subgroupOf('south', [3, 4])] };
    const members = await ViewCluster.start({ members: 4, folder, config });
    for (const name of ['north', 'south']) {
      await members.call(1, 'createPool', { name: `/${name}`, kind: 'volatile', subgroup: name });
    }
    const lasts = quick ? windowMs.quick : windowMs.full;

    const longest = async (lose: boolean): Promise<number> => {
      await members.startPuts(1, '/north/k');
      await members.startPuts(3, '/south/k');
      await pause(lasts / 4);
      const before = members.numberAt(1);
      if (lose) {
        await members.cluster.kill(victim);
        await members.whenBeyond([1, 2, 3], before);
      }
      await pause(lasts);
      const [near, far] = await Promise.all([members.takePuts(1), members.takePuts(3)]);
      const failures = [...near.failures, ...far.failures];
      if (failures.length > 0) throw new Error(`puts failed: ${[...new Set(failures)].join(', ')}`);
      return near.longestMs;
    };

    return {
      close: () => members.close(),
      run: async () => {
        const control = await longest(false);
        const value = await longest(true);
        await members.startAgain(victim);
        const raw = { name: 'without a loss', value: control };
        return [{ name: 'unaffected-shard longest put', unit: 'ms', value, raw }];
      },
    };
  },
};
