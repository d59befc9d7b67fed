/** `npm run sim`: whole clusters in the simulator, from one seed on; a failing seed is named. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Command } from 'commander';
import { repositoryRoot } from '../support/repository.ts';

/** Seeds that one run of the program takes; `kSeeds` of simulation_test.cc. */
const seedsOfOneRun = 60;

process.exitCode = await main(readOptions());

async function main({ seed, runs }: { seed: number; runs: number }): Promise<number> {
  const build = join(repositoryRoot, 'build', 'native');
  const built = await run('cmake', ['--build', build, '--target', 'simulation_test', '-j', '2']);
  if (built !== 0) {
    process.stderr.write(
      'The simulation was not built: run `npm test` once, which configures it\n',
    );
    return built;
  }
  const program = join(build, 'test', 'simulation_test');
  for (let nth = 0; nth < runs; nth++) {
    const first = String(seed + nth * seedsOfOneRun);
    process.stdout.write(`seeds from ${first} on\n`);
    const code = await run(program, ['every_seed'], { FRESHET_SEED: first });
    if (code !== 0) return code;
  }
  return 0;
}

async function run(command: string, args: readonly string[], env = {}): Promise<number> {
  const child = spawn(command, [...args], { stdio: 'inherit', env: { ...process.env, ...env } });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

function readOptions(): { seed: number; runs: number } {
  const program = new Command('sim')
    .description('Steps simulated clusters from their seeds and checks what they did.')
    .option('--seed <n>', 'the first seed', wholeNumber, 1)
    .option('--runs <n>', `so many times ${String(seedsOfOneRun)} seeds`, wholeNumber, 1)
    .parse();
  return program.opts();
}

function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  process.stderr.write(`'${text}' is no whole number\n`);
  return process.exit(2);
}
