import { startBenchCluster } from '../bench-cluster.ts';
import { runCoreBench } from '../core-bench.ts';
import { coreShareOf } from '../process-cpu.ts';
import type { Row } from '../row.ts';

const settleMs = { full: 5000, quick: 1000 };
const measuredMs = { full: 10_000, quick: 2000 };

/** What a cluster costs that nobody uses. */
export const idle: Row = {
  name: 'idle',
  method:
    'Processor time of three serving members (agent, lambda runtime, gRPC and HTTP doors) over ' +
    '10 s without any load, from /proc/<pid>/stat, after they settled; beside it the native core ' +
    'alone, from core_bench --idle.',
  open: async (context) => {
    const size = context.quick ? 'quick' : 'full';
    const { pids, close } = await startBenchCluster(context.folder);
    return {
      close,
      run: async () => {
        await new Promise((resolve) => setTimeout(resolve, settleMs[size]));
        const share = await coreShareOf(pids, measuredMs[size]);
        const bare = await runCoreBench(await context.coreBench(), context.folder, {
          size: 100,
          senders: 3,
          window: 1,
          seconds: context.quick ? 1 : 5,
          idle: true,
        });
        const raw = { name: 'native core alone', value: bare.cpuShare * 100 };
        return [{ name: 'idle', unit: '% of one core', value: share * 100, raw }];
      },
    };
  },
};
