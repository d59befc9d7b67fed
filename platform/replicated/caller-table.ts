/**
 * Which calls of whom have been applied, and what they came to, as part of the state of a
 * replicated object: so a call that is sent again, because a view failed under it, is applied once.
 *
 * Invariants
 *  1. What it holds follows from the calls applied alone: it is alike at every member.
 *  2. A call that was applied is known as such, or refused as too old; it is never new again. For
 *     a caller is forgotten only when more than `window` calls were applied since its last one,
 *     and a retry names a count of applied calls that is no later than its first application.
 */
import type { CallId, CallRecord, Outcome } from './call-record.ts';

interface Caller {
  /** Requests below it are answered. */
  floor: number;
  /** Calls that had been applied when it last called. */
  lastUse: number;
  readonly outcomes: Map<number, Outcome>;
}

type EncodedOutcome = [number, Outcome['error'], Uint8Array];
type EncodedCaller = [string, number, number, EncodedOutcome[]];

export type Verdict =
  | { readonly kind: 'new' }
  | { readonly kind: 'applied'; readonly outcome: Outcome }
  | { readonly kind: 'expired' };

export class CallerTable {
  readonly #window: number;
  /** By last use, oldest first. */
  readonly #callers = new Map<string, Caller>();

  constructor(window: number) {
    this.#window = window;
  }

  get size(): number {
    return this.#callers.size;
  }

  /** `count`: calls applied before this one. */
  judge({ id, asOf }: CallRecord, count: number): Verdict {
    const caller = this.#callers.get(nameOf(id));
    const outcome = caller?.outcomes.get(id.request);
    if (outcome !== undefined) {
      return { kind: 'applied', outcome };
    }
    const isOld =
      asOf + this.#window < count || (caller !== undefined && id.request < caller.floor);
    return { kind: isOld ? 'expired' : 'new' };
  }

  /** What a call that was applied came to; null: it was not, or its caller has been answered. */
  outcomeOf(id: CallId): Outcome | null {
    return this.#callers.get(nameOf(id))?.outcomes.get(id.request) ?? null;
  }

  note({ id, lowestUnanswered }: CallRecord, outcome: Outcome, count: number): void {
    const name = nameOf(id);
    const fresh: Caller = { floor: 1, lastUse: count, outcomes: new Map() };
    const caller = this.#callers.get(name) ?? fresh;
    caller.lastUse = count;
    caller.outcomes.set(id.request, outcome);
    caller.floor = Math.max(caller.floor, lowestUnanswered);
    for (const request of caller.outcomes.keys()) {
      if (request < caller.floor) caller.outcomes.delete(request);
    }
    this.#callers.delete(name);
    this.#callers.set(name, caller);
    this.#forgetOld(count);
  }

  /** Plain values, in an order that is alike everywhere. */
  encode(): readonly EncodedCaller[] {
    return [...this.#callers].map(([name, { floor, lastUse, outcomes }]): EncodedCaller => {
      const kept = [...outcomes].map(([request, { error, value }]): EncodedOutcome => {
        return [request, error, value];
      });
      return [name, floor, lastUse, kept];
    });
  }

  static decode(window: number, value: unknown): CallerTable {
    const table = new CallerTable(window);
    for (const [name, floor, lastUse, outcomes] of value as readonly EncodedCaller[]) {
      const kept = outcomes.map(([request, error, bytes]): [number, Outcome] => [
        request,
        { error, value: bytes },
      ]);
      table.#callers.set(name, { floor, lastUse, outcomes: new Map(kept) });
    }
    return table;
  }

  #forgetOld(count: number): void {
    for (const [name, { lastUse }] of this.#callers) {
      if (lastUse + this.#window >= count) {
        return;
      }
      this.#callers.delete(name);
    }
  }
}

function nameOf({ node, run }: CallId): string {
  return `${String(node)}/${run}`;
}
