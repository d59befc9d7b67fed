/**
 * Removals of keys in pools: one that was answered has its version in the shard of the key, as a
 * put has. So a linearizable read that begins later finds nothing, or what was put behind it; one
 * whose outcome nobody knows may or may not be made, now or later.
 */
import type { WorldAddon } from './world-addon.ts';

/** Where a key lies, as a member knew it all the time of a call. */
export interface KeyPlace {
  /** The pool's id. */
  readonly pool: number;
  readonly shard: number;
  readonly isPersistent: boolean;
}

export interface KeyRemoval {
  readonly name: string;
  readonly key: string;
  readonly begun: number;
  /** The newest removal of its pool that had been answered; 0: none. */
  readonly removed: number;
  /** Of all that begins and is answered in the ledger; null: it was not, and may be made yet. */
  answered: number | null;
  /** Null: there was no such pool, or not the same all the time. */
  became: (KeyPlace & { readonly version: number; readonly epoch: number }) | null;
}

/** A value that a read found. */
export interface FoundValue {
  /** Of its put, as `beginPut` of the ledger numbers them. */
  readonly number: number;
  readonly version: number;
  /** Null: the pool was not the same all the time. */
  readonly place: KeyPlace | null;
}

export class KeyRemovals {
  readonly #addon: Pick<WorldAddon, 'epochOf'>;
  readonly #all = new Map<string, KeyRemoval[]>();
  #last: KeyRemoval | null = null;

  constructor(addon: Pick<WorldAddon, 'epochOf'>) {
    this.#addon = addon;
  }

  /** The last that was made, of any key; null: none was. */
  get last(): KeyRemoval | null {
    return this.#last;
  }

  begin(given: Pick<KeyRemoval, 'name' | 'key' | 'begun' | 'removed'>): KeyRemoval {
    const removal: KeyRemoval = { ...given, answered: null, became: null };
    this.#all.set(given.key, [...this.#of(given.key), removal]);
    return removal;
  }

  end(removal: KeyRemoval, answered: number, became: KeyRemoval['became']): void {
    removal.answered = answered;
    removal.became = became;
    if (became !== null) this.#last = removal;
  }

  answered(key: string): readonly KeyRemoval[] {
    return this.#of(key).filter(({ answered }) => answered !== null);
  }

  /** May what was put under the key, in a call that began so, have been removed since? */
  mayFollow(key: string, begun: number): boolean {
    return this.#of(key).some(({ answered }) => answered === null || answered > begun);
  }

  /**
   * One of these removals that a read has forgotten; null: there is none. `putAnswered`: when the
   * value's put was; null: it was not.
   */
  forgottenBy(
    { version, place }: FoundValue,
    putAnswered: number | null,
    removals: readonly KeyRemoval[],
  ): KeyRemoval | null {
    const isForgotten = ({ begun, became }: KeyRemoval): boolean => {
      if (became === null || !this.#stands(became)) return false;
      const isPutBefore = putAnswered !== null && putAnswered < begun;
      return isPutBefore || (place?.pool === became.pool && version < became.version);
    };
    return removals.find(isForgotten) ?? null;
  }

  /** A volatile shard may begin anew without it. */
  #stands({ shard, version, epoch, isPersistent }: NonNullable<KeyRemoval['became']>): boolean {
    return isPersistent || this.#addon.epochOf(shard, version) === epoch;
  }

  #of(key: string): readonly KeyRemoval[] {
    return this.#all.get(key) ?? [];
  }
}
