/**
 * `npm run sim`: whole clusters in the simulator, from one seed on; a failing seed is named.
 * `npm run sim -- --order`: the core's order of records alone, with fixed members.
 * `npm run sim -- --views`: the core's views alone, for clusters whose members come and go.
 * `npm run sim -- --model`: the model of the protocol (`test/native/model`).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { repositoryRoot } from '../support/repository.ts';
import { runSeeds } from './seeds.ts';
import { canaries, type Canary } from './world-canaries.ts';
import { seedDefaults } from './world.ts';

/** Seeds that one run of the program takes; `kSeeds` of simulation_test.cc. */
const seedsOfOneRun = 60;

const folder = join(repositoryRoot, 'build', 'native');

interface Options {
  readonly seed: number;
  readonly seeds?: number;
  readonly minutes?: number;
  readonly members?: number;
  readonly shards?: number;
  readonly faults?: number;
  readonly operations: number;
  readonly seconds?: number;
  readonly canary: Canary;
  readonly trace?: boolean;
  readonly catalog?: boolean;
  readonly runs: number;
  readonly order?: boolean;
  readonly views?: boolean;
  readonly model?: boolean;
  readonly walks?: number;
  readonly search?: number;
  readonly scenario?: string;
  readonly without?: string;
  readonly list?: boolean;
}

const options = readOptions();
process.exitCode = await runWhat(options);

function runWhat(given: Options): Promise<number> {
  if (given.model === true) return runModel(given);
  if (given.views === true) return runProgram('membership_test', given);
  if (given.order === true) return runProgram('simulation_test', given);
  return runWorlds(given);
}

async function runWorlds(given: Options): Promise<number> {
  const broken = given.canary !== 'none';
  const built = await build(broken ? 'freshet_world_canaries' : 'freshet_world');
  if (built !== 0) return built;
  const { seed, seeds, minutes, members, shards, faults, operations, seconds } = given;
  return runSeeds({
    ...seedDefaults,
    first: seed,
    count: seeds ?? (minutes === undefined ? 1 : Infinity),
    minutes: minutes ?? Infinity,
    members: members ?? null,
    shards: shards ?? null,
    faults: faults ?? null,
    operations,
    seconds: seconds ?? seedDefaults.seconds,
    canary: given.canary,
    catalog: given.catalog ?? null,
    trace: given.trace === true,
  });
}

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

async function runProgram(name: string, { seed, runs }: Options): Promise<number> {
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
  const built = await run('cmake', ['--build', folder, '--target', target, '-j', '2'], {}, 2);
  if (built !== 0) {
    process.stderr.write(
      'The simulation was not built: run `npm test` once, which configures it\n',
    );
  }
  return built;
}

/** `output`: the stream of this program that gets what it says. */
async function run(
  command: string,
  args: readonly string[],
  env = {},
  output: 1 | 2 = 1,
): Promise<number> {
  const stdio = ['inherit', output, 2] as const;
  const child = spawn(command, [...args], {
    stdio: [...stdio],
    env: { ...process.env, ...env },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

function readOptions(): Options {
  const program = new Command('sim')
    .description('Steps simulated clusters from their seeds and checks what they did.')
    .option('--seed <n>', 'the first seed', wholeNumber, 1)
    .option('--seeds <n>', 'so many seeds, one after the other', wholeNumber)
    .option('--minutes <n>', 'fresh seeds for so long', wholeNumber)
    .option('--members <n>', '2 to 16 members; else drawn from the seed', wholeNumber)
    .option('--shards <n>', 'up to 64 shards; else drawn from the seed', wholeNumber)
    .option('--faults <n>', 'so many in a seed; else drawn from it', wholeNumber)
    .option(
      '--operations <n>',
      'of clients in a seed, at least',
      wholeNumber,
      seedDefaults.operations,
    )
    .option('--seconds <n>', 'simulated, at least; with --model: walks for so long', wholeNumber)
    .addOption(
      new Option('--canary <rule>', 'breaks a rule: a checker has to notice')
        .choices([...canaries])
        .default('none'),
    )
    .option('--trace', 'says what happens')
    .option('--catalog', 'members of every seed have a catalog; else those of one in four')
    .option('--order', 'the order of records with fixed members')
    .option('--views', 'the views of the core alone')
    .option(
      '--runs <n>',
      `with --order and --views: so many times ${String(seedsOfOneRun)} seeds`,
      wholeNumber,
      1,
    )
    .option('--model', 'the model of the protocol instead of clusters')
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
