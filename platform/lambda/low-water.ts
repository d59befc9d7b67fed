import { check } from '../base/mod.ts';

/**
 * Purpose: up to which version everything of one shard is done, when work ends out of order.
 * Thread: the event loop's.
 * Invariants
 *  1. `done` never goes back; every version up to it was either not for us or is finished.
 *  2. It holds as many entries as there are versions under way, no more.
 */
export class LowWater {
  #done: number;
  #seen: number;
  readonly #underWay = new Set<number>();

  /** Everything up to `done` counts as finished. */
  constructor(done: number) {
    this.#done = done;
    this.#seen = done;
  }

  get done(): number {
    return this.#done;
  }

  /** The highest version that was looked at. */
  get seen(): number {
    return this.#seen;
  }

  /** A version that has to be worked on. In version order. */
  begin(version: number): void {
    check(version > this.#seen, 'versions begin in order', { version, seen: this.#seen });
    this.#underWay.add(version);
    this.pass(version);
  }

  /** Everything up to `version` was looked at; what was not begun is not for us. */
  pass(version: number): void {
    this.#seen = Math.max(this.#seen, version);
    this.#advance();
  }

  finish(version: number): void {
    check(this.#underWay.delete(version), 'a finished version was under way', { version });
    this.#advance();
  }

  #advance(): void {
    // Sets keep the order of insertion, so the first is the lowest under way.
    const lowest = this.#underWay.values().next();
    this.#done = lowest.done === true ? this.#seen : lowest.value - 1;
  }
}
