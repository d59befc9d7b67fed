/** `npm run accept -- <job>`: decides every line of an issue that a command can decide. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { buildCoreBench } from '../bench/core-bench.ts';
import { describeMachine } from '../bench/machine.ts';
import { once } from '../bench/once.ts';
import { tableLines } from '../bench/table.ts';
import { repositoryRoot } from '../support/repository.ts';
import type { Job } from './check.ts';
import { mainJob } from './main-job/job.ts';
import { replication } from './replication/job.ts';
import { speed } from './speed/job.ts';
import { linesOf, type PointLine, runChecks } from './run-checks.ts';
import { VitestFiles } from './vitest-files.ts';

interface Options {
  readonly only: readonly string[];
  readonly quick: boolean;
  readonly seed: number;
  readonly runs: number;
  readonly sabotage?: string;
  readonly coreBench?: string;
}

const jobs: readonly Job[] = [mainJob, replication, speed];

// With an end of ours, what the checks started ends too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1));
}

const command = new Command('accept')
  .description('Runs the acceptance of an issue.')
  .argument('<job>', jobs.map(({ name }) => name).join(', '))
  .option('--only <name>', 'this check, or those that begin so; may be repeated', collect, [])
  .option('--quick', 'few frames and short figures: shows that everything runs', false)
  .option('--seed <n>', 'draws the cows of the dairy figures', wholeNumber, 401)
  .option('--runs <n>', 'measurements of each figure; the median counts', wholeNumber, 5)
  .option('--sabotage <how>', 'break the product on purpose and expect red lines')
  .option('--core-bench <file>', 'the program, built already')
  .parse();
process.exitCode = await main(String(command.args[0]), command.opts<Options>());

async function main(name: string, options: Options): Promise<number> {
  const job = jobs.find((candidate) => candidate.name === name);
  if (job === undefined) {
    say(`There is no acceptance called ${name}: ${jobs.map((one) => one.name).join(', ')}`);
    return 2;
  }
  const { quick, seed, sabotage, only, coreBench: given } = options;
  const context = {
    root: repositoryRoot,
    quick,
    seed,
    runs: quick ? 1 : options.runs,
    dairy: join(repositoryRoot, 'pipelines', 'dairy'),
    coreBench: once(() => (given === undefined ? buildCoreBench(repositoryRoot) : resolved(given))),
    tests: new VitestFiles(repositoryRoot),
    say,
  };
  let lines: readonly PointLine[];
  if (sabotage === undefined) {
    const checks = job.checks.filter(({ name: check }) => {
      return only.length === 0 || only.some((wanted) => check.startsWith(wanted));
    });
    if (checks.length === 0) {
      say(`No check is called ${only.join(', ')}: ${job.checks.map((one) => one.name).join(', ')}`);
      return 2;
    }
    lines = await runChecks(checks, context);
  } else {
    const run = job.sabotages.get(sabotage);
    if (run === undefined) {
      say(`There is no sabotage ${sabotage}: ${[...job.sabotages.keys()].join(', ')}`);
      return 2;
    }
    const found = await linesOf(sabotage, context, run);
    lines = found.map((line) => ({ point: 'sabotage', check: sabotage, ...line }));
  }
  return report(job.name, options, lines);
}

async function report(job: string, options: Options, lines: readonly PointLine[]): Promise<number> {
  const machine = describeMachine(repositoryRoot);
  const failed = lines.filter(({ pass }) => pass === false).length;
  const undecided = lines.filter(({ pass }) => pass === null).length;
  const columns = ['point', 'name', 'target', 'measured', 'pass'].map((title) => ({
    title,
    side: 'left' as const,
  }));
  const cells = lines.map(({ point, name, target, measured, pass }) => {
    return [point, name, target, measured, verdict(pass)];
  });
  const passed = lines.length - failed - undecided;
  const text = [
    ...tableLines(columns, cells),
    '',
    `${String(passed)} pass, ${String(failed)} fail, ${String(undecided)} undecided; commit ` +
      `${machine.commit}, Node ${machine.node}, ${String(machine.cores)} cores`,
  ];
  process.stdout.write(`${text.join('\n')}\n`);
  const folder = join(repositoryRoot, 'build', 'accept');
  await mkdir(folder, { recursive: true });
  const suffix = options.sabotage === undefined ? '' : `-${options.sabotage}`;
  const file = join(folder, `${job}${suffix}-${machine.commit}.json`);
  await writeFile(file, JSON.stringify({ job, options, machine, lines }, null, 2) + '\n');
  process.stdout.write(`written to ${file}\n`);
  return failed > 0 ? 1 : 0;
}

function verdict(pass: boolean | null): string {
  if (pass === null) return '-';
  return pass ? 'yes' : 'NO';
}

function resolved(file: string): Promise<string> {
  return Promise.resolve(file);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value < 2 ** 24) return value;
  throw new Error(`${text} is no whole number from 1 on`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
