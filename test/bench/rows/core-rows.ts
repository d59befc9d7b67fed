/** Rows of the native core alone: no Node in the members. */
import { workFigures } from '../agents-work.ts';
import { recordsPerRawSync, runCoreBench } from '../core-bench.ts';
import type { CoreBenchOptions, CoreBenchResult } from '../core-bench.ts';
import { type Figure, plainRow, type Row, type RowContext } from '../row.ts';
import { tcpMessagesPerSecond } from '../tcp-stream.ts';

const seconds = { full: 3, quick: 0.5 };
const window = { small: 1000, large: 100, persistent: 4000 };

async function bench(context: RowContext, options: Omit<CoreBenchOptions, 'seconds'>) {
  return runCoreBench(await context.coreBench(), context.folder, {
    ...options,
    seconds: context.quick ? seconds.quick : seconds.full,
  });
}

function volatileRow(name: string, size: number, unanswered: number, batch: number): Row {
  const beside = `one TCP stream, ${String(batch)} × ${String(size)} B a write`;
  return plainRow(
    name,
    `Ordered volatile puts of ${String(size)} B, three senders, ${String(unanswered)} unanswered ` +
      `each, through the native core; spin 0.`,
    async (context): Promise<readonly Figure[]> => {
      const options = { size, senders: 3, window: unanswered };
      const result = await bench(context, options);
      const { putsPerSecond, cpuShare } = result;
      const raw = await tcpMessagesPerSecond(size, batch, context.quick ? 200 : 1000);
      return [
        { name, unit: 'puts/s', value: putsPerSecond, raw: { name: beside, value: raw } },
        { name: `${name}: processor`, unit: 'cores', value: cpuShare, raw: null },
        ...workFigures(name, result),
      ];
    },
  );
}

export const coreVolatileSmall = volatileRow('core-volatile-100', 100, window.small, 64);
export const coreVolatileLarge = volatileRow('core-volatile-10k', 10_240, window.large, 1);

export const corePersisted = plainRow(
  'core-persisted-100',
  `Puts of 100 B acknowledged as persisted on all three disks, three senders, ` +
    `${String(window.persistent)} unanswered each; spin 0. Beside it three own logs writing side ` +
    `by side, ${String(recordsPerRawSync)} records a sync.`,
  async (context): Promise<readonly Figure[]> => {
    const options = { size: 100, senders: 3, window: window.persistent, persistent: true };
    const { putsPerSecond, rawSyncsPerSecond } = await bench(context, options);
    const raw = { name: 'three own logs', value: rawSyncsPerSecond * recordsPerRawSync };
    return [{ name: 'core-persisted-100', unit: 'puts/s', value: putsPerSecond, raw }];
  },
);

export const coreOnePut = plainRow(
  'core-one-put',
  'One volatile put of 100 B at a time at one member, native code only, p50 and p99: at the only ' +
    'sender, and at the slowest of three that may send; beside it TCP round trips of 100 B ' +
    'between two processes that sleep in epoll.',
  async (context): Promise<readonly Figure[]> => {
    const result = await bench(context, { size: 100, senders: 1, window: 1 });
    const raw = (value: number) => ({ name: 'sleeping TCP ping-pong', value });
    const { latencyP50, latencyP99, pingPongP50, pingPongP99 } = result;
    const ranks: CoreBenchResult[] = [];
    for (const loader of [0, 1, 2]) {
      ranks.push(await bench(context, { size: 100, senders: 3, loader, window: 1, alone: true }));
    }
    const [worstP50, worstP99] = [
      Math.max(...ranks.map((rank) => rank.latencyP50)),
      Math.max(...ranks.map((rank) => rank.latencyP99)),
    ];
    const worst = 'core-one-put worst rank';
    return [
      { name: 'core-one-put p50', unit: 'µs', value: latencyP50, raw: raw(pingPongP50) },
      { name: 'core-one-put p99', unit: 'µs', value: latencyP99, raw: raw(pingPongP99) },
      { name: `${worst} p50`, unit: 'µs', value: worstP50, raw: raw(pingPongP50) },
      { name: `${worst} p99`, unit: 'µs', value: worstP99, raw: raw(pingPongP99) },
    ];
  },
);
