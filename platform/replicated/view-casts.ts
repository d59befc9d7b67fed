/**
 * The casts of one view at one member: what came, what may be delivered when, and what has to be
 * kept for those who may lack it.
 *
 * Invariants
 *  1. A cast is delivered once. A fbcast after all earlier ones of its sender; a cbcast after all
 *     cbcasts that its sender had delivered when it sent it.
 *  2. What was received is kept until every member of the view has told that it has it too.
 */
import type { Cast, CastOrder } from './cast-messages.ts';
import { SeqSet } from './seq-set.ts';

/**
 * Whether a cbcast may be delivered: it is the next of its sender, and everything that the sender
 * had delivered before is delivered here. `delivered`: cbcasts delivered per rank.
 */
export function isCausallyNext(cast: Cast, rank: number, delivered: readonly number[]): boolean {
  return cast.clock.every((count, at) => {
    const here = delivered[at] ?? 0;
    return at === rank ? count === here + 1 : count <= here;
  });
}

export type CausalRule = typeof isCausallyNext;

export class ViewCasts {
  readonly #members: readonly number[];
  readonly #me: number;
  readonly #causal: CausalRule;
  readonly #received: readonly SeqSet[];
  readonly #delivered: readonly SeqSet[];
  /** Per rank: fbcasts and cbcasts delivered. */
  readonly #fifo: number[];
  readonly #clock: number[];
  /** Received, not to be delivered yet, in the order of arrival. */
  #waiting: Cast[] = [];
  readonly #kept: Map<number, Cast>[];
  readonly #sent = { mcast: 0, fbcast: 0, cbcast: 0 };
  #seq = 0;

  constructor(members: readonly number[], me: number, causal: CausalRule = isCausallyNext) {
    this.#members = members;
    this.#me = me;
    this.#causal = causal;
    this.#received = members.map(() => new SeqSet());
    this.#delivered = members.map(() => new SeqSet());
    this.#fifo = members.map(() => 0);
    this.#clock = members.map(() => 0);
    this.#kept = members.map(() => new Map<number, Cast>());
  }

  /** Casts of this member in this view. */
  get sent(): number {
    return this.#seq;
  }

  /** Per rank: all casts of that sender up to this seq were received. */
  get received(): readonly number[] {
    return this.#received.map(({ floor }) => floor);
  }

  get delivered(): readonly number[] {
    return this.#delivered.map(({ floor }) => floor);
  }

  /** What not all members are known to have. */
  kept(): Cast[] {
    return this.#kept.flatMap((casts) => [...casts.values()]);
  }

  /** Own casts among them. */
  get unstable(): number {
    return this.#kept[this.#rankOf(this.#me)]?.size ?? 0;
  }

  /** The next cast of this member. It has to be received here, too. */
  make(order: CastOrder, bytes: Uint8Array): Cast {
    this.#seq++;
    this.#sent[order]++;
    const nth = this.#sent[order];
    const rank = this.#rankOf(this.#me);
    const clock = order === 'cbcast' ? this.#clock.map((n, at) => (at === rank ? nth : n)) : [];
    return { sender: this.#me, seq: this.#seq, order, nth, clock, bytes };
  }

  /** Returns what may be delivered now, in that order. */
  receive(cast: Cast): Cast[] {
    const rank = this.#rankOf(cast.sender);
    const received = this.#received[rank];
    if (received === undefined || received.has(cast.seq)) {
      return [];
    }
    received.add(cast.seq);
    this.#kept[rank]?.set(cast.seq, cast);
    this.#waiting.push(cast);
    return this.#deliverable();
  }

  /** `floors`: per rank, what every member has received. */
  forget(floors: readonly number[]): void {
    for (const [rank, casts] of this.#kept.entries()) {
      const floor = floors[rank] ?? 0;
      for (const seq of casts.keys()) {
        if (seq <= floor) casts.delete(seq);
      }
    }
  }

  #deliverable(): Cast[] {
    const all: Cast[] = [];
    for (;;) {
      const next = this.#waiting.findIndex((cast) => this.#mayDeliver(cast));
      if (next < 0) {
        return all;
      }
      const [cast] = this.#waiting.splice(next, 1) as [Cast];
      this.#note(cast);
      all.push(cast);
    }
  }

  #mayDeliver(cast: Cast): boolean {
    const rank = this.#rankOf(cast.sender);
    switch (cast.order) {
      case 'mcast':
        return true;
      case 'fbcast':
        return cast.nth === (this.#fifo[rank] ?? 0) + 1;
      case 'cbcast':
        return this.#causal(cast, rank, this.#clock);
    }
  }

  #note(cast: Cast): void {
    const rank = this.#rankOf(cast.sender);
    this.#delivered[rank]?.add(cast.seq);
    if (cast.order === 'fbcast') this.#fifo[rank] = cast.nth;
    if (cast.order === 'cbcast') this.#clock[rank] = cast.nth;
  }

  #rankOf(node: number): number {
    return this.#members.indexOf(node);
  }
}
