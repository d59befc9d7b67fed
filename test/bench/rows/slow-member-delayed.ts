/** What a member whose cable is long costs the others. */
import { join } from 'node:path';
import { Network } from '../../support/network.ts';
import type { Figure, Row } from '../row.ts';
import { figuresOf, measureOthers, notSlowed, slow } from '../slowness.ts';

/** Of each way, to the member and from it. */
const delaysMs = [1, 5, 20];
/** So many that what is measured is not how long each waits. */
const lanes = 512;

export const slowMemberDelayed: Row = {
  name: 'slow-member-delayed',
  isEnclosed: true,
  method:
    'As slow-member, with 512 writers each and each member at a host of its own. All that goes to member 3 and all that comes ' +
    'from it takes so long each way, by netem where the kernel has it and else in the switch that ' +
    'all cables end in. The shard waits. Beside it the same hosts without a delay.',
  open: async ({ folder, quick }) => {
    const network = await Network.open(3);
    let nth = 0;
    const measure = async (delayMs: number) => {
      const by = delayMs === 0 ? '' : await network.delay(slow, delayMs);
      const place = join(folder, String(nth++));
      const how = { policy: 'wait', slowness: notSlowed, lanes, quick } as const;
      const measured = await measureOthers({ folder: place, network }, how);
      await network.heal();
      return { name: `slow-member wait, delayed ${String(delayMs)} ms by ${by}`, measured };
    };
    return {
      close: () => network.close(),
      run: async (): Promise<readonly Figure[]> => {
        const plain = await measure(0);
        const figures: Figure[] = [];
        for (const delayMs of delaysMs) {
          const { name, measured } = await measure(delayMs);
          figures.push(...figuresOf(name, measured, plain.measured));
        }
        return figures;
      },
    };
  },
};
