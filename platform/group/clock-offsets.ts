/**
 * How far the clocks of other members are from this one's, as a call to and fro shows: their time at
 * some moment between two of mine, so always a range.
 *
 * Thread: event loop.
 * Invariants
 *  1. A clock is off only if the whole range is: a slow answer accuses nobody.
 *  2. What was measured is moved along whenever this member's own clock is.
 */
import type { Hello } from './group-messages.ts';

/** Another member's clock is so far ahead of mine, µs; negative: behind. */
export interface ClockOffset {
  readonly leastUs: number;
  readonly mostUs: number;
}

export type ToldClock = Hello['clocks'][number];

/** What is told of a clock that is off changes in steps, so that not every measurement is news. */
const stepMs = 100;

export class ClockOffsets {
  readonly #maxSkewUs: number;
  readonly #offsets = new Map<number, ClockOffset>();
  #told: readonly ToldClock[] = [];
  /** My machine's clock is so far ahead of what I go by. */
  #stepUs = 0;

  constructor(maxSkewMs: number) {
    this.#maxSkewUs = maxSkewMs * 1000;
  }

  get maxSkewMs(): number {
    return this.#maxSkewUs / 1000;
  }

  /** For hellos: the members that were compared with; `aheadMs` 0: near enough. */
  get told(): readonly ToldClock[] {
    return this.#told;
  }

  /** Middle of what was measured; null: not yet. */
  aheadUs(node: number): number | null {
    const offset = this.#offsets.get(node);
    return offset === undefined ? null : Math.round((offset.leastUs + offset.mostUs) / 2);
  }

  /** True: what is told is another. */
  note(node: number, offset: ClockOffset, stepUs: number): boolean {
    this.#offsets.set(node, offset);
    this.#stepUs = stepUs;
    return this.#tell();
  }

  forget(node: number): void {
    this.#offsets.delete(node);
    this.#tell();
  }

  /** My clock goes on from `byUs` later. True: what is told is another. */
  shift(byUs: number): boolean {
    for (const [node, { leastUs, mostUs }] of this.#offsets) {
      this.#offsets.set(node, { leastUs: leastUs - byUs, mostUs: mostUs - byUs });
    }
    this.#stepUs -= byUs;
    return this.#tell();
  }

  /**
   * How far my clock is further ahead than it may be of the others of a view, µs; negative: so far
   * it is from that; null: too few were compared with. It is held to the middle of all clocks, to
   * the lower one of two, so that no member by itself takes the time of all with it.
   */
  excessUs(members: readonly number[], me: number): number | null {
    const others = members.flatMap((node) => (node === me ? [] : (this.#offsets.get(node) ?? [])));
    if (others.length === 0 || 2 * (others.length + 1) <= members.length) return null;
    const clocks = [0, ...others.map(({ mostUs }) => mostUs)].sort((a, b) => a - b);
    const middle = clocks[Math.floor((clocks.length - 1) / 2)] as number;
    return -middle - this.#maxSkewUs;
  }

  #tell(): boolean {
    const before = JSON.stringify(this.#told);
    this.#told = [...this.#offsets].map(([node, offset]) => ({
      node,
      aheadMs: this.#offMs(offset),
    }));
    return JSON.stringify(this.#told) !== before;
  }

  /**
   * A machine's clock may have been set since its member started, which goes on as before: who comes
   * with the time as it is now is not wrong.
   */
  #offMs({ leastUs, mostUs }: ClockOffset): number {
    const ways = [0, this.#stepUs].map((by) => nearest(leastUs - by, mostUs - by));
    const us = ways.reduce((best, way) => (Math.abs(way) < Math.abs(best) ? way : best));
    if (Math.abs(us) <= this.#maxSkewUs) return 0;
    const steps = Math.max(1, Math.round(Math.abs(us) / 1000 / stepMs));
    return Math.sign(us) * steps * stepMs;
  }
}

/** To zero, of a range. */
function nearest(least: number, most: number): number {
  if (least > 0) return least;
  return most < 0 ? most : 0;
}
