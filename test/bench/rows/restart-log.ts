/** How long a cluster takes to come back from its logs alone. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Row } from '../row.ts';
import { ViewCluster, wallMs } from '../view-cluster.ts';

const versions = { full: 10_000_000, quick: 100_000 };
const ids = [1, 2, 3];

export const restartLog: Row = {
  name: 'restart-log',
  method:
    'Three members with 10 million versions of 100 B get kill -9 and are started again: until all ' +
    'shards run. Beside it three processes that read the same logs and compute their CRC32C.',
  open: async ({ folder, quick }) => {
    const members = await ViewCluster.start({ members: 3, folder });
    await members.call(1, 'createPool', { name: '/bench', kind: 'persistent' });
    const count = Math.ceil((quick ? versions.quick : versions.full) / ids.length);
    await Promise.all(
      ids.map((id) => members.call(id, 'rewrite', { prefix: `/bench/${String(id)}`, count })),
    );
    const isSource = import.meta.url.endsWith('.ts');
    const reader = fileURLToPath(
      new URL(`../read-logs/main.${isSource ? 'ts' : 'js'}`, import.meta.url),
    );
    const loader = isSource ? ['--import', 'tsx'] : [];
    return {
      close: () => members.close(),
      run: async () => {
        await Promise.all(ids.map((id) => members.cluster.kill(id)));
        const bare = await Promise.all(
          ids.map(async (id) => {
            const args = [...loader, reader, join(folder, `member-${String(id)}`)];
            const { stdout } = await promisify(execFile)(process.execPath, args);
            return Number(stdout);
          }),
        );
        const began = wallMs();
        await Promise.all(ids.map((id) => members.startAgain(id)));
        const value = wallMs() - began;
        const raw = { name: 'three processes reading and checksumming', value: Math.max(...bare) };
        return [{ name: 'restart-log', unit: 'ms', value, raw }];
      },
    };
  },
};
