import { startBenchCluster } from '../bench-cluster.ts';
import { runCoreBench } from '../core-bench.ts';
import type { PutsOneByOne } from '../member/orders.ts';
import type { Row } from '../row.ts';
import { percentile } from '../statistics.ts';

const counts = { full: 5000, quick: 300 };

/** A put from JavaScript in a member's own process, through store and addon. */
export const memberPut: Row = {
  name: 'member-put',
  method:
    'One volatile put of 100 B at a time, called in JavaScript in the process of a member, until ' +
    'its answer; member 1, 2, 3 in turn, the worst is shown. Beside it TCP round trips of 100 B ' +
    'between two processes that sleep in epoll, of the same run. Spin as members choose it.',
  open: async (context) => {
    const { cluster, db, close } = await startBenchCluster(context.folder);
    await db.createPool({ name: '/bench', kind: 'volatile', schema: 'raw' });
    const count = context.quick ? counts.quick : counts.full;
    return {
      close,
      run: async () => {
        const program = await context.coreBench();
        const options = { size: 100, senders: 1, window: 1, seconds: 0.3 };
        const bare = await runCoreBench(program, context.folder, options);
        const ranks: { p50: number; p99: number }[] = [];
        for (const id of [1, 2, 3]) {
          const order: PutsOneByOne = { prefix: '/bench', count, warmUp: count / 5, size: 100 };
          const micros = (await cluster.call(id, 'putOneByOne', order)) as number[];
          ranks.push({ p50: percentile(micros, 0.5), p99: percentile(micros, 0.99) });
        }
        const figure = (name: 'p50' | 'p99', value: number) => ({
          name: `member-put ${name}`,
          unit: 'µs',
          value: Math.max(...ranks.map((rank) => rank[name])),
          raw: { name: 'sleeping TCP ping-pong', value },
        });
        return [figure('p50', bare.pingPongP50), figure('p99', bare.pingPongP99)];
      },
    };
  },
};
