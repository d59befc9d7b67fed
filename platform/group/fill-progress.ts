import type { CancelTimer, Clock } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { Attempt } from './group-messages.ts';

/** Says that it gets on until this work has ended: work that waits for no other member. */
export type WhileLocal = <Result>(work: Promise<Result>) => Promise<Result>;

/** Tells whoever asked for it that filling goes on, now and then and at each step of it. */
export class FillProgress {
  readonly #clock: Clock;
  readonly #tell: (attempt: Attempt) => void;
  #toldMs = -Infinity;

  constructor(clock: Clock, tell: (attempt: Attempt) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  during(attempt: Attempt): WhileLocal {
    return async (work) => {
      let cancel: CancelTimer | null = null;
      const tick = (): void => {
        this.#say(attempt);
        cancel = this.#clock.after(groupLimits.fillNoticeMs, tick);
      };
      tick();
      try {
        return await work;
      } finally {
        (cancel as CancelTimer | null)?.();
      }
    };
  }

  #say(attempt: Attempt): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#toldMs >= groupLimits.fillNoticeMs) {
      this.#toldMs = now;
      this.#tell(attempt);
    }
  }
}
