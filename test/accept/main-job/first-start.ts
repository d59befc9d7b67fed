import { join } from 'node:path';
import { atMost, type Check, holds, undecided } from '../check.ts';
import { spawnBounded } from '../spawn.ts';
import { lastWords, startProduct } from '../product.ts';

const timeoutMs = 900_000;
const downloadStep = /install packages: ([\d.]+) s/;
const name = 'first start of a fresh clone, after the download';

/** A clone of the committed state, with nothing installed and nothing built. */
export const firstStart: Check = {
  point: '1 commands',
  name: 'first-start',
  run: async ({ root, folder, quick }) => {
    if (quick) return [undecided(name, '<= 120 s', 'left out by --quick')];
    const clone = join(folder, 'clone');
    const git = ['clone', '--quiet', '--no-hardlinks', root, clone];
    const cloned = await spawnBounded('git', git, { timeoutMs });
    if (cloned.code !== 0) return [holds(name, 'git clone', false, lastWords(cloned))];
    const words = ['--frames', '1', '--json', '--data', join(folder, 'data')];
    const ending = await startProduct(clone, words, { timeoutMs }).ended;
    if (ending.code !== 0) return [holds(name, '<= 120 s', false, lastWords(ending))];
    const download = Number(downloadStep.exec(ending.stderr)?.[1] ?? 0);
    return [atMost(name, 120, ending.elapsedMs / 1000 - download, ' s')];
  },
};
