/** What a user gets beside Redis, whose puts are answered when two replicas have them. */
import {
  findPeers,
  measurePeers,
  medianOfPeer,
  noPeers,
  type PeerResult,
} from '../../bench/peers/peer-bench.ts';
import { atLeast, atMost, type Check, type Line, undecided } from '../check.ts';

const redis = 'redis';
const small = 100;
const middle = 10_240;
const large = 1_048_576;

type Pick = (result: PeerResult) => number | undefined;

const puts: Pick = ({ put }) => put?.opsPerSec;
const gets: Pick = ({ get }) => get?.opsPerSec;
const slowPut: Pick = ({ putLatency }) => putLatency?.p99;
const watched: Pick = ({ watch }) => watch?.notify.p50;

/** `bound` null: what Redis does. */
interface Bar {
  readonly name: string;
  readonly system: 'freshet-volatile' | 'freshet-persisted';
  readonly size: number;
  readonly pick: Pick;
  readonly judge: typeof atLeast;
  readonly bound: number | null;
  readonly unit: string;
}

const perSecond = { judge: atLeast, unit: '/s' };
const milliseconds = { judge: atMost, unit: ' ms' };
const inMemory = { system: 'freshet-volatile', bound: null } as const;
const onDisk = { system: 'freshet-persisted', pick: puts, ...perSecond } as const;

const bars: readonly Bar[] = [
  { name: 'volatile puts of 100 B', size: small, pick: puts, ...inMemory, ...perSecond },
  { name: 'volatile puts of 10 KiB', size: middle, pick: puts, ...inMemory, ...perSecond },
  { name: 'volatile puts of 1 MiB', size: large, pick: puts, ...inMemory, ...perSecond },
  { name: 'persisted puts of 100 B', size: small, bound: 200_000, ...onDisk },
  { name: 'persisted puts of 10 KiB', size: middle, bound: 15_000, ...onDisk },
  { name: 'gets of 100 B', size: small, pick: gets, ...inMemory, ...perSecond },
  { name: 'one put at a time, p99', size: small, pick: slowPut, ...inMemory, ...milliseconds },
  { name: 'put to watcher, p50', size: small, pick: watched, ...inMemory, ...milliseconds },
];

function lineOf(results: readonly PeerResult[], bar: Bar): Line {
  const { name, system, size, pick, judge, unit } = bar;
  const bound = bar.bound ?? medianOfPeer(results, redis, size, pick);
  const beside = bar.bound === null ? ' beside Redis' : '';
  // To what is worth telling: whole operations, hundredths of a millisecond.
  const scale = judge === atLeast ? 1 : 100;
  const told = Math.round(bound * scale) / scale;
  return judge(`${name}${beside}`, told, medianOfPeer(results, system, size, pick), unit);
}

export const peers: Check = {
  point: 'figures',
  name: 'peers',
  run: async ({ runs, quick, say }) => {
    const folder = findPeers();
    if (folder === null) {
      return bars.map(({ name }) => undecided(name, 'measured beside Redis', noPeers));
    }
    const sizes = [small, middle, large];
    const results = await measurePeers(folder, { runs, quick, systems: [redis], sizes, say });
    return bars.map((bar) => lineOf(results, bar));
  },
};
