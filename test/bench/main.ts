/** `npm run bench`: Freshet's figures beside the raw building blocks of the same run. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { repositoryRoot } from '../support/repository.ts';
import { buildCoreBench } from './core-bench.ts';
import { describeMachine, type Machine } from './machine.ts';
import { matrixLines, measureMatrix } from './matrix.ts';
import { once } from './once.ts';
import { machineLines, reportLines } from './report.ts';
import { runPeerBench } from './peers/peer-bench.ts';
import type { RowContext } from './row.ts';
import { rows } from './rows/all.ts';
import { type RowResult, runRow } from './run-rows.ts';

interface Options {
  readonly only: readonly string[];
  readonly runs?: number;
  readonly quick: boolean;
  readonly json?: string;
  readonly coreBench?: string;
  readonly peers: boolean;
  readonly systems: string;
  readonly sizes: string;
  readonly table: string | null;
}

const defaultRuns = { row: 5, table: 3 };

process.exitCode = await main(readOptions());

async function main(options: Options): Promise<number> {
  if (options.peers) return runPeers(options);
  if (options.table !== null) return runTable(options.table, options);
  const chosen = rows.filter(({ name }) => {
    return options.only.length === 0 || options.only.some((wanted) => name.startsWith(wanted));
  });
  if (chosen.length === 0) {
    say(`No row is called ${options.only.join(', ')}: ${rows.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const machine = describeMachine(repositoryRoot);
  const context = contextOf(options);
  const { runs = defaultRuns.row } = options;
  const results: RowResult[] = [];
  for (const row of chosen) results.push(await runRow(row, runs, context));
  const methods = results.map(({ name, method }) => `${name}: ${method}`);
  print([...reportLines(machine, runs, results), ...methods]);
  return record(machine, runs, results, options);
}

/** Writes the figures where they are asked for. The exit code. */
async function record(
  machine: Machine,
  runs: number,
  results: readonly RowResult[],
  { json, quick }: Options,
): Promise<number> {
  if (json !== undefined) {
    await writeFile(json, JSON.stringify({ machine, runs, quick, results }, null, 2));
  }
  return results.some(({ failure }) => failure !== null) ? 1 : 0;
}

function contextOf({ coreBench: given, quick }: Options): Omit<RowContext, 'folder'> {
  const build = once(() => buildCoreBench(repositoryRoot));
  const coreBench = given === undefined ? build : () => Promise.resolve(given);
  return { root: repositoryRoot, quick, coreBench, say };
}

async function runTable(name: string, options: Options): Promise<number> {
  if (name !== 'matrix') {
    say(`No table is called ${name}: matrix`);
    return 2;
  }
  const machine = describeMachine(repositoryRoot);
  const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
  try {
    const { runs = defaultRuns.table, quick } = options;
    const result = await measureMatrix({ ...contextOf(options), folder }, runs);
    print([...machineLines(machine, runs), '', ...matrixLines(result, quick)]);
    return await record(machine, runs, [result], options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runPeers(options: Options): Promise<number> {
  const { runs = defaultRuns.row, quick, systems, sizes, json } = options;
  return runPeerBench({
    runs,
    quick,
    systems: systems.split(','),
    sizes: sizes.split(',').map(Number),
    json: json ?? null,
    say,
  });
}

function readOptions(): Options {
  const names = rows.map(({ name }) => name).join(', ');
  const { row, table } = defaultRuns;
  const runsText = `each row (default: ${String(row)}) or place of a table (${String(table)})`;
  const command = new Command('bench')
    .description(`Measures ${names}; or prints a table.`)
    .argument('[table]', 'matrix: by senders, members, sizes, ordered and raw')
    .option('--only <name>', 'this row, or those that begin so; may be repeated', collect, [])
    .option('--runs <n>', `measurements of ${runsText}`, wholeNumber)
    .option('--quick', 'shows that everything runs; the figures are worth nothing', false)
    .option('--json <file>', 'writes all figures there')
    .option('--core-bench <file>', 'the program, built already')
    .option('--peers', 'other stores and this one, by the driver of the peers', false)
    .option('--systems <names>', 'with --peers: beside which of them', 'redis')
    .option('--sizes <bytes>', 'with --peers: values of these sizes', '100,10240,1048576')
    .parse();
  return { ...command.opts<Omit<Options, 'table'>>(), table: command.args[0] ?? null };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 100) return value;
  throw new Error(`${text} is no number of runs from 1 to 100`);
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
