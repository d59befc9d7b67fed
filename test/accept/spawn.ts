/** Programs that a check runs: bounded in time, in a group of their own, all of which ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Ending {
  /** null: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

export interface SpawnOptions {
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

const outputCharsMax = 4_000_000;
const lookMs = 20;
const living = new Set<Started>();

// However this process ends, nothing that a check started outlives it.
process.once('exit', () => {
  for (const started of living) started.killGroup();
});

/** A started program whose output can be waited for. */
export class Started {
  readonly #child: ChildProcess;
  readonly #timer: NodeJS.Timeout;
  readonly #begin = performance.now();
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';

  constructor(command: string, args: readonly string[], options: SpawnOptions) {
    const { cwd, timeoutMs, env, input } = options;
    this.#child = spawn(command, [...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdin?.end(input ?? '');
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = (this.stdout + text).slice(-outputCharsMax);
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-outputCharsMax);
    });
    living.add(this);
    this.#timer = setTimeout(() => {
      this.killGroup();
    }, timeoutMs);
    this.ended = this.#wait();
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** To the program alone, as `kill` does; `group` as a terminal's Ctrl-C does. */
  signal(signal: NodeJS.Signals, to: 'program' | 'group' = 'program'): void {
    if (to === 'program') this.#child.kill(signal);
    else if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
  }

  killGroup(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // Nothing of the group is left.
    }
  }

  /** ms from the start until all output matches; rejects when it ends without, or is too late. */
  async whenSaid(pattern: RegExp, timeoutMs: number): Promise<number> {
    for (;;) {
      if (pattern.test(this.stdout + this.stderr)) return performance.now() - this.#begin;
      const isOver = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (isOver || performance.now() - this.#begin > timeoutMs) {
        const words = (this.stderr || this.stdout).trim().split('\n').slice(-4).join(' | ');
        const how = isOver ? 'ended' : 'did not come';
        throw new Error(`${how} without ${String(pattern)}: ${words}`);
      }
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  async #wait(): Promise<Ending> {
    const [code] = (await once(this.#child, 'close')) as [number | null];
    clearTimeout(this.#timer);
    living.delete(this);
    const { stdout, stderr } = this;
    return { code, stdout, stderr, elapsedMs: performance.now() - this.#begin };
  }
}

/** Runs a program to its end or its time limit. */
export function spawnBounded(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<Ending> {
  return new Started(command, args, options).ended;
}
