/** Fresh seeds of whole simulated clusters: two CPU hours of them, clean. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { atLeast, type Check, type CheckContext, holds, type Line } from '../check.ts';
import { buildNative } from '../native-program.ts';
import { lastWords } from '../product.ts';
import { type Ending, spawnBounded } from '../spawn.ts';

const minute = 60_000;
/** Of each of the processes that draw what they simulate, and of the one that is timed. */
const minutes = { full: { drawn: 60, timed: 5 }, quick: { drawn: 1, timed: 1 } };
const processes = 2;
/** Of three members. */
const secondsPerCore = 10;

/** Rules that the checkers have to miss when they are broken; by the name `--canary` takes. */
export const brokenRules = ['no-gate', 'no-lease', 'stale-keys', 'lying-disks'] as const;

interface Run {
  readonly ending: Ending;
  readonly seeds: number;
  readonly perSecond: number;
  readonly empty: number;
}

/** Other seeds each time: what was clean once proves nothing about the next. */
async function run(root: string, length: number, extra: readonly string[]): Promise<Run> {
  const start = join(root, 'platform', 'start.mjs');
  const sim = ['run', 'test/simulation/main.ts', '--seed', String(randomInt(2 ** 31))];
  const args = [start, ...sim, '--minutes', String(length), ...extra];
  const options = { cwd: root, timeoutMs: (length + 5) * minute };
  const ending = await spawnBounded(process.execPath, args, options);
  const numbers = /(\d+) seeds, clean, ([\d.]+) a second.* (\d+) cells empty/s.exec(ending.stdout);
  const [seeds = 0, perSecond = 0, empty = Infinity] = (numbers?.slice(1) ?? []).map(Number);
  return { ending, seeds, perSecond, empty };
}

function complaint(ending: Ending): string {
  const [found] = /seed \d+ fails:\n.*/.exec(ending.stdout) ?? [];
  return found?.replace('\n', ' ') ?? lastWords(ending);
}

function cleanLine(name: string, runs: readonly Run[]): Line {
  const failed = runs.find(({ ending }) => ending.code !== 0);
  const count = runs.reduce((sum, { seeds }) => sum + seeds, 0);
  const measured = failed === undefined ? `${String(count)} seeds` : complaint(failed.ending);
  return holds(name, 'no violation', failed === undefined && count > 0, measured);
}

async function build({ root }: CheckContext, target: string): Promise<void> {
  await buildNative(join(root, 'build', 'native'), [target]);
}

export const seeds: Check = {
  point: 'simulation',
  name: 'seeds',
  run: async (context) => {
    await build(context, 'freshet_world');
    const { drawn, timed } = context.quick ? minutes.quick : minutes.full;
    const side = Array.from({ length: processes }, async () => run(context.root, drawn, []));
    const runs = await Promise.all(side);
    const alone = await run(context.root, timed, ['--members', '3']);
    const least = Math.min(...runs.map(({ empty }) => empty));
    const lines = [
      cleanLine(`fresh seeds, ${String(drawn)} minutes on each of two cores`, runs),
      cleanLine('fresh seeds of three members', [alone]),
      atLeast('seeds of three members a second and core', secondsPerCore, alone.perSecond),
    ];
    if (context.quick) return lines;
    const cells = 'faults that met no member in a step';
    return [...lines, holds(cells, 'no cell empty', least === 0, `${String(least)} empty`)];
  },
};

/** The same checkers over a build in which a rule is broken: the line has to be red. */
export function brokenSeeds(rule: string): Check['run'] {
  return async (context) => {
    await build(context, 'freshet_world_canaries');
    const broken = await run(context.root, minutes.full.timed, ['--canary', rule]);
    return [cleanLine(`fresh seeds with ${rule}`, [broken])];
  };
}
