/** A member at a host of the network: a process that can be killed, stopped and asked. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { errorFromObject } from '../../platform/base/mod.ts';
import type { MemberReport } from '../../platform/local-cluster.ts';

type Answer = Extract<MemberReport, { readonly type: 'answer' }>;
type Message = MemberReport | { readonly type: 'stalls' };

export class HostedMember {
  readonly id: number;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, (answer: Answer | null) => void>();
  readonly #ended: Promise<unknown>;
  #next = 1;
  #isStopped = false;
  #onStall: (() => void) | null = null;

  private constructor(id: number, child: ChildProcess) {
    this.id = id;
    this.#child = child;
    this.#ended = once(child, 'exit');
    child.on('message', (message: Message) => {
      if (message.type === 'answer') this.#calls.get(message.id)?.(message);
      if (message.type === 'stalls') this.#onStall?.();
    });
    child.once('exit', () => {
      for (const answer of [...this.#calls.values()]) answer(null);
    });
  }

  /** `words` come before the command; resolves once the process says that it has started. */
  static async start(
    id: number,
    words: readonly string[],
    order: { readonly config: unknown; readonly extra: unknown },
  ): Promise<HostedMember> {
    const entry = memberEntry();
    const node = [process.execPath, ...(entry.endsWith('.ts') ? ['--import', 'tsx'] : []), entry];
    const [command = '', ...args] = [...words, ...node];
    const child = spawn(command, args, {
      stdio: ['ignore', 2, 2, 'ipc'],
      serialization: 'advanced',
    });
    const member = new HostedMember(id, child);
    const started = new Promise<void>((resolve, reject) => {
      child.on('message', (message: Message) => {
        if (message.type === 'started') resolve();
        if (message.type === 'failed') reject(errorFromObject(message.error));
      });
      child.once('exit', (code, signal) => {
        reject(new Error(`Member ${String(id)} ended with ${signal ?? String(code)}`));
      });
    });
    child.send({ type: 'start', ...order });
    await started;
    return member;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Stopped by a signal: it says nothing until it goes on. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
    this.#isStopped = signal === 'SIGSTOP';
  }

  /** Ends it without any chance to tidy up. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async call<Result>(method: string, argument: unknown = null): Promise<Result> {
    const id = this.#next++;
    const answer = await new Promise<Answer | null>((resolve) => {
      this.#calls.set(id, resolve);
      if (!this.isRunning) resolve(null);
      else this.#child.send({ type: 'call', id, method, argument }, () => undefined);
    });
    this.#calls.delete(id);
    if (answer === null) throw new Error(`Member ${String(this.id)} ended`);
    if (answer.error !== null) throw errorFromObject(answer.error);
    return answer.value as Result;
  }

  /** Resolves when its event loop is about to stand still for a `stall` that was called. */
  async whenStalling(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onStall = resolve;
    });
  }
}

function memberEntry(): string {
  const isSource = import.meta.url.endsWith('.ts');
  return fileURLToPath(new URL(`./member/main.${isSource ? 'ts' : 'js'}`, import.meta.url));
}
