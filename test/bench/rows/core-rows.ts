/** Rows of the native core alone: no Node in the members. */
import { workFigures } from '../agents-work.ts';
import { recordsPerRawSync, runCoreBench } from '../core-bench.ts';
import type { CoreBenchOptions, CoreBenchResult } from '../core-bench.ts';
import { type Figure, plainRow, type Row, type RowContext } from '../row.ts';
import { median } from '../statistics.ts';
import { tcpMessagesPerSecond } from '../tcp-stream.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const seconds = { full: 3, quick: 0.5 };
const window = { small: 1000, large: 100, persistent: 4000, persistentLarge: 400 };

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

/** `memory`: GiB of a member; little is soon used again, as in one that has run for a while. */
function persistedRow(name: string, size: number, unanswered: number, memory: number): Row {
  return plainRow(
    name,
    `Puts of ${String(size)} B acknowledged as persisted on all three disks, three senders, ` +
      `${String(unanswered)} unanswered each, ${String(memory)} GiB of memory a member; spin 0. ` +
      `Beside it three own logs writing side by side, ${String(recordsPerRawSync)} records a sync.`,
    async (context): Promise<readonly Figure[]> => {
      const options = { size, senders: 3, window: unanswered, memory, persistent: true };
      const { putsPerSecond, rawSyncsPerSecond } = await bench(context, options);
      const raw = { name: 'three own logs', value: rawSyncsPerSecond * recordsPerRawSync };
      return [{ name, unit: 'puts/s', value: putsPerSecond, raw }];
    },
  );
}

export const corePersisted = persistedRow('core-persisted-100', 100, window.persistent, 1);
export const corePersistedLarge = persistedRow(
  'core-persisted-10k',
  10_240,
  window.persistentLarge,
  1 / 8,
);

export const coreOnePut = plainRow(
  'core-one-put',
  'One volatile put of 100 B at a time at one member, native code only, p50 and p99: at the only ' +
    'sender, and at the slowest of three that may send; beside it TCP round trips of 100 B ' +
    'between two processes that sleep in epoll, each held on a core of its own.',
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

export const coreOnePersisted = plainRow(
  'core-one-persisted',
  'One put of 100 B at a time, acknowledged as persisted on all three disks, native code only, p50 ' +
    'at the slowest of three members that may send. Beside it 1.7 TCP round trips of 100 B between ' +
    'two processes that sleep in epoll, each held on a core of its own, and 1.5 syncs of one log ' +
    'alone, a record each.',
  async (context): Promise<readonly Figure[]> => {
    const ranks: CoreBenchResult[] = [];
    for (const loader of [0, 1, 2]) {
      const options = { size: 100, senders: 3, loader, window: 1, persistent: true };
      ranks.push(await bench(context, options));
    }
    const value = Math.max(...ranks.map((rank) => rank.latencyP50));
    const bare = median(ranks.map((rank) => 1.7 * rank.pingPongP50 + 1.5 * rank.rawSyncP50));
    const raw = { name: '1.7 × ping-pong + 1.5 × fdatasync', value: bare };
    return [{ name: 'core-one-persisted worst rank p50', unit: 'µs', value, raw }];
  },
);

/** `load`: what a sender has unanswered, and what is put in all. */
function deliveredRow(
  name: string,
  { size, ...load }: Pick<CoreBenchOptions, 'size' | 'window' | 'keys' | 'puts' | 'warm'>,
): Row {
  const whole = `${String(size / MiB)} MiB`;
  return plainRow(
    name,
    `Bytes that each of three members is given a second in volatile puts of ${whole}, all of them ` +
      'sending, and one. Beside it TCP streams from each sender to the two others in writes of ' +
      'that size, in no order: as the system connects them, and as members of one machine are ' +
      'connected, without the congestion control that the system may have chosen.',
    async (context): Promise<readonly Figure[]> => {
      const figures: Figure[] = [];
      for (const senders of [3, 1]) {
        // Twice what all that are under way take, and what is kept.
        const room = { history: 1, memory: (12 * load.window * size) / GiB };
        const options = { size, ...load, ...room, senders, streams: true };
        const result = await bench(context, options);
        const shown = `${name} ${senders === 1 ? 'one sends' : 'all send'}`;
        const beside = (suffix: string, reference: string, bytes: number): Figure => ({
          ...{ name: `${shown}${suffix}`, unit: 'MiB/s' },
          value: (result.putsPerSecond * size) / MiB,
          raw: { name: reference, value: bytes / MiB },
        });
        figures.push(
          beside('', 'raw TCP streams', result.rawStreamBytesPerSecond),
          beside(' as connected', 'raw TCP, as members connect', result.rawUnspacedBytesPerSecond),
          ...workFigures(shown, result),
        );
      }
      return figures;
    },
  );
}

export const delivered1 = deliveredRow('delivered-1m', { size: MiB, window: 4, keys: 4 });
export const delivered100 = deliveredRow('delivered-100m', {
  ...{ size: 100 * MiB, window: 1, keys: 1, warm: 4, puts: 10 },
});
