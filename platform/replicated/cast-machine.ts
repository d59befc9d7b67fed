/**
 * A channel at one member as a synchronous machine, event → effects: mcast, fbcast and cbcast with
 * virtual synchrony. The views come from the group, each at its own time at each member; a view is
 * installed here only once its members have told each other what they have of the one before.
 *
 *   installed   casts are sent and delivered in the view
 *   flushing    a newer view is known: a flush goes to all its members with everything that not all
 *               are known to have; nothing of the old view is taken in any more; casts of this
 *               member wait. With a flush of every member of the new view, what any of them had is
 *               delivered, and the new view is installed. A view newer still begins this anew.
 *
 * A member may install a view, and so end the one before, when another has not heard all flushes
 * and goes on to a newer view. Whoever ended a view tells the next ones how (`closings`), until all
 * members are known to have left it behind; so a view ends alike for all who go on.
 *
 * Invariants
 *  1. Of two members that install the same view after the same view, both delivered the same casts
 *     in the one before.
 *  2. A cast is delivered in the view in which it was sent, or not at all; its sender's failure is
 *     the only reason for not at all.
 *  3. What decides how a view ends is in the flushes for its successor alone, and each member sends
 *     one flush for a view: all who end it with the same flushes end it alike.
 *
 * It is not uniform: a member that fails may have delivered what nobody else did.
 */
import type {
  AckMessage,
  Cast,
  CastMessage,
  CastOrder,
  Closing,
  FlushMessage,
} from './cast-messages.ts';
import { isCausallyNext, ViewCasts } from './view-casts.ts';

export interface CastView {
  readonly number: number;
  /** In rank order. */
  readonly members: readonly number[];
}

export type CastEffect =
  | { readonly type: 'send'; readonly to: number; readonly message: CastMessage }
  | { readonly type: 'deliver'; readonly view: number; readonly cast: Cast }
  | {
      readonly type: 'view';
      readonly view: CastView;
      readonly joined: readonly number[];
      readonly left: readonly number[];
      /** False: the first view here, or casts of the others may have been missed. */
      readonly continuous: boolean;
    }
  /** A cast has its place in a view, or a flush has been answered by all. */
  | { readonly type: 'done'; readonly operation: number }
  /** Of a flush: this member was left out of a view, and what it had sent may be lost. */
  | { readonly type: 'lost'; readonly operation: number };

type Operation =
  | { readonly id: number; readonly order: CastOrder; readonly bytes: Uint8Array }
  | { readonly id: number; readonly order: null; readonly ordered: number };

interface FlushWaiter {
  readonly id: number;
  readonly view: number;
  readonly seq: number;
  readonly ordered: number;
}

interface Told {
  readonly delivered: readonly number[];
  readonly received: readonly number[];
}

export class CastMachine {
  readonly #me: number;
  readonly #causal: typeof isCausallyNext;
  #view: CastView | null = null;
  #casts: ViewCasts;
  #target: CastView | null = null;
  /** By the view that they are for. */
  readonly #flushes = new Map<number, Map<number, FlushMessage>>();
  /** Of views that are not installed here. */
  #ahead: readonly { readonly view: number; readonly cast: Cast }[] = [];
  #closings: readonly Closing[] = [];
  /** The newest view that each member is known to have installed; its newest abcast. */
  readonly #confirmed = new Map<number, number>();
  readonly #ordered = new Map<number, number>();
  /** Of the installed view. */
  readonly #told = new Map<number, Told>();
  #operations: Operation[] = [];
  #waiters: FlushWaiter[] = [];
  #isTold = true;

  constructor(me: number, causal = isCausallyNext) {
    this.#me = me;
    this.#causal = causal;
    this.#casts = new ViewCasts([me], me, causal);
  }

  /** The view in which casts are sent; null: none yet, or another is being installed. */
  get view(): CastView | null {
    return this.#target === null ? this.#view : null;
  }

  /** Casts of this member that are not known to be everywhere, those that wait included. */
  get unstable(): number {
    return this.#casts.unstable + this.#operations.length;
  }

  /** Members whose flush is missing for the next view. */
  get missing(): readonly number[] {
    const flushes = this.#flushes.get(this.#target?.number ?? 0);
    return (this.#target?.members ?? []).filter((node) => flushes?.has(node) !== true);
  }

  /** There is something to tell: `onTick` is wanted. */
  get wantsTick(): boolean {
    return !this.#isTold;
  }

  /** The group installed a view; `members` is alike at all who did. */
  onView(view: CastView): CastEffect[] {
    const newest = this.#target?.number ?? this.#view?.number ?? 0;
    if (view.number <= newest || !view.members.includes(this.#me)) {
      return [];
    }
    const effects: CastEffect[] = [];
    this.#target = view;
    const message: FlushMessage = {
      type: 'flush',
      target: view.number,
      from: this.#view?.number ?? 0,
      casts: this.#view === null ? [] : this.#casts.kept(),
      ahead: this.#ahead,
      closings: this.#closings,
    };
    this.#noteFlush(this.#me, message);
    this.#sendAll(view.members, message, effects);
    this.#considerInstall(effects);
    return effects;
  }

  onMessage(from: number, message: CastMessage): CastEffect[] {
    const effects: CastEffect[] = [];
    switch (message.type) {
      case 'cast':
        this.#onCast(message.view, message.cast, effects);
        break;
      case 'ack':
        this.#onAck(from, message, effects);
        break;
      case 'flush':
        if (message.target > (this.#view?.number ?? 0)) {
          this.#noteFlush(from, message);
          this.#considerInstall(effects);
        }
        break;
    }
    return effects;
  }

  /** Sends once a view is there. `id` comes back in a `done`. */
  cast(id: number, order: CastOrder, bytes: Uint8Array): CastEffect[] {
    return this.#operate({ id, order, bytes });
  }

  /**
   * `done` once all members of the view have delivered what this one has sent, and the abcast of
   * version `ordered`.
   */
  flush(id: number, ordered: number): CastEffect[] {
    return this.#operate({ id, order: null, ordered });
  }

  /** The newest abcast that was delivered here. */
  onOrdered(version: number): CastEffect[] {
    this.#ordered.set(this.#me, version);
    this.#isTold = false;
    const effects: CastEffect[] = [];
    this.#answerWaiters(effects);
    return effects;
  }

  /** Tells the others what is here, where that changed. */
  onTick(): CastEffect[] {
    const effects: CastEffect[] = [];
    if (!this.#isTold && this.view !== null) {
      this.#isTold = true;
      this.#sendAll(this.view.members, this.#ack(this.view.number), effects);
    }
    return effects;
  }

  #operate(operation: Operation): CastEffect[] {
    const effects: CastEffect[] = [];
    this.#operations.push(operation);
    this.#runOperations(effects);
    return effects;
  }

  #runOperations(effects: CastEffect[]): void {
    const { view } = this;
    if (view === null) {
      return;
    }
    const operations = this.#operations;
    this.#operations = [];
    for (const operation of operations) {
      const { id } = operation;
      if (operation.order === null) {
        const { ordered } = operation;
        this.#waiters.push({ id, view: view.number, seq: this.#casts.sent, ordered });
      } else {
        const cast = this.#casts.make(operation.order, operation.bytes);
        this.#sendAll(view.members, { type: 'cast', view: view.number, cast }, effects);
        effects.push({ type: 'done', operation: id });
        this.#receive(view.number, cast, effects);
      }
    }
    this.#answerWaiters(effects);
  }

  #onCast(view: number, cast: Cast, effects: CastEffect[]): void {
    const installed = this.#view?.number ?? 0;
    if (view > installed) {
      this.#ahead = [...this.#ahead, { view, cast }];
    } else if (view === installed && this.#target === null) {
      this.#receive(view, cast, effects);
      this.#answerWaiters(effects);
    }
    // Of a view that ended, or ends: what is to be delivered of it comes with flushes.
  }

  #receive(view: number, cast: Cast, effects: CastEffect[]): void {
    for (const delivered of this.#casts.receive(cast)) {
      effects.push({ type: 'deliver', view, cast: delivered });
    }
    this.#isTold = false;
  }

  #onAck(from: number, ack: AckMessage, effects: CastEffect[]): void {
    this.#confirm(from, ack.view);
    this.#ordered.set(from, Math.max(ack.ordered, this.#ordered.get(from) ?? 0));
    if (ack.view === this.#view?.number) {
      const before = this.#told.get(from);
      // An older one may come later.
      this.#told.set(from, {
        received: highest(ack.received, before?.received),
        delivered: highest(ack.delivered, before?.delivered),
      });
      this.#forgetStable();
    }
    this.#answerWaiters(effects);
  }

  #confirm(node: number, view: number): void {
    this.#confirmed.set(node, Math.max(view, this.#confirmed.get(node) ?? 0));
    this.#forgetClosings();
  }

  /** All who may still ask are in the installed view. */
  #forgetClosings(): void {
    const members = this.#view?.members ?? [];
    const behind = Math.min(...members.map((node) => this.#confirmed.get(node) ?? 0));
    this.#closings = this.#closings.filter(({ to }) => to > behind);
  }

  #forgetStable(): void {
    const members = this.#view?.members ?? [];
    const received = members.map((node) =>
      node === this.#me ? this.#casts.received : this.#told.get(node)?.received,
    );
    this.#casts.forget(
      members.map((_, rank) => Math.min(...received.map((floors) => floors?.[rank] ?? 0))),
    );
  }

  #answerWaiters(effects: CastEffect[]): void {
    const { view } = this;
    if (view === null || this.#waiters.length === 0) {
      return;
    }
    const rank = view.members.indexOf(this.#me);
    // Who is in the view has delivered what was to be delivered in those before.
    const isDone = (waiter: FlushWaiter): boolean =>
      view.members.every((node) => {
        const mine = node === this.#me ? this.#casts.delivered : this.#told.get(node)?.delivered;
        const isIn = (this.#confirmed.get(node) ?? 0) >= view.number;
        const here = waiter.view < view.number || (mine?.[rank] ?? 0) >= waiter.seq;
        return isIn && here && (this.#ordered.get(node) ?? 0) >= waiter.ordered;
      });
    const done = this.#waiters.filter(isDone);
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { id } of done) effects.push({ type: 'done', operation: id });
  }

  #noteFlush(from: number, message: FlushMessage): void {
    const flushes = this.#flushes.get(message.target) ?? new Map<number, FlushMessage>();
    if (!flushes.has(from)) {
      flushes.set(from, message);
    }
    this.#flushes.set(message.target, flushes);
  }

  #considerInstall(effects: CastEffect[]): void {
    const target = this.#target;
    if (target === null || this.missing.length > 0) {
      return;
    }
    const flushes = this.#flushes.get(target.number) ?? new Map<number, FlushMessage>();
    const closings = mergeClosings([...flushes.values()]);
    const reached = new Map(
      target.members.map((node) => [node, endOf(flushes.get(node)?.from ?? 0, node, closings)]),
    );
    const newest = Math.max(...reached.values());
    // A newcomer has to tell them on as well: it may be alone in knowing how a view ended.
    this.#closings = closings;
    this.#adopt(closings, effects);
    const isSurvivor = newest > 0 && reached.get(this.#me) === newest;
    if (newest > 0) {
      const casts = castsOf(newest, [...flushes.values()]);
      if (isSurvivor) this.#deliverLast(casts, effects);
      const { number: to, members } = target;
      this.#closings = [...this.#closings, { from: newest, to, members, casts }];
    }
    const survivors = target.members.filter((node) => newest > 0 && reached.get(node) === newest);
    this.#install(target, isSurvivor, survivors, effects);
  }

  /** Ends views that others of the next one have ended already, as they did. */
  #adopt(closings: readonly Closing[], effects: CastEffect[]): void {
    for (;;) {
      const view = this.#view;
      const next = closings.find(
        ({ from, members }) => from === view?.number && members.includes(this.#me),
      );
      if (view === null || next === undefined) {
        return;
      }
      this.#deliverLast(next.casts, effects);
      const to = { number: next.to, members: next.members };
      this.#enter(to);
      effects.push({ type: 'view', view: to, ...changeOf(view, to, to.members), continuous: true });
    }
  }

  #deliverLast(casts: readonly Cast[], effects: CastEffect[]): void {
    const number = this.#view?.number ?? 0;
    for (const cast of casts) this.#receive(number, cast, effects);
  }

  #install(
    target: CastView,
    continuous: boolean,
    survivors: readonly number[],
    effects: CastEffect[],
  ): void {
    const before = this.#view;
    this.#enter(target);
    this.#target = null;
    for (const number of this.#flushes.keys()) {
      if (number <= target.number) this.#flushes.delete(number);
    }
    const change = continuous && before !== null ? changeOf(before, target, survivors) : null;
    const { joined, left } = change ?? { joined: target.members, left: [] };
    effects.push({ type: 'view', view: target, joined, left, continuous });
    if (!continuous) {
      for (const { id } of this.#waiters) effects.push({ type: 'lost', operation: id });
      this.#waiters = [];
    }
    this.#confirm(this.#me, target.number);
    // At once: the others wait for it to forget how the view before ended.
    this.#isTold = true;
    this.#sendAll(target.members, this.#ack(target.number), effects);
    const ahead = this.#ahead;
    this.#ahead = ahead.filter(({ view }) => view > target.number);
    for (const { view, cast } of ahead) {
      if (view === target.number) this.#receive(view, cast, effects);
    }
    this.#runOperations(effects);
    this.#answerWaiters(effects);
  }

  #enter(view: CastView): void {
    this.#view = view;
    this.#casts = new ViewCasts(view.members, this.#me, this.#causal);
    this.#told.clear();
  }

  #ack(view: number): AckMessage {
    const { received, delivered } = this.#casts;
    const ordered = this.#ordered.get(this.#me) ?? 0;
    return { type: 'ack', view, received, delivered, ordered };
  }

  #sendAll(members: readonly number[], message: CastMessage, effects: CastEffect[]): void {
    for (const to of members) {
      if (to !== this.#me) effects.push({ type: 'send', to, message });
    }
  }
}

/** The view that a member comes to by the ends of views that are known. */
function endOf(from: number, node: number, closings: readonly Closing[]): number {
  const next = closings.find((one) => one.from === from && one.members.includes(node));
  return next === undefined ? from : endOf(next.to, node, closings);
}

/** Every end of a view that anyone told, once each. */
function mergeClosings(flushes: readonly FlushMessage[]): readonly Closing[] {
  const found = new Map<number, Closing>();
  // A view ends once for all who go on: of two ends one is of members that are not here.
  for (const closing of flushes.flatMap((flush) => flush.closings)) {
    const other = found.get(closing.from);
    if (other === undefined || other.to < closing.to) found.set(closing.from, closing);
  }
  return [...found.values()];
}

/** Every cast of a view that anyone told, once each, by sender and seq. */
function castsOf(view: number, flushes: readonly FlushMessage[]): Cast[] {
  const found = new Map<string, Cast>();
  const add = (cast: Cast): void => {
    found.set(`${String(cast.sender)}/${String(cast.seq)}`, cast);
  };
  for (const { from, casts, ahead } of flushes) {
    if (from === view) casts.forEach(add);
    for (const one of ahead) if (one.view === view) add(one.cast);
  }
  return [...found.values()].sort((a, b) => a.sender - b.sender || a.seq - b.seq);
}

function changeOf(
  before: CastView,
  view: CastView,
  survivors: readonly number[],
): { readonly joined: readonly number[]; readonly left: readonly number[] } {
  const stays = (node: number): boolean =>
    before.members.includes(node) && survivors.includes(node);
  return {
    joined: view.members.filter((node) => !stays(node)),
    left: before.members.filter((node) => !stays(node)),
  };
}

function highest(
  told: readonly number[],
  before: readonly number[] | undefined,
): readonly number[] {
  return told.map((value, rank) => Math.max(value, before?.[rank] ?? 0));
}
