import { check } from '../base/mod.ts';

/** Something that waits to be run. */
export interface QueuedItem {
  /** Items of one order key run one after another, in the order they came. */
  readonly orderKey: string;
  /** Runs in a batch of its own: a batch with it has failed, and which item it was is not known. */
  readonly isAlone: boolean;
}

export interface KeyQueueOptions {
  /** Items that may wait; those in flight do not count. */
  readonly sizeMax: number;
  /** Items of one batch. */
  readonly batchMax: number;
  /** How long the oldest item may wait for the batch to fill. */
  readonly delayMs: number;
}

interface Lane<T> {
  readonly orderKey: string;
  readonly items: { readonly item: T; readonly since: number }[];
  inFlight: number;
  /** A failed run is tried again no earlier; the lane waits, so that its order holds. */
  notBefore: number;
}

/** A taken batch; give it back with `finish` or `retry`. */
export interface Batch<T> {
  readonly items: readonly T[];
}

/**
 * Purpose: decides which waiting items run next, keeping the order within each key.
 * Thread: the event loop's. Pure: time is an argument.
 * Invariants
 *  1. At most one batch holds items of a key at any time.
 *  2. Items of a key leave in the order they came; a retried item before all after it.
 *  3. `waiting` never exceeds `sizeMax`, but by items that come back for a retry or were put in by
 *     `add`.
 */
export class KeyQueue<T extends QueuedItem> {
  readonly #options: KeyQueueOptions;
  readonly #lanes = new Map<string, Lane<T>>();
  /** Lanes with waiting items, none in flight, oldest first. */
  readonly #ready = new Set<Lane<T>>();
  #waiting = 0;
  #inFlight = 0;

  constructor(options: KeyQueueOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get isFull(): boolean {
    return this.#waiting >= this.#options.sizeMax;
  }

  /** False: full, nothing was taken. */
  push(item: T, now: number): boolean {
    if (this.isFull) return false;
    this.add(item, now);
    return true;
  }

  /** As `push`, for what may not be refused. */
  add(item: T, now: number): void {
    let lane = this.#lanes.get(item.orderKey);
    if (lane === undefined) {
      lane = { orderKey: item.orderKey, items: [], inFlight: 0, notBefore: 0 };
      this.#lanes.set(item.orderKey, lane);
    }
    lane.items.push({ item, since: now });
    this.#waiting++;
    if (lane.inFlight === 0) this.#ready.add(lane);
  }

  /** Takes out everything that waits, in the order of every key; what is in flight stays. */
  clear(): readonly T[] {
    const items = [...this.#lanes.values()].flatMap((lane) =>
      lane.items.splice(0).map(({ item }) => item),
    );
    for (const [orderKey, { inFlight }] of this.#lanes) {
      if (inFlight === 0) this.#lanes.delete(orderKey);
    }
    this.#ready.clear();
    this.#waiting = 0;
    return items;
  }

  /** The next batch, or null: nothing may run now. See `nextWake` for when to ask again. */
  take(now: number): Batch<T> | null {
    if (this.#ready.size === 0 || this.#isFilling(now)) return null;
    const items: T[] = [];
    for (const lane of this.#ready) {
      if (lane.notBefore > now) continue;
      this.#takeFrom(lane, items);
      if (items.length === this.#options.batchMax || items[0]?.isAlone === true) break;
    }
    this.#waiting -= items.length;
    this.#inFlight += items.length;
    return items.length === 0 ? null : { items };
  }

  /** When `take` may give something that it does not give now; null: only after push or finish. */
  nextWake(now: number): number | null {
    let wake: number | null = null;
    for (const lane of this.#ready) {
      const oldest = lane.items[0];
      if (oldest === undefined) continue;
      const due = Math.max(lane.notBefore, oldest.since + this.#options.delayMs);
      if (wake === null || due < wake) wake = due;
      if (wake <= now) return now;
    }
    return wake;
  }

  /** These items are done with, well or for good. */
  finish(items: readonly T[]): void {
    this.#inFlight -= items.length;
    check(this.#inFlight >= 0, 'finished items were in flight', { inFlight: this.#inFlight });
    for (const { orderKey } of items) this.#release(orderKey, 1);
  }

  /** Puts items back to the head of their keys, to run again no earlier than `notBefore`. */
  retry(items: readonly T[], notBefore: number): void {
    for (const item of items.toReversed()) {
      const lane = this.#lanes.get(item.orderKey);
      check(lane !== undefined, 'a retried item has its lane', { orderKey: item.orderKey });
      lane.items.unshift({ item, since: 0 });
      lane.notBefore = Math.max(lane.notBefore, notBefore);
      this.#waiting++;
    }
    this.finish(items);
  }

  /** Moves what fits from the head of a lane; leaves the lane alone if nothing does. */
  #takeFrom(lane: Lane<T>, items: T[]): void {
    const free = this.#options.batchMax - items.length;
    let count = 0;
    while (count < free && count < lane.items.length) {
      if (lane.items[count]?.item.isAlone === true) {
        if (items.length === 0 && count === 0) count = 1;
        break;
      }
      count++;
    }
    if (count === 0) return;
    this.#ready.delete(lane);
    for (const { item } of lane.items.splice(0, count)) items.push(item);
    lane.inFlight += count;
  }

  #release(orderKey: string, count: number): void {
    const lane = this.#lanes.get(orderKey);
    check(lane !== undefined && lane.inFlight >= count, 'a finished item has its lane', {
      orderKey,
    });
    lane.inFlight -= count;
    if (lane.inFlight > 0) return;
    if (lane.items.length > 0) this.#ready.add(lane);
    else this.#lanes.delete(orderKey);
  }

  #isFilling(now: number): boolean {
    const { delayMs, batchMax } = this.#options;
    if (delayMs === 0 || this.#waiting >= batchMax) return false;
    for (const lane of this.#ready) {
      const oldest = lane.items[0];
      if (oldest !== undefined && now >= oldest.since + delayMs) return false;
    }
    return true;
  }
}
