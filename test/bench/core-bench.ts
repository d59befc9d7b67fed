/** The native bench: members over loopback TCP with the real agent, load on the members. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentWork } from '../../platform/base/mod.ts';
import { runToEnd } from './child.ts';

export interface CoreBenchOptions {
  /** Bytes of a value. */
  readonly size: number;
  /** 1 to 16; default 3. */
  readonly members?: number;
  /** Members that may put. */
  readonly senders: number;
  /** The rank of the only one that does; default: all senders do. */
  readonly loader?: number;
  /** Unanswered puts of one sender. */
  readonly window: number;
  readonly seconds: number;
  /** Of each sender, until all are answered, in at most `seconds`; default 0: for `seconds`. */
  readonly puts?: number;
  /** Of each sender, before those; default 0. */
  readonly warm?: number;
  readonly persistent?: boolean;
  /** Triggers, delivered as they are received. */
  readonly raw?: boolean;
  /** Different keys of one sender; default 1000. */
  readonly keys?: number;
  /** Pools, and shards, that puts go to in turn; default 1. */
  readonly pools?: number;
  readonly shards?: number;
  /** Versions of a key that are kept; 0: all; default 4. */
  readonly history?: number;
  /** Put before anything is measured; default 0. */
  readonly versions?: number;
  /** GiB of the shards of a member; default 1. */
  readonly memory?: number;
  /** Bytes of each sender's ring in each shard; default 4 MiB. */
  readonly ring?: number;
  /** Nothing is measured beside it. */
  readonly alone?: boolean;
  /** TCP streams from each sender to all others are measured beside it. */
  readonly streams?: boolean;
  /** No load: what the members cost. */
  readonly idle?: boolean;
}

/** What core_bench prints; times in µs. */
export interface CoreBenchResult {
  readonly spinMicros: number;
  readonly putsPerSecond: number;
  readonly refused: number;
  /** Of the first sender. */
  readonly latencyP50: number;
  readonly latencyP99: number;
  /** Of one core, all members together. */
  readonly cpuShare: number;
  /** Of the agents' time, by what they were at. */
  readonly work: Readonly<Record<AgentWork, number>>;
  /** Bytes of records and values that the agents copied from one memory to another. */
  readonly copiedPerSecond: number;
  /** TCP round trips of 100 B between two processes that sleep in epoll, on a core each. */
  readonly pingPongP50: number;
  readonly pingPongP99: number;
  /** Of one of three logs side by side, 64 records of this size a sync; 0 for volatile. */
  readonly rawSyncsPerSecond: number;
  /** Of one log alone, a record of this size each; 0 for volatile. */
  readonly rawSyncP50: number;
  /** Given by all senders, counted once, to however many they go; 0: not asked for. */
  readonly rawStreamBytesPerSecond: number;
  /** The same without the congestion control that the system chooses, as members connect. */
  readonly rawUnspacedBytesPerSecond: number;
}

/** Records of the size in question that the raw logs write with each sync. */
export const recordsPerRawSync = 64;

const flags = ['persistent', 'idle', 'raw', 'alone', 'streams'] as const;
const buildTimeoutMs = 900_000;
const overheadMs = 60_000;
/** Of what is put before anything is measured. */
const leastPutsPerSecond = 20_000;

/** Builds the program in the build folder that `npm run build` configured. */
export async function buildCoreBench(root: string): Promise<string> {
  const folder = join(root, 'build', 'native');
  if (!existsSync(join(folder, 'CMakeCache.txt'))) {
    throw new Error('build/native is not configured: run `npm test` once, which builds it');
  }
  const options = { timeoutMs: buildTimeoutMs, cwd: root };
  await runToEnd('cmake', ['--build', folder, '--target', 'core_bench', '-j', '2'], options);
  return join(folder, 'bench', 'core_bench');
}

export async function runCoreBench(
  program: string,
  folder: string,
  options: CoreBenchOptions,
): Promise<CoreBenchResult> {
  const { size, senders, window, seconds } = options;
  const { members = 3, keys = 1000, pools = 1, shards = 1 } = options;
  const { history = 4, versions = 0, memory = 1, ring = 4 << 20 } = options;
  const { puts = 0, warm = 0 } = options;
  const load = { members, size, senders, window, seconds, keys, puts, warm };
  const numbers = { ...load, pools, shards, history, versions, memory, ring };
  const args = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // Members that begin: a log that an earlier run left belongs to others.
  const data = await mkdtemp(join(folder, 'core-'));
  if (options.loader !== undefined) args.push('--loader', String(options.loader));
  if (options.persistent === true) args.push('--folder', data);
  for (const flag of flags) if (options[flag] === true) args.push(`--${flag}`);
  const timeoutMs = seconds * 1000 + (versions / leastPutsPerSecond) * 1000 + overheadMs;
  try {
    return JSON.parse(await runToEnd(program, args, { timeoutMs })) as CoreBenchResult;
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}
