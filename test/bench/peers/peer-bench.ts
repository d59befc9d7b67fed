/**
 * `npm run bench -- --peers`: Freshet beside other replicated stores, by the peers' own driver, all
 * in the same runs. Found in FRESHET_PEERS, else ../shared/peers beside the repository.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentWork } from '../../../platform/base/mod.ts';
import { repositoryRoot } from '../../support/repository.ts';
import { type AgentsWork, shownWork } from '../agents-work.ts';
import { runToEnd } from '../child.ts';
import { median, shownNumber } from '../statistics.ts';
import { tableLines } from '../table.ts';
import { readPutWork } from './put-work.ts';

/** One system at one value size, as the driver writes it. */
export interface PeerResult {
  readonly system: string;
  readonly size: number;
  readonly ok: boolean;
  readonly error?: string;
  readonly put?: { readonly opsPerSec: number };
  readonly putLatency?: { readonly p50: number; readonly p99: number };
  readonly get?: { readonly opsPerSec: number };
  readonly getLatency?: { readonly p50: number };
  readonly watch?: { readonly notify: { readonly p50: number; readonly p99: number } };
  /** Of ours: shares of the agents' time in `put`. */
  readonly work?: AgentsWork;
}

export interface PeerRunOptions {
  readonly runs: number;
  readonly quick: boolean;
  /** Names of the driver's systems that Freshet is measured beside. */
  readonly systems: readonly string[];
  /** In bytes. */
  readonly sizes: readonly number[];
  readonly say: (text: string) => void;
}

export interface PeerBenchOptions extends PeerRunOptions {
  /** Where all results go; null: nowhere. */
  readonly json: string | null;
}

/** What the driver calls a system of ours, and the adapter its pools. */
const ours = new Map([
  ['freshet-volatile', { module: 'volatile', kind: 'volatile' }],
  ['freshet-persisted', { module: 'persisted', kind: 'persistent' }],
]);
const runTimeoutMs = 3_600_000;
/** Seconds of each measurement, shorter when it shall only be shown that everything runs. */
const quickSeconds = ['--secs', '1', '--lat-secs', '1', '--warm-secs', '1'];

/** null: the driver is not there. */
export function findPeers(): string | null {
  const folder = process.env['FRESHET_PEERS'] ?? join(repositoryRoot, '..', 'shared', 'peers');
  return existsSync(join(folder, 'run.mjs')) ? folder : null;
}

export const noPeers = 'The driver of the peers is not here: name its folder in FRESHET_PEERS';

/** Prints the medians of all runs. The exit code. */
export async function runPeerBench(options: PeerBenchOptions): Promise<number> {
  const { runs, quick, json, say } = options;
  const peers = findPeers();
  if (peers === null) {
    say(noPeers);
    return 2;
  }
  const results = await measurePeers(peers, options);
  for (const line of tableLines(columns, rowsOf(results))) process.stdout.write(`${line}\n`);
  if (json !== null) await writeFile(json, JSON.stringify({ runs, quick, results }, null, 2));
  return results.every(({ ok }) => ok) ? 0 : 1;
}

/** What all runs measured, by the driver in the folder `peers`. */
export async function measurePeers(
  peers: string,
  options: PeerRunOptions,
): Promise<readonly PeerResult[]> {
  const { runs, say } = options;
  const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-peers-'));
  try {
    const results: PeerResult[] = [];
    for (let nth = 1; nth <= runs; nth++) {
      say(`peers: run ${String(nth)} of ${String(runs)}`);
      results.push(...(await runOnce(peers, folder, options)));
    }
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of the runs of one system at one size; NaN: none of them told. */
export function medianOfPeer(
  results: readonly PeerResult[],
  system: string,
  size: number,
  pick: (result: PeerResult) => number | undefined,
): number {
  const its = results.filter((one) => one.ok && nameOf(one.system) === system && one.size === size);
  return median(its.flatMap((result) => pick(result) ?? []));
}

async function runOnce(
  peers: string,
  folder: string,
  { quick, systems, sizes, say }: PeerRunOptions,
): Promise<readonly PeerResult[]> {
  const json = join(folder, 'results.json');
  const adapters = [...ours].map(([name, { module }]) => {
    // The driver's processes run what is compiled alone.
    const file = join(repositoryRoot, 'dist', 'test', 'bench', 'peers', `${module}.js`);
    return `${name}=${file}`;
  });
  const args = [
    join(peers, 'run.mjs'),
    ...['--systems', [...systems, ...adapters].join(',')],
    ...['--sizes', sizes.join(',')],
    ...['--data', folder],
    ...['--json', json],
    ...(quick ? quickSeconds : []),
  ];
  await runToEnd(process.execPath, args, { timeoutMs: runTimeoutMs });
  const { results } = JSON.parse(await readFile(json, 'utf8')) as {
    readonly results: readonly PeerResult[];
  };
  for (const { system, size, ok, error } of results) {
    if (!ok)
      say(`${nameOf(system)} at ${String(size)} B failed: ${error ?? 'no reason was given'}`);
  }
  return Promise.all(
    results.map(async (result): Promise<PeerResult> => {
      const kind = ours.get(nameOf(result.system))?.kind;
      if (!result.ok || kind === undefined) return result;
      return { ...result, work: await readPutWork(folder, kind, result.size) };
    }),
  );
}

const columns = [
  { title: 'system', side: 'left' },
  ...[
    'value',
    'puts/s',
    `${agentWork.join('/')} %`,
    'put p50 ms',
    'put p99 ms',
    'gets/s',
    'get p50 ms',
    'watch p50 ms',
  ].map((title) => ({ title, side: 'right' as const })),
] as const;

function rowsOf(results: readonly PeerResult[]): readonly (readonly string[])[] {
  const groups = new Map<string, PeerResult[]>();
  for (const result of results) {
    const place = `${String(result.size)} ${result.system}`;
    groups.set(place, [...(groups.get(place) ?? []), result]);
  }
  return [...groups.values()].map((group) => {
    const good = group.filter(({ ok }) => ok);
    const of = (pick: (result: PeerResult) => number | undefined): string => {
      const values = good.flatMap((result) => pick(result) ?? []);
      return shownNumber(median(values));
    };
    return [
      nameOf(group[0]?.system ?? ''),
      `${String(group[0]?.size)} B`,
      of(({ put }) => put?.opsPerSec),
      workOf(good),
      of(({ putLatency }) => putLatency?.p50),
      of(({ putLatency }) => putLatency?.p99),
      of(({ get }) => get?.opsPerSec),
      of(({ getLatency }) => getLatency?.p50),
      of(({ watch }) => watch?.notify.p50),
    ];
  });
}

function workOf(results: readonly PeerResult[]): string {
  const works = results.flatMap(({ work }) => work ?? []);
  if (works.length === 0) return '';
  return shownWork((kind) => 100 * median(works.map((work) => work[kind])));
}

function nameOf(system: string): string {
  return system.split('=')[0] ?? system;
}
