/** What a member that is stopped again and again costs the others. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Figure, Row } from '../row.ts';
import {
  afterMs,
  figuresOf,
  measureOthers,
  notSlowed,
  type Policy,
  slow,
  type Slowness,
} from '../slowness.ts';
import type { ViewCluster } from '../view-cluster.ts';

const lanes = 16;

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

export const slowMember: Row = {
  name: 'slow-member',
  method:
    'Three members, values of 100 B in one volatile shard of all three. Member 3 is stopped for a ' +
    'share of each period (SIGSTOP, SIGCONT); 2.5 s later members 1 and 2 put with 16 writers each ' +
    'for 4 s (puts/s), then 200 times a second each, counted from when a put was due (p99). By what ' +
    `the shard does about a member that is waited for ${String(afterMs)} ms, beside the same when ` +
    'nobody is slow.',
  open: ({ folder, quick }) => {
    const shares = [0.1, 0.3, 0.5];
    const short = shares.map((share) => stopped(share, 100));
    const long = shares.map((share) => stopped(share, 1000));
    const cases: readonly (readonly [Policy, Slowness])[] = [
      ...[...short, ...long].map((slowness) => ['wait', slowness] as const),
      ...long.map((slowness) => ['suspect', slowness] as const),
      ...long.map((slowness) => ['demote', slowness] as const),
    ];
    let nth = 0;
    const measure = (policy: Policy, slowness: Slowness) => {
      const place = join(folder, String(nth++));
      return measureOthers({ folder: place }, { policy, slowness, lanes, quick });
    };
    return Promise.resolve({
      close: () => Promise.resolve(),
      run: async (): Promise<readonly Figure[]> => {
        const plain = await measure('wait', notSlowed);
        const figures: Figure[] = [];
        for (const [policy, slowness] of cases) {
          const measured = await measure(policy, slowness);
          figures.push(...figuresOf(`slow-member ${policy}, ${slowness.name}`, measured, plain));
        }
        return figures;
      },
    });
  },
};
