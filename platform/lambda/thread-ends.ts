import type { Worker } from 'node:worker_threads';
import type { Clock, Logger } from '../base/mod.ts';
import type { NativeGate } from './native-gate.ts';

/** A lambda's thread and the gate that its native calls pass. */
export interface LambdaThread {
  readonly worker: Worker;
  readonly gate: NativeGate;
}

export interface ThreadEndLimits {
  /** How long a thread may go on in a native call before that is logged. */
  readonly nativeWarnMs: number;
  /** How long it is waited for before it is left behind. */
  readonly nativeTimeoutMs: number;
}

export interface ThreadEndsOptions {
  readonly lambda: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: ThreadEndLimits;
}

/** First and longest time between two looks at a thread that is inside a native call. */
const lookMs = [5, 100] as const;

/**
 * Purpose: ends the threads of one lambda's worker, each as soon as it is outside native calls.
 * Thread: the event loop's.
 * Invariants
 *  1. A thread inside a native call is not ended, however long it stays there: a thread too many is
 *     better than a dead member.
 *  2. One that is left behind is still looked at, and ended should it ever come back.
 */
export class ThreadEnds {
  readonly #options: ThreadEndsOptions;
  readonly #underWay = new Set<Promise<void>>();
  #leftBehind = 0;

  constructor(options: ThreadEndsOptions) {
    this.#options = options;
  }

  /** Threads that never came back from a native call so far. */
  get leftBehind(): number {
    return this.#leftBehind;
  }

  /** Lets no native call begin; resolves when the thread is over or left behind. Never rejects. */
  async end({ worker, gate }: LambdaThread): Promise<void> {
    gate.close();
    const ending = gate.isInside ? this.#endLater(worker, gate) : terminate(worker);
    this.#underWay.add(ending);
    await ending;
    this.#underWay.delete(ending);
  }

  /** Resolves when no thread is left that `end` still waits for. */
  async settle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #endLater(worker: Worker, gate: NativeGate): Promise<void> {
    const { clock, limits, log, lambda } = this.#options;
    const cancel = clock.after(limits.nativeWarnMs, () => {
      log.warn({ lambda }, 'a worker to be ended is still inside a native call');
    });
    const isOutside = await this.#waitOutside(gate, limits.nativeTimeoutMs);
    cancel();
    if (isOutside) return terminate(worker);
    this.#leftBehind++;
    log.error({ lambda, leftBehind: this.#leftBehind }, 'worker left behind inside a native call');
    void this.#waitOutside(gate, Infinity).then(async () => {
      this.#leftBehind--;
      await terminate(worker);
    });
  }

  /** False: it is inside still after `timeoutMs`. */
  async #waitOutside(gate: NativeGate, timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options;
    const until = clock.monotonicMs() + timeoutMs;
    const [first, longest] = lookMs;
    for (let wait: number = first; gate.isInside; wait = Math.min(longest, wait * 2)) {
      if (clock.monotonicMs() >= until) return false;
      await new Promise<void>((resolve) => clock.after(wait, resolve));
    }
    return true;
  }
}

async function terminate(worker: Worker): Promise<void> {
  await worker.terminate();
}
