/**
 * A view that takes subgroups away is proposed only once they are closed for new pools: a record in
 * the catalog names them and the view's number, and was written only if no pool lived in them and
 * nothing came between that look and the record (store/closed-subgroups.ts). Here is what the
 * member that leads knows of the record for the next view.
 *
 * Thread: event loop.
 * Invariants
 *  1. Subgroups are taken away only by a view whose number the record has, with their names.
 *  2. They are opened again only while nobody can have prepared a view of that number.
 */
import { type Logger, messageOf } from '../base/mod.ts';
import type { GroupEffect, GroupEvent } from './group-events.ts';
import type { Attempt } from './group-messages.ts';
import { goneFrom } from './layout-differences.ts';
import type { LayoutRules } from './layout-rules.ts';
import type { Closing, Tenants } from './machine-types.ts';

interface Asked {
  readonly closing: Closing;
  /** `unsure`: it was not done, or nobody knows. */
  state: 'asked' | 'done' | 'unsure';
}

/** What the view with this number takes away, if it brings one layout in place of the other. */
export function closingFor(view: number, before: LayoutRules, after: LayoutRules): Closing {
  const subgroups = goneFrom(before, after).flatMap(({ name, shards }) =>
    shards.slice(0, 1).map(({ shard }) => ({ name, first: shard })),
  );
  return { view, subgroups };
}

export class SubgroupClosing {
  /** What was asked for last. Null: no record that this member asked for counts. */
  #asked: Asked | null = null;
  /** Attempts to propose a view that takes them away, of which it is not known that none began. */
  readonly #proposed = new Set<number>();

  /** Something is closed, or may be, that no view has decided about. */
  get isPending(): boolean {
    return this.#asked !== null;
  }

  /** Its number decides about all records up to it, whatever it took away. */
  onView(number: number): void {
    if ((this.#asked?.closing.view ?? Infinity) > number) return;
    this.#asked = null;
    this.#proposed.clear();
  }

  /** May a view that takes these away be proposed? Else that is asked for, if it was not yet. */
  isClosed(closing: Closing, effects: GroupEffect[]): boolean {
    if (closing.subgroups.length === 0) return true;
    if (this.#asked?.state === 'done' && isWithin(closing, this.#asked.closing)) return true;
    this.#ask(closing, effects);
    return false;
  }

  /** No view of the record's number is going to take anything away. */
  open(effects: GroupEffect[]): void {
    if (this.#asked === null || this.#proposed.size > 0) return;
    this.#ask({ view: this.#asked.closing.view, subgroups: [] }, effects);
  }

  /** The next view is proposed; of a layout that takes nothing away it does no harm. */
  onPropose({ number }: Attempt): void {
    if (this.#asked !== null) this.#proposed.add(number);
  }

  /** The core has not taken that view. */
  onRefused({ number }: Attempt): void {
    this.#proposed.delete(number);
  }

  onOutcome(closing: Closing, done: boolean): void {
    if (this.#asked?.closing !== closing) return;
    this.#asked.state = done ? 'done' : 'unsure';
    if (done && closing.subgroups.length === 0) this.#asked = null;
  }

  #ask(closing: Closing, effects: GroupEffect[]): void {
    // One write for a view at a time: which came last would not be known.
    if (this.#asked?.state === 'asked' && this.#asked.closing.view >= closing.view) return;
    this.#asked = { closing, state: 'asked' };
    effects.push({ type: 'close', closing });
  }
}

/** Beside all steps: the catalog may wait for a view that one of them is for. */
export async function closeSubgroups(
  { tenants, log }: { readonly tenants: Tenants; readonly log: Logger },
  closing: Closing,
  enter: (event: GroupEvent) => void,
): Promise<void> {
  let done = false;
  try {
    done = await tenants.close(closing);
  } catch (caught) {
    log.info({ ...closing, error: messageOf(caught) }, 'subgroups were not closed for new pools');
  }
  enter({ type: 'closed', closing, done });
}

function isWithin({ view, subgroups }: Closing, whole: Closing): boolean {
  const isNamed = (first: number): boolean => whole.subgroups.some((one) => one.first === first);
  return view === whole.view && subgroups.every(({ first }) => isNamed(first));
}
