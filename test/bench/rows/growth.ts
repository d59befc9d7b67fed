import { type CoreBenchOptions, runCoreBench } from '../core-bench.ts';
import { type Figure, plainRow, type RowContext } from '../row.ts';

/** Of everything there is little, or much; the rest is the same. */
interface Growth {
  readonly name: string;
  readonly little: Partial<CoreBenchOptions>;
  readonly much: Partial<CoreBenchOptions>;
  /** In place of `much`. */
  readonly quick: Partial<CoreBenchOptions>;
}

const keepsAll = { history: 0, memory: 6 };

/**
 * Rings of many shards have to fit in memory beside each other. One shard has as many keys as all
 * of many, and all are put before anything is measured, so that neither keys nor fresh memory are.
 */
const manyShards = { ring: 1 << 20, keys: 8000, versions: 3_000_000 };

const growths: readonly Growth[] = [
  {
    name: 'versions, 10^4 to 10^7',
    little: { ...keepsAll, versions: 10_000 },
    much: { ...keepsAll, versions: 10_000_000 },
    quick: { ...keepsAll, versions: 100_000 },
  },
  {
    name: 'pools, 1 to 1000',
    little: { pools: 1 },
    much: { pools: 1000 },
    quick: { pools: 50 },
  },
  {
    name: 'shards of a member, 1 to 64',
    little: { ...manyShards, shards: 1 },
    much: { ...manyShards, shards: 64 },
    quick: { ...manyShards, shards: 8 },
  },
];

const window = 1000;
const seconds = { full: 3, quick: 0.5 };

/** What a put costs when there is much of something. */
export const growth = plainRow(
  'growth',
  'Processor time of all three members for a volatile put of 100 B, three senders with ' +
    `${String(window)} unanswered each, through the native core; beside it the same with little.`,
  async (context): Promise<readonly Figure[]> => {
    const figures: Figure[] = [];
    for (const { name, little, much, quick } of growths) {
      const before = await costOf(context, little);
      const value = await costOf(context, context.quick ? quick : much);
      const raw = { name: 'with little', value: before };
      figures.push({ name: `growth: ${name}`, unit: 'µs of a core', value, raw });
    }
    return figures;
  },
);

async function costOf(context: RowContext, load: Partial<CoreBenchOptions>): Promise<number> {
  const { cpuShare, putsPerSecond } = await runCoreBench(
    await context.coreBench(),
    context.folder,
    {
      size: 100,
      senders: 3,
      window,
      seconds: context.quick ? seconds.quick : seconds.full,
      alone: true,
      ...load,
    },
  );
  return (cpuShare / putsPerSecond) * 1e6;
}
