/**
 * A whole cluster on this machine: each member a process of its own, ended with its parent. For
 * `freshet dev`, demonstrations and tests of crashes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, errorFromObject, FreshetError, packageRoot, runsFromSources } from './base/mod.ts';

export interface LocalClusterOptions {
  /** Default 3. */
  readonly members?: number;
  /** Each member uses `<dataFolder>/member-<id>`. */
  readonly dataFolder: string;
  readonly host?: string;
  /** Where members run that have hosts of their own; with it `host` says nothing. */
  readonly places?: (node: number) => MemberPlace;
  /** Replication ports by member; default: free ones. */
  readonly ports?: readonly number[];
  /** Further settings of every member's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Compiled or TypeScript module that a member's process runs; default: a bare member. */
  readonly entry?: URL | string;
  /** Handed to the entry with the configuration. */
  readonly extra?: (node: number) => unknown;
  /** Environment of the members' processes. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  readonly startTimeoutMs?: number;
  /** A member that had started ended without being asked to; `how` is its signal or exit code. */
  readonly onLost?: (id: number, how: string) => void;
  /** Aborted while the members start: they are ended, and the start rejects CANCELLED. */
  readonly signal?: AbortSignal;
  /** Where members' own output goes. Default: standard error of this process. */
  readonly output?: 'inherit' | 'ignore';
}

/** A host of its own for a member: a network namespace, in all that uses it. */
export interface MemberPlace {
  readonly host: string;
  /** Before the command of its process; they give way to it (`nsenter --net=…`). */
  readonly words: readonly string[];
}

/** What a member's process says to its parent. */
export type MemberReport =
  | { readonly type: 'started'; readonly info: unknown }
  | { readonly type: 'running' }
  | { readonly type: 'failed'; readonly error: unknown }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly error: unknown;
      readonly value: unknown;
    };

export interface LocalMember {
  readonly id: number;
  readonly port: number;
  /** null: it does not run. */
  readonly process: ChildProcess | null;
  /** What the entry reported when it had started. */
  readonly info: unknown;
}

/** Ports are taken, members differ in nothing else: enough for one machine. */
const memoryOfMany = { ringBudgetBytes: 96 * 1024 * 1024 };
const defaultStartTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;

class RunningMember implements LocalMember {
  readonly id: number;
  readonly port: number;
  process: ChildProcess | null = null;
  info: unknown = null;
  #nextCall = 1;
  readonly #calls = new Map<number, (report: MemberReport | null) => void>();

  constructor(id: number, port: number) {
    this.id = id;
    this.port = port;
  }

  /** Asks the entry of the member's process something. */
  call(method: string, argument: unknown): Promise<unknown> {
    const child = this.process;
    if (child === null) {
      return Promise.reject(new FreshetError('UNREACHABLE', `Member ${String(this.id)} is down`));
    }
    const id = this.#nextCall++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, (report) => {
        this.#calls.delete(id);
        if (report === null) {
          reject(new FreshetError('UNREACHABLE', `Member ${String(this.id)} ended`));
        } else if (report.type === 'answer' && report.error === null) {
          resolve(report.value);
        } else {
          reject(errorFromObject(report.type === 'answer' ? report.error : null));
        }
      });
      child.send({ type: 'call', id, method, argument }, (failed) => {
        if (failed !== null) {
          this.#calls.get(id)?.(null);
        }
      });
    });
  }

  onReport(report: MemberReport): void {
    if (report.type === 'answer') {
      this.#calls.get(report.id)?.(report);
    }
  }

  onExit(): void {
    this.process = null;
    for (const settle of [...this.#calls.values()]) {
      settle(null);
    }
  }
}

export class LocalCluster {
  readonly #options: LocalClusterOptions;
  readonly #members: readonly RunningMember[];
  /** Processes that were told to end. */
  readonly #ending = new WeakSet<ChildProcess>();

  constructor(options: LocalClusterOptions, ports: readonly number[]) {
    this.#options = options;
    this.#members = ports.map((port, nth) => new RunningMember(nth + 1, port));
  }

  get members(): readonly LocalMember[] {
    return this.#members;
  }

  /** The configuration of a member, as its process gets it. */
  configOf(id: number): Record<string, unknown> {
    const { host = '127.0.0.1', places } = this.#options;
    return {
      cluster: { name: 'local' },
      memory: memoryOfMany,
      ...this.#options.config,
      node: id,
      members: this.#members.map((member) => {
        return { id: member.id, host: places?.(member.id).host ?? host, port: member.port };
      }),
      dataFolder: path.join(this.#options.dataFolder, `member-${String(id)}`),
    };
  }

  /** Starts a member that does not run; resolves once its process has. */
  async start(id: number): Promise<void> {
    const member = this.#member(id);
    check(member.process === null, 'a member runs once', { id });
    const child = spawnMember(this.#options, id);
    member.process = child;
    const started = new Promise<void>((resolve, reject) => {
      child.on('message', (report: MemberReport) => {
        member.onReport(report);
        if (report.type === 'started') {
          member.info = report.info;
          resolve();
        } else if (report.type === 'failed') {
          reject(errorFromObject(report.error));
        }
      });
      child.once('exit', (code, signal) => {
        member.onExit();
        const how = signal ?? `code ${String(code)}`;
        reject(new FreshetError('UNREACHABLE', `Member ${String(id)} ended with ${how}`));
      });
    });
    const extra = this.#options.extra?.(id) ?? null;
    child.send({ type: 'start', config: this.configOf(id), extra });
    await started;
    child.once('exit', (code, signal) => {
      const how = signal ?? `code ${String(code)}`;
      if (!this.#ending.has(child)) this.#options.onLost?.(id, how);
    });
  }

  /** Resolves once all members that were started have all their shards running. */
  async whenRunning(timeoutMs: number = defaultStartTimeoutMs): Promise<void> {
    const up = this.#members.filter((member) => member.process !== null);
    await Promise.all(up.map((member) => member.call('whenRunning', timeoutMs)));
  }

  /** Asks a member's process; what it knows is up to its entry. */
  call(id: number, method: string, argument: unknown = null): Promise<unknown> {
    return this.#member(id).call(method, argument);
  }

  /** Ends a member at once, without any chance to tidy up. */
  async kill(id: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#member(id).process;
    if (child !== null) {
      this.#ending.add(child);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      await gone;
    }
  }

  /** Asks all members to close, and ends those that do not. */
  async close(): Promise<void> {
    await Promise.all(
      this.#members.map(async ({ id, process: child }) => {
        if (child === null) {
          return;
        }
        const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
        await this.kill(id, 'SIGTERM');
        clearTimeout(timer);
      }),
    );
  }

  #member(id: number): RunningMember {
    const member = this.#members[id - 1];
    if (member === undefined) {
      throw new FreshetError('INVALID_ARGUMENT', `There is no member ${String(id)}`);
    }
    return member;
  }
}

/** Starts all members; their shards run soon after (`whenRunning`). */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const count = options.members ?? options.ports?.length ?? 3;
  const ports = options.ports ?? (await freePorts(count));
  const cluster = new LocalCluster(options, ports);
  try {
    const started = Promise.all(ports.map((_, nth) => cluster.start(nth + 1)));
    await unlessAborted(started, options.signal);
  } catch (caught) {
    await cluster.close();
    throw caught;
  }
  return cluster;
}

/** As `work`, but rejects CANCELLED as soon as `signal` is aborted. */
export async function unlessAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const cancel = () => {
      reject(new FreshetError('CANCELLED', 'It was interrupted'));
    };
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', cancel);
    });
  });
}

/** Below those that systems give to who asks for any: 32768 and more on Linux, else 49152. */
const firstPort = 16_384;
const endOfPorts = 32_768;
const triesPerPort = 100;

/**
 * Different TCP ports of 127.0.0.1 that were free a moment ago, and that no connection and no door
 * is given meanwhile.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenSomewhere));
  const ports = servers.map((server) => {
    const address = server.address();
    check(address !== null && typeof address === 'object', 'a listening server has a port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

async function listenSomewhere(): Promise<Server> {
  for (let left = triesPerPort; ; left--) {
    try {
      return await listenAt(left > 0 ? randomInt(firstPort, endOfPorts) : 0);
    } catch (caught) {
      if (left === 0) throw caught;
    }
  }
}

function listenAt(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => {
      resolve(server);
    });
  });
}

/** A program of this folder that runs a member as its parent runs: from sources, or compiled. */
export function memberEntry(name: string): string {
  const root = packageRoot();
  return runsFromSources
    ? path.join(root, 'platform', `${name}.ts`)
    : path.join(root, 'dist', 'platform', `${name}.js`);
}

function spawnMember(options: LocalClusterOptions, node: number): ChildProcess {
  const given = options.entry ?? memberEntry('local-member');
  const entry = given instanceof URL ? fileURLToPath(given) : given;
  const output = options.output ?? 'inherit';
  const loader = entry.endsWith('.ts') ? ['--import', 'tsx'] : [];
  const [program = process.execPath, ...words] = options.places?.(node).words ?? [];
  return fork(entry, [], {
    execPath: program,
    execArgv: program === process.execPath ? loader : [...words, process.execPath, ...loader],
    stdio: ['ignore', output === 'inherit' ? 2 : 'ignore', output, 'ipc'],
    serialization: 'advanced',
    ...(options.env === undefined ? {} : { env: options.env }),
  });
}
