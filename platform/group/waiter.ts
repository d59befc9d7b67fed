import type { FreshetError } from '../base/mod.ts';
import type { Completion, CoreResult } from './core-types.ts';

/** Whoever waits for the rows of one token of the native side. */
export interface Waiter {
  readonly complete: ((completion: Completion) => void) | null;
  readonly result: ((result: CoreResult) => void) | null;
  readonly fail: (error: FreshetError) => void;
  /** Borrowed by the native side until released. */
  held: Uint8Array | null;
  answered: boolean;
}

/** Whoever made a change: one object, as a member takes a million of them in a second. */
export abstract class ChangeWaiter implements Waiter {
  readonly result = null;
  held: Uint8Array | null = null;
  answered = false;

  abstract complete(completion: Completion): void;
  abstract fail(error: FreshetError): void;
}

export function ignore(): void {
  // A settled call needs nobody.
}

/** Of a change that is not answered, only released. */
export function unanswered(held: Uint8Array): Waiter {
  return { complete: null, result: null, fail: ignore, held, answered: true };
}
