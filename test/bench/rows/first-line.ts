import { deployLambda, startBenchCluster } from '../bench-cluster.ts';
import type { BenchCluster } from '../bench-cluster.ts';
import type { PacedPuts } from '../member/orders.ts';
import type { Row } from '../row.ts';
import { percentile } from '../statistics.ts';

const perSecond = 200;
const counts = { full: 1500, quick: 100 };
const waitMs = 30_000;

/** The first thing it does is to read the clock; it emits what it found, 8 bytes of nanoseconds. */
const code = `
import { defineLambda, raw } from 'freshet/udl';
export default defineLambda({
  name: 'bench/first-line', version: '1', input: raw(), emits: { out: raw() },
  async run(events) {
    const now = process.hrtime.bigint();
    for (const event of events) {
      const put = Buffer.from(event.bytes).readBigUInt64LE(0);
      const delay = Buffer.alloc(8);
      delay.writeBigUInt64LE(now - put);
      event.emit.out(event.name, delay);
    }
  },
});`;

/** From a put's call to the first line of the lambda that it starts. */
export const firstLine: Row = {
  name: 'first-line',
  method:
    `${String(perSecond)} volatile puts of 8 B a second in the process of a member; the value is ` +
    "the monotonic clock at the call, the lambda's first line reads the same clock and emits the " +
    'difference (both in ns, one clock for all processes of a host).',
  open: async (context) => {
    const cluster = await startBenchCluster(context.folder);
    await deployLambda(cluster, context.folder, { name: 'first', code });
    let round = 0;
    const count = context.quick ? counts.quick : counts.full;
    return {
      close: cluster.close,
      run: async () => {
        await delaysOf(cluster, `warm${String(round)}`, Math.ceil(count / 5));
        const micros = await delaysOf(cluster, `run${String(round++)}`, count);
        const figure = (name: string, share: number) => ({
          name: `first-line ${name}`,
          unit: 'µs',
          value: percentile(micros, share),
          raw: null,
        });
        return [figure('p50', 0.5), figure('p99', 0.99)];
      },
    };
  },
};

async function delaysOf(
  { cluster, door }: BenchCluster,
  folder: string,
  count: number,
): Promise<readonly number[]> {
  const order: PacedPuts = { prefix: `/first/in/${folder}`, count, perSecond };
  const node = 1;
  const failures = (await cluster.call(node, 'putPaced', order)) as string[];
  if (failures.length > 0) throw new Error(`${String(failures.length)} puts: ${failures[0] ?? ''}`);
  const micros: number[] = [];
  const signal = AbortSignal.timeout(waitMs);
  const prefix = `/first/out/${folder}`;
  for await (const { object } of door.watch({ prefix, from: 'start', signal })) {
    const value = Buffer.from(object.value ?? []);
    micros.push(Number(value.readBigUInt64LE(0)) / 1000);
    if (micros.length === count) break;
  }
  if (micros.length < count) {
    throw new Error(`The lambda ran for ${String(micros.length)} of ${String(count)} puts`);
  }
  return micros;
}
