import { check } from './invariant.ts';
import { type Micros, micros } from './units.ts';

/** Ends a timer; idempotent. Returns whether the timer was still to fire. */
export type CancelTimer = () => boolean;

/** Time as a constructor argument. Real ones are made in composition roots only. */
export interface Clock {
  /** Microseconds since 1970, going back in `readAgain` alone. */
  wallUs(): Micros;
  /** Milliseconds since some start, fractional, never going back. */
  monotonicMs(): number;
  /** How far the wall clock of the machine has moved away from `wallUs` since the start. */
  wallStepUs(): number;
  /** Goes on from what the machine's wall clock says now. */
  readAgain(): void;
  /** Calls `run` once, not before `delayMs` from now. Does not keep the process alive. */
  after(delayMs: number, run: () => void): CancelTimer;
}

/** What a system clock reads; given so that a stepped wall clock can be tested. */
export interface TimeSource {
  /** Milliseconds since 1970, may step. */
  readonly wallMs: () => number;
  /** Milliseconds, monotonic. */
  readonly monotonicMs: () => number;
}

/** The global is looked up anew wherever it is named. */
const { performance } = globalThis;

const machine: TimeSource = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/**
 * Reads the wall clock once and advances it by the monotonic clock: steps are seen, not followed.
 */
export class SystemClock implements Clock {
  readonly #source: TimeSource;
  #startWallMs: number;
  #startMonotonicMs: number;

  constructor(source: TimeSource = machine) {
    this.#source = source;
    this.#startWallMs = source.wallMs();
    this.#startMonotonicMs = source.monotonicMs();
  }

  wallUs(): Micros {
    const elapsedMs = this.#source.monotonicMs() - this.#startMonotonicMs;
    return micros(Math.floor((this.#startWallMs + elapsedMs) * 1000));
  }

  monotonicMs(): number {
    return this.#source.monotonicMs();
  }

  wallStepUs(): number {
    return Math.round(this.#source.wallMs() * 1000 - this.wallUs());
  }

  readAgain(): void {
    this.#startWallMs = this.#source.wallMs();
    this.#startMonotonicMs = this.#source.monotonicMs();
  }

  after(delayMs: number, run: () => void): CancelTimer {
    let waiting = true;
    const timer = setTimeout(() => {
      waiting = false;
      run();
    }, delayMs);
    // In a browser a timer is a number and never holds anything alive.
    if (typeof timer === 'object') {
      timer.unref();
    }
    return () => {
      const was = waiting;
      waiting = false;
      clearTimeout(timer);
      return was;
    };
  }
}

interface ManualTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until it is advanced; timers fire in order of their due time. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #orders = 0;
  readonly #startUs: number;
  readonly #timers = new Set<ManualTimer>();

  constructor(startUs = 1_700_000_000_000_000) {
    this.#startUs = micros(startUs);
  }

  wallUs(): Micros {
    return micros(this.#startUs + Math.floor(this.#nowMs * 1000));
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallStepUs(): number {
    return 0;
  }

  readAgain(): void {
    // There is no other clock behind it.
  }

  after(delayMs: number, run: () => void): CancelTimer {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const timer: ManualTimer = { dueMs, order: this.#orders++, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that are still to fire. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** Moves on by `ms`, running on the way every timer that falls due, those set meanwhile too. */
  advance(ms: number): void {
    check(ms >= 0, 'time moves forward', { ms });
    const endMs = this.#nowMs + ms;
    for (let next = this.#nextDue(endMs); next !== null; next = this.#nextDue(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = next.dueMs;
      next.run();
    }
    this.#nowMs = endMs;
  }

  #nextDue(endMs: number): ManualTimer | null {
    let best: ManualTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (best === null || isBefore(timer, best))) {
        best = timer;
      }
    }
    return best;
  }
}

function isBefore(a: ManualTimer, b: ManualTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
