import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { silentLogger } from '../../platform/base/mod.ts';
import {
  freePorts,
  type LocalCluster,
  type LocalClusterOptions,
  startLocalCluster,
} from '../../platform/local-cluster.ts';
import { memberEnvironment, type ProgramCluster, toCluster } from '../../platform/member/mod.ts';
import { type Member, startMember } from '../../platform/node.ts';
import { programFile } from './repository.ts';

const MiB = 1024 * 1024;
const startTimeoutMs = 60_000;

export interface TestClusterOptions {
  readonly members?: number;
  /** Members use folders below it. */
  readonly folder: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Members of one cluster, all in this process, over real sockets and disks. */
export class TestCluster {
  readonly #options: TestClusterOptions;
  readonly #ports: readonly number[];
  readonly #running = new Map<number, Member>();

  constructor(options: TestClusterOptions, ports: readonly number[]) {
    this.#options = options;
    this.#ports = ports;
  }

  get ids(): readonly number[] {
    return this.#ports.map((_, nth) => nth + 1);
  }

  /** A running member. */
  member(id: number): Member {
    const member = this.#running.get(id);
    if (member === undefined) {
      throw new Error(`Member ${String(id)} does not run`);
    }
    return member;
  }

  get members(): readonly Member[] {
    return [...this.#running.values()];
  }

  configOf(id: number): Record<string, unknown> {
    return {
      cluster: { name: 'test' },
      memory: { ringBudgetBytes: 24 * MiB },
      ...this.#options.config,
      node: id,
      members: this.#ports.map((port, nth) => ({ id: nth + 1, host: '127.0.0.1', port })),
      dataFolder: join(this.#options.folder, `member-${String(id)}`),
    };
  }

  async start(id: number): Promise<Member> {
    const member = await startMember(this.configOf(id), { log: silentLogger() });
    this.#running.set(id, member);
    return member;
  }

  async stop(id: number): Promise<void> {
    const member = this.member(id);
    this.#running.delete(id);
    await member.close();
  }

  async whenRunning(): Promise<void> {
    await Promise.all(this.members.map((member) => member.whenRunning(startTimeoutMs)));
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()));
    this.#running.clear();
  }
}

/** Starts all members in this process and waits until their shards run. */
export async function startTestCluster(options: TestClusterOptions): Promise<TestCluster> {
  const cluster = new TestCluster(options, await freePorts(options.members ?? 3));
  try {
    for (const id of cluster.ids) {
      await cluster.start(id);
    }
    await cluster.whenRunning();
  } catch (caught) {
    await cluster.close();
    throw caught;
  }
  return cluster;
}

/** Members as processes that can be killed; they answer the calls of cluster-member.ts. */
export async function startProcessCluster(
  folder: string,
  options: Partial<LocalClusterOptions> = {},
): Promise<LocalCluster> {
  const cluster = await startLocalCluster({
    dataFolder: folder,
    entry: entryOf('test/support/cluster-member.ts'),
    ...options,
    config: {
      memory: { ringBudgetBytes: 24 * MiB },
      logLevel: process.env['FRESHET_TEST_LOG'] ?? 'error',
      ...options.config,
    },
  });
  try {
    await cluster.whenRunning(startTimeoutMs);
  } catch (caught) {
    await cluster.close();
    throw caught;
  }
  return cluster;
}

function entryOf(file: string): URL {
  return pathToFileURL(programFile(file));
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

export function text(value: Uint8Array | null | undefined): string | null {
  return value === null || value === undefined ? null : Buffer.from(value).toString('utf8');
}

/** Members that run a program of `runLocalProgram`; `main` of that program is the test's. */
export async function startProgram<Calls>(
  folder: string,
  file: string,
  members = 3,
  config: Readonly<Record<string, unknown>> = {},
): Promise<{ cluster: LocalCluster; program: ProgramCluster<Calls> }> {
  const entry = entryOf(file);
  const env = memberEnvironment();
  const cluster = await startProcessCluster(folder, { entry, members, env, config });
  return { cluster, program: await toCluster<Calls>(cluster) };
}
