/** What one slow member costs the others, by how slow it is and by what the shard does about it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Figure, Row, RowContext } from '../row.ts';
import { ViewCluster } from '../view-cluster.ts';

type Policy = 'wait' | 'suspect' | 'demote';

interface Slowness {
  readonly name: string;
  /** Begins; returns how to end it. */
  readonly begin: (members: ViewCluster) => Promise<() => Promise<void>>;
}

const slow = 3;
const others = [1, 2];
const lanes = 16;
/** Of each writer whose delays are measured. */
const perSecond = 200;
const afterMs = 250;
/** Before the figures are taken, so that what the policy does is done. */
const settleMs = { full: 2500, quick: 300 };
const watchedMs = { full: 4000, quick: 300 };
const delaysMs = [5, 20];

const run = promisify(execFile);

const notSlowed: Slowness = {
  name: 'not slowed',
  begin: () => Promise.resolve(() => Promise.resolve()),
};

/** Stopped for a share of each period. */
function stopped(share: number, periodMs: number): Slowness {
  const begin = (members: ViewCluster): Promise<() => Promise<void>> => {
    const state = { on: true };
    const stutter = async (): Promise<void> => {
      while (state.on) {
        members.signal(slow, 'SIGSTOP');
        await pause(share * periodMs);
        members.signal(slow, 'SIGCONT');
        await pause((1 - share) * periodMs);
      }
    };
    const done = stutter();
    return Promise.resolve(() => {
      state.on = false;
      return done;
    });
  };
  return { name: `stopped ${String(share * 100)} % of ${String(periodMs)} ms`, begin };
}

/** All that goes to and from the slow member is on its way for longer. */
function delayed(ms: number): Slowness {
  const tc = (...argument: readonly string[]) => run('tc', argument);
  const begin = async (members: ViewCluster): Promise<() => Promise<void>> => {
    const port = members.cluster.members.find(({ id }) => id === slow)?.port ?? 0;
    const all = '0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0'.split(' ');
    await tc(
      'qdisc',
      'add',
      'dev',
      'lo',
      'root',
      'handle',
      '1:',
      'prio',
      'bands',
      '4',
      'priomap',
      ...all,
    );
    await tc('qdisc', 'add', 'dev', 'lo', 'parent', '1:4', 'netem', 'delay', `${String(ms)}ms`);
    for (const end of ['sport', 'dport']) {
      const match = ['match', 'ip', end, String(port), '0xffff'];
      const filter = ['protocol', 'ip', 'parent', '1:0', 'prio', '1', 'u32', ...match];
      await tc('filter', 'add', 'dev', 'lo', ...filter, 'flowid', '1:4');
    }
    return async () => {
      await tc('qdisc', 'del', 'dev', 'lo', 'root');
    };
  };
  return { name: `delayed ${String(ms)} ms`, begin };
}

/** Null: delays can be made here. The loopback of others is left alone: it has to be asked for. */
async function noDelays(): Promise<string | null> {
  if (process.env['FRESHET_BENCH_NETEM'] !== '1') {
    return 'FRESHET_BENCH_NETEM=1 asks for them, in a network namespace of its own (unshare --net)';
  }
  try {
    await run('tc', ['qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms']);
    await run('tc', ['qdisc', 'del', 'dev', 'lo', 'root']);
    return null;
  } catch (error) {
    return `tc makes no delay: ${error instanceof Error ? error.message.trim() : String(error)}`;
  }
}

async function measure(
  { folder, quick }: RowContext,
  nth: number,
  policy: Policy,
  slowness: Slowness,
): Promise<{ readonly rate: number; readonly p99Ms: number }> {
  const slowMember = { policy, afterMs };
  const subgroups = [{ name: 'milk', kind: 'volatile', shards: 1, slowMember }];
  const config = { subgroups };
  const place = join(folder, String(nth));
  const members = await ViewCluster.start({ members: 3, folder: place, config });
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

export const slowMember: Row = {
  name: 'slow-member',
  method:
    'Three members, values of 100 B in one volatile shard of all three. Member 3 is stopped for a ' +
    'share of each period (SIGSTOP, SIGCONT), or delayed by netem where there is one; 2.5 s later ' +
    'members 1 and 2 put with 16 writers each for 4 s (puts/s), then 200 times a second each, ' +
    `counted from when a put was due (p99). By what the shard does about a member that is waited ` +
    `for ${String(afterMs)} ms, beside the same when nobody is slow.`,
  open: async (context) => {
    const shares = [0.1, 0.3, 0.5];
    const short = shares.map((share) => stopped(share, 100));
    const long = shares.map((share) => stopped(share, 1000));
    const why = await noDelays();
    if (why !== null) context.say(`slow-member: without delays: ${why}`);
    const delays = why === null ? delaysMs.map(delayed) : [];
    const cases: readonly (readonly [Policy, Slowness])[] = [
      ...[...short, ...long, ...delays].map((slowness) => ['wait', slowness] as const),
      ...long.map((slowness) => ['suspect', slowness] as const),
      ...long.map((slowness) => ['demote', slowness] as const),
    ];
    let nth = 0;
    return {
      close: () => Promise.resolve(),
      run: async (): Promise<readonly Figure[]> => {
        const plain = await measure(context, nth++, 'wait', notSlowed);
        const figures: Figure[] = [];
        for (const [policy, slowness] of cases) {
          const { rate, p99Ms } = await measure(context, nth++, policy, slowness);
          const name = `slow-member ${policy}, ${slowness.name}`;
          const raw = (value: number) => ({ name: notSlowed.name, value });
          figures.push({ name, unit: 'puts/s', value: rate, raw: raw(plain.rate) });
          figures.push({ name: `${name}, p99`, unit: 'ms', value: p99Ms, raw: raw(plain.p99Ms) });
        }
        return figures;
      },
    };
  },
};
