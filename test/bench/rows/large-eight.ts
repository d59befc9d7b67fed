/** What it takes to give a large value to eight members that send at most 1 Gbit/s each. */
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { defaultMulticast, type SentBlock } from '../../../platform/group/mod.ts';
import { type LocalCluster, startLocalCluster } from '../../../platform/local-cluster.ts';
import type { Hosts } from '../../support/cables.ts';
import { openPacedNetwork } from '../../support/paced-network.ts';
import { largeSubgroup } from '../member/orders.ts';
import type { Figure, Row } from '../row.ts';
import { hypercubeMoves } from '../schedule.ts';
import { median } from '../statistics.ts';
import { cluster as named, placeIn } from '../view-cluster.ts';

const dimensions = 3;
const members = 2 ** dimensions;
const ids = Array.from({ length: members }, (_, nth) => nth + 1);
const bitsPerSecond = 1e9;
const MiB = 2 ** 20;
const sizes = { full: 100 * MiB, quick: 4 * MiB };
const puts = 5;
/** kManyBlocks of the native side: a value of more goes in blocks of twice the size. */
const manyBlocks = 128;
const waitMs = 60_000;

const shownSize = (size: number): string => `${String(size / MiB)} MiB`;

export const largeEight: Row = {
  name: 'large-eight',
  isEnclosed: true,
  method:
    `One value of ${shownSize(sizes.full)} put to a volatile shard of eight members, each at a host ` +
    'of its own that sends at most 1 Gbit/s (tc tbf), until all have it: the median of five puts, ' +
    'beside one copy over a TCP stream from the same host in the same run. Then with the algorithm ' +
    'that sends all of it to each. The blocks that went are held against the schedule of the ' +
    'binomial pipeline.',
  open: async ({ folder, quick }) => {
    const network = await openPacedNetwork(members, bitsPerSecond);
    const size = quick ? sizes.quick : sizes.full;
    let nth = 0;

    const measure = async (algorithm: string) => {
      const place = join(folder, String(nth++));
      const running = await start(network, place, algorithm);
      try {
        const pool = { name: '/large', kind: 'volatile', subgroup: largeSubgroup, history: 1 };
        await running.call(1, 'createPool', { ...pool, maxValueBytes: sizes.full });
        const tookMs: number[] = [];
        for (let put = 0; put < puts; put++) {
          tookMs.push((await running.call(1, 'putLarge', { key: '/large/value', size })) as number);
        }
        const off = algorithm === 'binomial' ? await countOff(running, size) : 0;
        return { took: median(tookMs), copy: await sendCopy(running, network, size), off };
      } finally {
        await running.close();
      }
    };

    return {
      close: () => Promise.resolve(),
      run: async (): Promise<readonly Figure[]> => {
        const binomial = await measure('binomial');
        const sequential = await measure('sequential');
        const figure = (what: string, value: number, copy: number): Figure => ({
          ...{ name: `large-eight ${what}`, unit: 'ms', value },
          raw: { name: 'one copy', value: copy },
        });
        return [
          figure('binomial', binomial.took, binomial.copy),
          figure('sequential', sequential.took, sequential.copy),
          {
            ...{ name: 'large-eight blocks not as in the schedule', unit: 'blocks' },
            ...{ value: binomial.off, raw: null },
          },
        ];
      },
    };
  },
};

async function start(network: Hosts, folder: string, algorithm: string): Promise<LocalCluster> {
  const shape = { kind: 'volatile', shards: 1, replicas: members, multicast: { algorithm } };
  const isSource = import.meta.url.endsWith('.ts');
  const running = await startLocalCluster({
    members,
    dataFolder: folder,
    config: { logLevel: 'error', cluster: named, subgroups: [{ name: largeSubgroup, ...shape }] },
    places: (id) => placeIn(network, id),
    entry: new URL(`../member/large-member.${isSource ? 'ts' : 'js'}`, import.meta.url),
  });
  try {
    await running.whenRunning(waitMs);
  } catch (error) {
    await running.close();
    throw error;
  }
  return running;
}

/** Blocks of one more put that the schedule has not, and of the schedule that did not go. */
async function countOff(running: LocalCluster, size: number): Promise<number> {
  const sender = 1;
  await Promise.all(ids.map((id) => running.call(id, 'traceBlocks')));
  await running.call(sender, 'putLarge', { key: '/large/value', size });
  const traces = await Promise.all(ids.map((id) => running.call(id, 'traceBlocks')));
  const holders = (await running.call(sender, 'holders')) as readonly number[];
  const indexOf = (node: number): number =>
    (holders.indexOf(node) - holders.indexOf(sender) + members) % members;
  const textOf = (step: number, from: number, to: number, block: number): string =>
    [step, from, to, block].join(' ');
  const gone = (traces as (readonly SentBlock[])[])
    .flat()
    .map(({ step, from, to, block }) => textOf(step, indexOf(from), indexOf(to), block));
  const few = Math.ceil(size / defaultMulticast.blockBytes);
  const blocks = few > manyBlocks ? Math.ceil(few / 2) : few;
  const wanted = new Set(
    hypercubeMoves(dimensions, blocks).map(({ step, from, to, block }) =>
      textOf(step, from, to, block),
    ),
  );
  const extra = gone.filter((move) => !wanted.delete(move));
  return extra.length + wanted.size;
}

/** One copy from the host of member 1 to that of the bench, ms. */
async function sendCopy(running: LocalCluster, network: Hosts, size: number): Promise<number> {
  const host = network.addressOf(0);
  const sink = createServer((socket) => {
    socket.on('data', () => undefined).on('error', () => undefined);
  });
  try {
    const port = await portOf(sink.listen(0, host));
    return (await running.call(1, 'sendCopy', { host, port, size })) as number;
  } finally {
    sink.close();
  }
}

async function portOf(server: Server): Promise<number> {
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
