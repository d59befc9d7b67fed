/** What it costs to cut the cable of a member: until the view without it runs, and the way back. */
import { setTimeout as pause } from 'node:timers/promises';
import { Network } from '../../support/network.ts';
import type { Figure, Row } from '../row.ts';
import { ViewCluster, wallMs } from '../view-cluster.ts';

const ids = [1, 2, 3];
/** Member 1 leads at first; later whoever has led longest. */
const victims = [3, 1];
/** Puts go on before the cut, and with the cable cut once the view without the member is there. */
const beforeMs = 500;
const cutMs = { full: 3000, quick: 800 };
/** Each cut is so much longer than the last, of so many: the way back begins with a next try. */
const longer = { ms: 310, times: 10 };

export const cutCable: Row = {
  name: 'cut-cable',
  isEnclosed: true,
  method:
    'Three members at hosts of their own, a writer in two of them. The cable of member 3 is cut, ' +
    'then that of member 1: from the cut to the view without it running at both others, and the ' +
    'longest that any put took. 3 to 6 s later it heals: until the shards of the member itself run ' +
    'again, without anybody doing anything. The longer of the two.',
  open: async ({ folder, quick }) => {
    const network = await Network.open(ids.length);
    const members = await ViewCluster.start({ members: ids.length, folder, network });
    await members.call(1, 'createPool', { name: '/bench', kind: 'persistent' });
    let nth = 0;

    const cut = async (victim: number) => {
      const others = ids.filter((id) => id !== victim);
      for (const id of others) await members.startPuts(id, `/bench/${String(id)}`);
      await pause(beforeMs);
      const before = members.numberAt(others[0] ?? 0);
      const cutAt = wallMs();
      await network.change([victim], network.hosts, { cut: true });
      await network.change(network.hosts, [victim], { cut: true });
      const without = await members.whenBeyond(others, before);
      const more = longer.ms * (nth++ % longer.times);
      await pause((quick ? cutMs.quick : cutMs.full) + more);
      const newest = members.numberAt(others[0] ?? 0);
      const healedAt = wallMs();
      await network.heal();
      const back = await members.whenBeyond(ids, newest);
      const stalls = await Promise.all(others.map((id) => members.takePuts(id)));
      const failures = stalls.flatMap((stall) => stall.failures);
      if (failures.length > 0) throw new Error(`puts failed: ${[...new Set(failures)].join(', ')}`);
      const stall = Math.max(...stalls.map(({ longestMs }) => longestMs));
      return { took: without - cutAt, stall, back: back - healedAt };
    };

    return {
      close: async () => {
        await members.close();
        await network.close();
      },
      run: async (): Promise<readonly Figure[]> => {
        const times = [];
        for (const victim of victims) times.push(await cut(victim));
        const figure = (name: string, values: readonly number[]): Figure => {
          return { name, unit: 'ms', value: Math.max(...values), raw: null };
        };
        return [
          figure(
            'cut-cable',
            times.map(({ took }) => took),
          ),
          figure(
            'cut-cable longest put',
            times.map(({ stall }) => stall),
          ),
          figure(
            'cut-cable back after healing',
            times.map(({ back }) => back),
          ),
        ];
      },
    };
  },
};
