import type { CancelTimer, Clock } from '../base/mod.ts';

interface Turn {
  readonly begin: () => void;
  readonly isUrgent: () => boolean;
}

/** How long a thread that is not ready yet holds up the others. */
const turnMs = 1000;

/**
 * Purpose: lets the threads of a member's lambdas begin one after another, those first that have
 * something to do: all at once they would take the processor from the ones that a first event
 * waits for.
 * Thread: the event loop's.
 * Invariants
 *  1. Every turn asked for is given, unless it is ended before.
 *  2. No turn lasts longer than `turnMs`.
 */
export class StartTurns {
  readonly #clock: Clock;
  readonly #waiting: Turn[] = [];
  #current: Turn | null = null;
  #cancel: CancelTimer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `begin` when it is this one's turn, before returning if that is now. Returns what ends
   * the turn, or gives it up if it has not come: to be called when the thread is ready, or gone.
   *
   * @param isUrgent asked whenever a turn is to be given: whether work waits for the thread
   */
  take(begin: () => void, isUrgent: () => boolean): () => void {
    const turn: Turn = { begin, isUrgent };
    this.#waiting.push(turn);
    this.#give();
    return () => {
      this.#end(turn);
    };
  }

  #give(): void {
    if (this.#current !== null) return;
    const urgent = this.#waiting.findIndex(({ isUrgent }) => isUrgent());
    const [next] = this.#waiting.splice(Math.max(urgent, 0), 1);
    if (next === undefined) return;
    this.#current = next;
    this.#cancel = this.#clock.after(turnMs, () => {
      this.#end(next);
    });
    next.begin();
  }

  #end(turn: Turn): void {
    if (this.#current === turn) {
      this.#cancel?.();
      this.#current = null;
      this.#give();
      return;
    }
    const place = this.#waiting.indexOf(turn);
    if (place !== -1) this.#waiting.splice(place, 1);
  }
}
