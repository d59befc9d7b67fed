import { env } from 'node:process';
import { Worker } from 'node:worker_threads';
import {
  type Clock,
  errorFromObject,
  FreshetError,
  type Logger,
  toFreshetError,
} from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import { NativeGate } from './native-gate.ts';
import type { StartTurns } from './start-turns.ts';
import { type LambdaThread, type ThreadEndLimits, ThreadEnds } from './thread-ends.ts';
import { type SharedSource, WorkerCalls } from './worker-calls.ts';
import type {
  FromWorker,
  ThreadStart,
  ToWorker,
  WorkItem,
  WorkOutcome,
  WorkerStart,
} from './worker-protocol.ts';

export interface WorkerLimits extends ThreadEndLimits {
  readonly heapMegabytes: number;
  /** Buffers and native memory; the thread is replaced after a batch that leaves it above this. */
  readonly offHeapBytes: number;
  readonly startTimeoutMs: number;
  /** How long a thread may take to end by itself before it is ended. */
  readonly stopTimeoutMs: number;
  /** First and longest wait before a broken thread is started again. */
  readonly restartBackoffMs: readonly [number, number];
}

export const workerLimits: WorkerLimits = {
  heapMegabytes: 256,
  offHeapBytes: 1024 * 1024 * 1024,
  startTimeoutMs: 120_000,
  stopTimeoutMs: 3000,
  nativeWarnMs: 5000,
  nativeTimeoutMs: 60_000,
  restartBackoffMs: [100, 10_000],
};

export interface WorkerHostOptions {
  readonly start: WorkerStart;
  /** JavaScript file of worker-main. */
  readonly entry: string;
  readonly door: Door;
  readonly source: SharedSource;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: WorkerLimits;
  readonly turns: StartTurns;
  /** Whether events wait for this worker: it begins before those that nothing waits for. */
  readonly isWanted: () => boolean;
  /** A thread is ready, or was lost: ask `isIdle` again. */
  readonly onChange: () => void;
  /** ms since the Unix epoch at which a run that is over took its first line. */
  readonly onBegan: (at: number, items: readonly WorkItem[]) => void;
}

interface Running {
  readonly id: number;
  readonly items: readonly WorkItem[];
  readonly resolve: (outcomes: readonly WorkOutcome[]) => void;
  readonly reject: (error: FreshetError) => void;
  readonly timer: NodeJS.Timeout;
}

type State = 'starting' | 'idle' | 'running' | 'waiting' | 'stopped';

/**
 * Purpose: one worker thread of one lambda, started again whenever it breaks.
 * Thread: the event loop's.
 * Invariants
 *  1. At most one batch runs in a thread.
 *  2. Every `run` settles: with outcomes, with what the lambda threw, with LAMBDA_TIMEOUT when its
 *  time
 *     is over (the thread is ended then), or with LAMBDA_FAILED when the thread died under it.
 *  3. Every thread is ended by ThreadEnds alone, as ending one inside a native call (inference,
 *     say) would end the process. Its successor does not wait for that.
 */
export class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #ends: ThreadEnds;
  #state: State = 'starting';
  #thread: LambdaThread | null = null;
  #running: Running | null = null;
  #timer: NodeJS.Timeout | null = null;
  #endTurn: (() => void) | null = null;
  #failures = 0;
  #nextId = 1;
  #restarts = 0;
  #lastError: FreshetError | null = null;

  constructor(options: WorkerHostOptions) {
    this.#options = options;
    const { start, clock, log, limits } = options;
    this.#ends = new ThreadEnds({ lambda: start.lambda, clock, log, limits });
    this.#spawn();
  }

  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Threads to be ended that never came back from a native call. */
  get leftBehind(): number {
    return this.#ends.leftBehind;
  }

  /** Why the thread is not there; null while it is. */
  get lastError(): FreshetError | null {
    return this.#lastError;
  }

  async run(
    items: readonly WorkItem[],
    place: { readonly rank: number; readonly shardSize: number },
    timeoutMs: number,
  ): Promise<readonly WorkOutcome[]> {
    const thread = this.#thread;
    if (this.#state !== 'idle' || thread === null) {
      throw new FreshetError(
        'LAMBDA_FAILED',
        `The worker of '${this.#options.start.lambda}' is not ready`,
      );
    }
    const id = this.#nextId++;
    this.#state = 'running';
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#onTimeout(timeoutMs);
      }, timeoutMs);
      this.#running = { id, items, resolve, reject, timer };
      thread.worker.postMessage({ type: 'run', id, items, ...place } satisfies ToWorker);
    });
  }

  /**
   * Ends the thread, and waits for those that are being ended; a batch under way is rejected.
   * Idempotent.
   */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#endTurn?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
    const thread = this.#thread;
    this.#thread = null;
    this.#settle((running) => {
      running.reject(new FreshetError('CLOSED', 'The member stops'));
    });
    if (thread !== null) await this.#endGently(thread);
    await this.#ends.settle();
  }

  /** The lambda is asked first, so that it can tear down; it is ended when it does not answer. */
  async #endGently(thread: LambdaThread): Promise<void> {
    const { worker } = thread;
    worker.postMessage({ type: 'abort' } satisfies ToWorker);
    worker.postMessage({ type: 'stop' } satisfies ToWorker);
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(this.#options.limits.stopTimeoutMs, resolve);
      worker.once('exit', () => {
        cancel();
        resolve();
      });
    });
    await this.#ends.end(thread);
  }

  #spawn(): void {
    const { turns, isWanted } = this.#options;
    this.#state = 'starting';
    this.#endTurn = turns.take(() => {
      this.#begin();
    }, isWanted);
  }

  #begin(): void {
    const { start, entry, limits, door, source } = this.#options;
    // A released onnxruntime (1.29 on) reports the models it loads to its vendor and keeps an
    // identifier of the machine in the home folder, unless this stands in the environment of the
    // process before the first session. A member tells nobody what runs on it; whoever wants to
    // report sets 0.
    env['ORT_DISABLE_TELEMETRY'] ??= '1';
    const gate = new NativeGate();
    const worker = new Worker(entry, {
      workerData: { ...start, gate: gate.shared } satisfies ThreadStart,
      name: start.lambda,
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMegabytes },
    });
    const thread: LambdaThread = { worker, gate };
    const calls = new WorkerCalls(door, source, (answer) => {
      worker.postMessage(answer);
    });
    this.#thread = thread;
    this.#timer = setTimeout(() => {
      const text = `The lambda '${start.lambda}' was not ready within ${String(limits.startTimeoutMs)} ms`;
      this.#onLost(thread, new FreshetError('LAMBDA_TIMEOUT', text));
    }, limits.startTimeoutMs);
    worker.on('message', (message: FromWorker) => {
      if (thread === this.#thread) this.#onMessage(thread, message, calls);
    });
    worker.on('error', (error) => {
      this.#onLost(thread, toFreshetError(error, 'LAMBDA_FAILED'));
    });
    worker.on('exit', (code) => {
      gate.markGone();
      const text = `The worker of '${start.lambda}' ended by itself with code ${String(code)}`;
      this.#onLost(thread, new FreshetError('LAMBDA_FAILED', text));
    });
  }

  #onMessage(thread: LambdaThread, message: FromWorker, calls: WorkerCalls): void {
    switch (message.type) {
      case 'ready':
        this.#onReady();
        return;
      case 'broken':
        this.#onLost(thread, errorFromObject(message.error));
        return;
      case 'done':
        this.#onDone(thread, message);
        return;
      case 'threw':
        this.#tellBegan(message.beganAt);
        this.#failures = 0;
        this.#settle((running) => {
          running.reject(errorFromObject(message.error));
        });
        return;
      case 'call':
        void calls.answer(message);
        return;
      case 'took':
        calls.onTook(message.id);
        return;
      case 'log':
        this.#options.log[message.level](
          { ...message.fields, lambda: this.#options.start.lambda },
          message.message,
        );
    }
  }

  #tellBegan(at: number): void {
    this.#options.onBegan(at, this.#running?.items ?? []);
  }

  #onReady(): void {
    this.#endTurn?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#state = 'idle';
    this.#lastError = null;
    this.#options.onChange();
  }

  #onDone(
    thread: LambdaThread,
    { id, beganAt, outcomes, offHeapBytes }: Extract<FromWorker, { type: 'done' }>,
  ): void {
    if (this.#running?.id !== id) return;
    this.#tellBegan(beganAt);
    this.#failures = 0;
    if (offHeapBytes > this.#options.limits.offHeapBytes) {
      const text = `The worker of '${this.#options.start.lambda}' held ${String(offHeapBytes)} bytes outside its heap`;
      this.#settle((running) => {
        running.resolve(outcomes);
      });
      this.#onLost(thread, new FreshetError('LAMBDA_FAILED', text));
      return;
    }
    this.#settle((running) => {
      running.resolve(outcomes);
    });
  }

  #onTimeout(timeoutMs: number): void {
    const thread = this.#thread;
    if (thread === null) return;
    const text = `The lambda '${this.#options.start.lambda}' did not end within ${String(timeoutMs)} ms`;
    this.#onLost(thread, new FreshetError('LAMBDA_TIMEOUT', text));
  }

  /** The thread is gone or is to go: settle its batch, start another after a while. */
  #onLost(thread: LambdaThread, error: FreshetError): void {
    if (thread !== this.#thread) return;
    this.#thread = null;
    this.#endTurn?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
    void this.#ends.end(thread);
    this.#lastError = error;
    this.#restarts++;
    this.#options.log.warn(
      { lambda: this.#options.start.lambda, error: error.toJSON() },
      'worker lost',
    );
    this.#state = 'waiting';
    this.#settle((running) => {
      running.reject(error);
    });
    const [first, longest] = this.#options.limits.restartBackoffMs;
    const wait = Math.min(longest, first * 2 ** Math.min(this.#failures++, 16));
    this.#timer = setTimeout(() => {
      this.#spawn();
    }, wait);
    this.#options.onChange();
  }

  #settle(how: (running: Running) => void): void {
    const running = this.#running;
    this.#running = null;
    if (this.#state === 'running') this.#state = 'idle';
    if (running === null) return;
    clearTimeout(running.timer);
    how(running);
    this.#options.onChange();
  }
}
