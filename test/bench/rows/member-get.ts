import { startBenchCluster } from '../bench-cluster.ts';
import type { GetRates, LocalGets } from '../member/orders.ts';
import type { Row } from '../row.ts';

const seconds = { full: 2, quick: 0.2 };

/** A get from JavaScript in a member's own process. */
export const memberGet: Row = {
  name: 'member-get',
  method:
    '`local` gets of 100 B in the process of a member, 1000 keys in turn, 100 under way together, ' +
    'a promise each; then `linearizable` ones, while nothing is put. Beside both, calls of the ' +
    "addon's function that gives a value, `local` and one by one.",
  open: async (context) => {
    const { cluster, db, close } = await startBenchCluster(context.folder);
    await db.createPool({ name: '/bench', kind: 'volatile', schema: 'raw' });
    const milliseconds = 1000 * (context.quick ? seconds.quick : seconds.full);
    const order: LocalGets = { prefix: '/bench', keys: 1000, size: 100, window: 100, milliseconds };
    return {
      close,
      run: async () => {
        const rates = (await cluster.call(1, 'getLocally', order)) as GetRates;
        const raw = { name: 'the bare N-API get', value: rates.bare };
        return (['local', 'linearizable'] as const).map((read) => {
          return { name: `member-get ${read}`, unit: 'gets/s', value: rates[read], raw };
        });
      },
    };
  },
};
