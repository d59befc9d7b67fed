/**
 * `npm run sim`: whole clusters in the simulator, from one seed on; a failing seed is named.
 * `npm run sim -- --views`: the same for clusters whose members come and go.
 * `npm run sim -- --model`: the same for the model of the protocol (`test/native/model`).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Command } from 'commander';
import { repositoryRoot } from '../support/repository.ts';

/** Seeds that one run of the program takes; `kSeeds` of simulation_test.cc. */
const seedsOfOneRun = 60;

const folder = join(repositoryRoot, 'build', 'native');

interface Options {
  readonly seed: number;
  readonly runs: number;
  readonly views?: boolean;
  readonly model?: boolean;
  readonly seconds?: number;
  readonly walks?: number;
  readonly search?: number;
  readonly scenario?: string;
  readonly without?: string;
  readonly list?: boolean;
}

const options = readOptions();
process.exitCode = await (options.model === true ? runModel(options) : runClusters(options));

async function runModel(given: Options): Promise<number> {
  const { seconds, walks, search, scenario, without, list } = given;
  const built = await build('epoch_model');
  if (built !== 0) return built;
  const valued = { seed: given.seed, seconds, walks, search, scenario, without };
  const args = Object.entries(valued)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [`--${name}`, String(value)]);
  return run(join(folder, 'test', 'epoch_model'), list === true ? ['--list'] : args);
}

async function runClusters({ seed, runs, views }: Options): Promise<number> {
  const name = views === true ? 'membership_test' : 'simulation_test';
  const built = await build(name);
  if (built !== 0) return built;
  const program = join(folder, 'test', name);
  for (let nth = 0; nth < runs; nth++) {
    const first = String(seed + nth * seedsOfOneRun);
    process.stdout.write(`seeds from ${first} on\n`);
    const code = await run(program, ['every_seed'], {
      FRESHET_SEED: first,
      FRESHET_SEEDS: String(seedsOfOneRun),
    });
    if (code !== 0) return code;
  }
  return 0;
}

async function build(target: string): Promise<number> {
  const built = await run('cmake', ['--build', folder, '--target', target, '-j', '2']);
  if (built !== 0) {
    process.stderr.write(
      'The simulation was not built: run `npm test` once, which configures it\n',
    );
  }
  return built;
}

async function run(command: string, args: readonly string[], env = {}): Promise<number> {
  const child = spawn(command, [...args], { stdio: 'inherit', env: { ...process.env, ...env } });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

function readOptions(): Options {
  const program = new Command('sim')
    .description('Steps simulated clusters from their seeds and checks what they did.')
    .option('--seed <n>', 'the first seed', wholeNumber, 1)
    .option('--runs <n>', `so many times ${String(seedsOfOneRun)} seeds`, wholeNumber, 1)
    .option('--views', 'clusters whose members come and go')
    .option('--model', 'the model of the protocol instead of clusters')
    .option('--seconds <n>', 'with --model: walks for so long', wholeNumber)
    .option('--walks <n>', 'with --model: so many walks', wholeNumber)
    .option(
      '--search <depth>',
      'with --model: every order of the next steps after a walk',
      wholeNumber,
    )
    .option('--scenario <name>', 'with --model: one of --list, or all')
    .option('--without <rule>', 'with --model: a rule switched off, one of --list')
    .option('--list', 'with --model: rules and scenarios')
    .parse();
  return program.opts();
}

function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  process.stderr.write(`'${text}' is no whole number\n`);
  return process.exit(2);
}
