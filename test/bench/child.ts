/** Programs that a row runs beside itself, bounded in time and never left behind. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const outputCharsMax = 1_000_000;
const stopTimeoutMs = 10_000;

/** Runs a program to its end; rejects with its last words when it fails or takes too long. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  { timeoutMs, cwd }: { readonly timeoutMs: number; readonly cwd?: string },
): Promise<string> {
  const child = spawn(command, [...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      texts[stream] = (texts[stream] + text).slice(-outputCharsMax);
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  if (code === 0) return texts.stdout;
  const ending = code === null ? String(signal) : `code ${String(code)}`;
  const words = texts.stderr.trim().split('\n').slice(-8).join('\n');
  throw new Error(`${command} ended with ${ending}: ${words}`);
}

/** A program of ours that answers one message with one message, forked beside this process. */
export class Companion {
  readonly #child: ChildProcess;

  /** @param entry without extension, relative to `from`, an import.meta.url */
  constructor(entry: string, from: string) {
    const isSource = from.endsWith('.ts');
    const file = fileURLToPath(new URL(`${entry}.${isSource ? 'ts' : 'js'}`, from));
    this.#child = fork(file, [], {
      execArgv: isSource ? ['--import', 'tsx'] : [],
      stdio: ['ignore', 2, 2, 'ipc'],
      serialization: 'advanced',
    });
  }

  /** Rejects when the program ends instead, or says an error. */
  async ask(message: unknown, timeoutMs: number): Promise<unknown> {
    const answered = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`A companion gave no answer in ${String(timeoutMs)} ms`));
      }, timeoutMs);
      const onExit = (): void => {
        clearTimeout(timer);
        reject(new Error('A companion ended before it answered'));
      };
      this.#child.once('exit', onExit);
      this.#child.once('message', (answer: { value?: unknown; error?: string }) => {
        clearTimeout(timer);
        this.#child.off('exit', onExit);
        if (answer.error === undefined) resolve(answer.value);
        else reject(new Error(answer.error));
      });
    });
    this.#child.send(message as object);
    return answered;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs);
    await gone;
    clearTimeout(timer);
  }
}

/** The other side of a `Companion`: answers every message, ends with its parent. */
export function answerParent(answer: (message: unknown) => Promise<unknown>): void {
  process.on('message', (message) => {
    answer(message).then(
      (value) => process.send?.({ value }),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}
