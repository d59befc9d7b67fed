import { FreshetError } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';

const generationCount = 2 ** 52 / groupLimits.waitingTokens;

/**
 * Numbers waiting callers for the native side. A slot is used again, its token is not: a late row
 * finds nobody instead of another's caller.
 *
 * Thread: event loop.
 * Invariants
 *  1. A token is a positive safe integer: generation · slots + slot + 1.
 *  2. A slot is free or holds exactly one waiter.
 */
export class TokenTable<Waiter> {
  readonly #waiters: (Waiter | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #count = 0;

  /** Throws OVERLOADED when all slots are taken. */
  add(waiter: Waiter): number {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#waiters.length;
      if (slot === groupLimits.waitingTokens) {
        throw new FreshetError('OVERLOADED', `${String(slot)} calls wait for the native side`, {
          details: { limit: groupLimits.waitingTokens },
        });
      }
      this.#waiters.push(null);
      this.#generations.push(0);
    }
    this.#waiters[slot] = waiter;
    this.#count++;
    return (this.#generations[slot] as number) * groupLimits.waitingTokens + slot + 1;
  }

  /** Who waits under the token, or null. */
  find(token: number): Waiter | null {
    const slot = this.#slotOf(token);
    return slot === null ? null : (this.#waiters[slot] as Waiter | null);
  }

  /** Frees the slot. Unknown tokens are ignored. */
  remove(token: number): void {
    const slot = this.#slotOf(token);
    if (slot === null || this.#waiters[slot] === null) {
      return;
    }
    this.#waiters[slot] = null;
    // 2^53 / slots generations; starting over after that many uses is harmless.
    const next = (this.#generations[slot] as number) + 1;
    this.#generations[slot] = next % generationCount;
    this.#free.push(slot);
    this.#count--;
  }

  /** Empties the table and returns all who waited. */
  clear(): Waiter[] {
    const waiters = this.#waiters.filter((waiter): waiter is Waiter => waiter !== null);
    for (let slot = 0; slot < this.#waiters.length; slot++) {
      if (this.#waiters[slot] !== null) {
        this.remove((this.#generations[slot] as number) * groupLimits.waitingTokens + slot + 1);
      }
    }
    return waiters;
  }

  get count(): number {
    return this.#count;
  }

  #slotOf(token: number): number | null {
    const slot = (token - 1) % groupLimits.waitingTokens;
    const generation = Math.floor((token - 1) / groupLimits.waitingTokens);
    return this.#generations[slot] === generation ? slot : null;
  }
}
