import { check } from '../base/mod.ts';

/**
 * Purpose: up to which version everything of one shard is done, when work ends out of order.
 * Thread: the event loop's.
 * Invariants
 *  1. Every version up to `done` was either not for us or is finished; it goes back only when
 *     versions are to be looked at again.
 *  2. It holds as many entries as there are versions under way, no more.
 */
export class LowWater {
  #done: number;
  #seen: number;
  readonly #underWay = new Set<number>();
  /** Under way since before versions were to be looked at again; ascending. */
  #kept = new Set<number>();

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

  isUnderWay(version: number): boolean {
    return this.#underWay.has(version) || this.#kept.has(version);
  }

  /** What comes after `version` is looked at again; what is under way stays so. */
  lookAgain(version: number): void {
    const all = [...this.#kept, ...this.#underWay].sort((a, b) => a - b);
    this.#kept = new Set(all);
    this.#underWay.clear();
    this.#seen = version;
    this.#advance();
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
    const wasUnderWay = this.#underWay.delete(version) || this.#kept.delete(version);
    check(wasUnderWay, 'a finished version was under way', { version });
    this.#advance();
  }

  #advance(): void {
    // Sets keep the order of insertion, so the first is the lowest under way.
    const [began = Infinity] = this.#underWay;
    const [kept = Infinity] = this.#kept;
    this.#done = Math.min(this.#seen, began - 1, kept - 1);
  }
}
