/**
 * `npm run soak`: random faults on real members in networks of their own, from a seed, while a
 * client counts. With files of scenarios: those, and nothing random.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { enclosedEnv, enclosing, enclosureProblem, isEnclosed } from '../support/enclosure.ts';
import { switchProgram } from '../support/network.ts';
import { roundNames } from './faults.ts';
import { ScriptRunner } from './run-script.ts';
import { parseScript } from './script.ts';
import { soak } from './soak.ts';

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly members: number;
  readonly only: readonly string[];
  readonly list?: boolean;
}

/** What one enclosed process does: a scenario, or faults on one cluster. */
interface Job {
  readonly folder: string;
  readonly seed: number;
  readonly members: number;
  readonly only: readonly string[];
  /** null: random faults. */
  readonly file: string | null;
  readonly seconds: number;
}

/** A cluster keeps everything that was put, so it is followed by another after so long. */
const clusterSeconds = 300;
const jobVariable = 'FRESHET_SOAK_JOB';

if (isEnclosed()) {
  // The first process of the enclosure: with it all others end.
  process.exit(await work(JSON.parse(process.env[jobVariable] ?? '') as Job));
} else {
  process.exitCode = await main();
}

async function main(): Promise<number> {
  const command = new Command('soak')
    .description('Does things to real members in networks of their own, and counts.')
    .argument('[files...]', 'scenarios to run, instead of random faults')
    .option('--minutes <n>', 'how long', wholeNumber, 10)
    .option('--seed <n>', 'draws the faults; every five minutes the next', wholeNumber, 1)
    .option('--members <n>', 'of the cluster', wholeNumber, 3)
    .option('--only <round>', 'this fault, one of --list; may be repeated', collect, [])
    .option('--list', 'the faults')
    .parse();
  const { minutes, seed, members, only, list } = command.opts<Options>();
  if (list === true) {
    say(roundNames.join('\n'));
    return 0;
  }
  const problem = existsSync(switchProgram)
    ? enclosureProblem()
    : 'the native tests are not built: run `npm test -- --project interaction` once';
  if (problem !== null) {
    process.stderr.write(`soak: ${problem}\n`);
    return 1;
  }
  const common = { seed, members, only, seconds: 0 };
  for (const file of command.args) {
    const code = await enclose({ ...common, file });
    if (code !== 0) return code;
  }
  const until = command.args.length > 0 ? 0 : performance.now() + minutes * 60_000;
  for (let nth = 0; performance.now() < until; nth++) {
    const seconds = Math.min(clusterSeconds, (until - performance.now()) / 1000);
    const code = await enclose({ ...common, seed: seed + nth, file: null, seconds });
    if (code !== 0) return code;
  }
  return 0;
}

/** Runs this program again in an enclosure that ends with it. */
async function enclose(job: Omit<Job, 'folder'>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-soak-'));
  try {
    const [unshare = '', ...flags] = enclosing;
    const [, program = ''] = process.argv;
    const words = [...flags, process.execPath, ...process.execArgv, program];
    const child = spawn(unshare, words, {
      env: { ...enclosedEnv(), [jobVariable]: JSON.stringify({ ...job, folder }) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const end = () => child.connected && child.send('end');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function work(job: Job): Promise<number> {
  const ending = new AbortController();
  process.on('message', () => {
    ending.abort();
  });
  // Whoever started this is gone, however that came, and nobody else tidies up.
  process.on('disconnect', () => {
    process.kill(-1, 'SIGKILL');
    rmSync(job.folder, { recursive: true, force: true, maxRetries: 5 });
    process.exit(1);
  });
  // A terminal's Ctrl-C reaches this process too; its parent says what to do.
  process.on('SIGINT', () => undefined);
  try {
    if (job.file === null) {
      await soak({ ...job, say, signal: ending.signal });
    } else {
      const script = parseScript(basename(job.file), await readFile(job.file, 'utf8'));
      const { folder, seed } = job;
      const runner = await ScriptRunner.open({ ...script, folder, seed, say });
      await runner.runScript(script);
    }
    return ending.signal.aborted ? 1 : 0;
  } catch (caught) {
    say(`FAILED: ${caught instanceof Error ? caught.message : String(caught)}`);
    return 1;
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  if (!roundNames.includes(value)) {
    process.stderr.write(`No fault is called '${value}': see --list\n`);
    process.exit(2);
  }
  return [...before, value];
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  process.stderr.write(`'${text}' is no whole number\n`);
  return process.exit(2);
}
