import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** How a program ended. */
export interface Ending {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to the environment; null takes a variable away. */
  readonly env?: Readonly<Record<string, string | null>>;
  readonly input?: string | Uint8Array;
  /** Who kills it: the end of the running test, or the caller by `kill`. */
  readonly lifetime?: 'test' | 'caller';
}

const outputCharsMax = 4_000_000;
const living = new Set<ChildProcess>();

process.once('exit', () => {
  living.forEach(killGroup);
});

/**
 * Starts a program in a process group of its own. It never outlives the test, its file or the test
 * process: the whole group is killed.
 */
export function spawnProgram(
  command: string,
  args: readonly string[] = [],
  options: ProgramOptions = {},
): Program {
  const program = new Program(command, args, options);
  if (options.lifetime !== 'caller') {
    onTestFinished(() => program.kill());
  }
  return program;
}

/** Starts a program and waits for its end. */
export async function runProgram(
  command: string,
  args: readonly string[] = [],
  options: ProgramOptions = {},
): Promise<Ending> {
  return spawnProgram(command, args, options).ended;
}

export class Program {
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lines = { stdout: [] as string[], stderr: [] as string[] };
  readonly #watchers = new Set<() => void>();
  #isOver = false;

  constructor(command: string, args: readonly string[], options: ProgramOptions) {
    this.#name = [command, ...args].join(' ');
    this.#child = spawn(command, [...args], {
      cwd: options.cwd,
      env: environment(options.env ?? {}),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    living.add(this.#child);
    const texts = { stdout: this.#collect('stdout'), stderr: this.#collect('stderr') };
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#isOver = true;
        living.delete(this.#child);
        this.#tell();
        resolve({ code, signal, stdout: texts.stdout(), stderr: texts.stderr() });
      });
    });
    // Whoever does not wait for the end must not be told of it as an unhandled rejection.
    this.ended.catch(() => undefined);
    // A program may close its input before all is written.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdin?.end(options.input);
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new Error(`${this.#name} was not started`);
    }
    return pid;
  }

  /** Lines so far. */
  lines(stream: 'stdout' | 'stderr'): readonly string[] {
    return this.#lines[stream];
  }

  /**
   * The first line that matches; rejects, with the last lines, when the program ends without it.
   */
  async waitForLine(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
    for (;;) {
      const found = this.#lines[stream].find((line) => pattern.test(line));
      if (found !== undefined) {
        return found;
      }
      if (this.#isOver) {
        const last = [...this.#lines.stdout.slice(-20), ...this.#lines.stderr.slice(-20)];
        throw new Error(`${this.#name} ended without ${String(pattern)}:\n${last.join('\n')}`);
      }
      await new Promise<void>((resolve) => {
        this.#watchers.add(resolve);
      });
    }
  }

  /** Sends a signal to the program alone, not to its children. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills the program and all its children, and waits for its end. */
  async kill(): Promise<void> {
    killGroup(this.#child);
    await this.ended.catch(() => undefined);
  }

  #collect(stream: 'stdout' | 'stderr'): () => string {
    const source = this.#child[stream];
    if (source === null) {
      throw new Error(`${this.#name} has no ${stream}`);
    }
    let text = '';
    source.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-outputCharsMax);
    });
    createInterface({ input: source, crlfDelay: Infinity }).on('line', (line) => {
      this.#lines[stream].push(line);
      this.#tell();
    });
    return () => text;
  }

  #tell(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const resolve of watchers) {
      resolve();
    }
  }
}

function environment(changes: Readonly<Record<string, string | null>>): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) {
      Reflect.deleteProperty(env, name);
    } else {
      env[name] = value;
    }
  }
  return env;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) {
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}
