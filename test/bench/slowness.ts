/** What one slow member costs the puts of the others, by what their shard does about it. */
import type { Figure } from './row.ts';
import { ViewCluster, type ViewClusterOptions } from './view-cluster.ts';

export type Policy = 'wait' | 'suspect' | 'demote';

export interface Slowness {
  readonly name: string;
  /** Begins; returns how to end it. */
  readonly begin: (members: ViewCluster) => Promise<() => Promise<void>>;
}

/** What the others do meanwhile. */
export interface Others {
  /** Puts a second of all of them, as many as they can. */
  readonly rate: number;
  /** Of puts at a steady rate. */
  readonly p99Ms: number;
}

export interface Measuring {
  readonly policy: Policy;
  readonly slowness: Slowness;
  /** Puts under way of each of the others while their rate is taken. */
  readonly lanes: number;
  readonly quick: boolean;
}

/** The one that is slow. */
export const slow = 3;
const others = [1, 2];
/** Of each writer whose delays are measured. */
const perSecond = 200;
export const afterMs = 250;
/** Before the figures are taken, so that what the policy does is done. */
const settleMs = { full: 2500, quick: 300 };
const watchedMs = { full: 4000, quick: 300 };

export const notSlowed: Slowness = {
  name: 'not slowed',
  begin: () => Promise.resolve(() => Promise.resolve()),
};

/** Three members of one volatile shard, the third of them slow. */
export async function measureOthers(
  options: Pick<ViewClusterOptions, 'folder' | 'network'>,
  { lanes, policy, slowness, quick }: Measuring,
): Promise<Others> {
  const slowMember = { policy, afterMs };
  const subgroups = [{ name: 'milk', kind: 'volatile', shards: 1, slowMember }];
  const members = await ViewCluster.start({ ...options, members: 3, config: { subgroups } });
  try {
    await members.call(1, 'createPool', { name: '/milk', kind: 'volatile', subgroup: 'milk' });
    const atOthers = async (method: string, argument: object): Promise<number[]> => {
      const asked = others.map((id) =>
        members.call(id, method, { prefix: `/milk/${String(id)}`, ...argument }),
      );
      return (await Promise.all(asked)) as number[];
    };
    const ms = quick ? watchedMs.quick : watchedMs.full;
    const end = await slowness.begin(members);
    try {
      await atOthers('measureRate', { lanes, ms: quick ? settleMs.quick : settleMs.full });
      const rates = await atOthers('measureRate', { lanes, ms });
      const delays = await atOthers('measureDelay', { perSecond, ms });
      return { rate: rates.reduce((sum, rate) => sum + rate, 0), p99Ms: Math.max(...delays) };
    } finally {
      await end();
    }
  } finally {
    await members.close();
  }
}

/** Two figures: puts a second and p99, each beside the same when nobody is slow. */
export function figuresOf(name: string, { rate, p99Ms }: Others, plain: Others): Figure[] {
  const raw = (value: number) => ({ name: notSlowed.name, value });
  return [
    { name, unit: 'puts/s', value: rate, raw: raw(plain.rate) },
    { name: `${name}, p99`, unit: 'ms', value: p99Ms, raw: raw(plain.p99Ms) },
  ];
}
