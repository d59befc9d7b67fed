/**
 * Members that hold others up, as this one knows of them: whom it was made to wait for, which of
 * its own shards it only observes, who stands aside of which shard, and who has to wait before it
 * is let in again.
 *
 * The native side measures (native/core/lag_watch.h). Each member tells in its hello for whom it
 * waited of late; slow-view.ts makes a verdict of what all say. A member that a view has taken out
 * of a shard which it is to hold, and does not refuse, stands aside: it observes the shard
 * (observer-feed.ts) until it has kept up for a while, and says so in its hello.
 *
 * Thread: event loop.
 * Invariants
 *  1. Nobody who stands aside is taken back before it said, from the view that took it out or a
 *     later one, that it keeps up.
 *  2. What is waited for before a member is let in again doubles from time to time.
 */
import { lagKinds } from '../bridge/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { Hello } from './group-messages.ts';
import type { Layout } from './layout.ts';
import { homesOf } from './shard-homes.ts';
import { type CoreMember, type CoreShard, type CoreView, nodesOf } from './view-codec.ts';

/** A wait for a member, as the native side told it. */
export interface Lag {
  readonly shard: number;
  readonly epoch: number;
  /** Who was waited for. */
  readonly node: number;
  /** What of it: that it has received, delivered, or synced, or passed on or taken blocks. */
  readonly kind: keyof typeof lagKinds;
  readonly waitedMs: number;
  /** Messages, or steps of blocks, that it lacked when the wait began. */
  readonly messages: number;
}

/** A row of kind `lag` that begins at `at`. */
export function lagIn(rows: Float64Array, at: number): Lag {
  const [shard = 0, epoch = 0, node = 0, of = 0, waitedMs = 0, messages = 0] = rows.subarray(
    at + 1,
  );
  const kinds = Object.keys(lagKinds) as (keyof typeof lagKinds)[];
  const kind = kinds.find((name) => lagKinds[name] === of) ?? 'received';
  return { shard, epoch, node, kind, waitedMs, messages };
}

type Accusation = Hello['slow'][number];
type Observed = Hello['observes'][number];

/** A shard that this member observes. */
export interface Observation {
  readonly shard: number;
  /** It keeps up when it is never further behind than that, */
  readonly afterMs: number;
  /** for so long. */
  readonly keepUpMs: number;
}

export class SlowMembers {
  readonly #me: number;
  readonly #layoutNow: () => Layout;
  readonly #lags = new Map<string, Lag & { readonly untilMs: number }>();
  readonly #observed = new Map<number, Observation & { ready: boolean }>();
  /** Who was taken out of a shard, and the number of the view that did. */
  readonly #aside = new Map<string, number>();
  /** Since when the members agree that one is slow in a shard. */
  readonly #agreedMs = new Map<string, number>();
  readonly #suspectedMs = new Map<number, number>();
  readonly #penaltiesMs = new Map<number, number>();
  readonly #backoff = new Backoff();

  constructor(me: number, layoutNow: () => Layout) {
    this.#me = me;
    this.#layoutNow = layoutNow;
  }

  get #layout(): Layout {
    return this.#layoutNow();
  }

  /** True: it was not known, so the others have to hear of it. */
  noteLag(lag: Lag, nowMs: number): boolean {
    const name = nameOf(lag.node, lag.shard);
    const before = this.#lags.get(name);
    this.#lags.set(name, { ...lag, untilMs: nowMs + groupLimits.lagHoldsMs });
    return before?.epoch !== lag.epoch || lag.waitedMs > before.waitedMs;
  }

  /** Forgets what is long ago. True: the others have to hear of it. */
  expire(nowMs: number): boolean {
    const old = [...this.#lags].filter(([, { untilMs }]) => nowMs >= untilMs);
    for (const [name] of old) this.#lags.delete(name);
    return old.length > 0;
  }

  /** Of late, longest waits first. */
  get lags(): readonly Lag[] {
    return [...this.#lags.values()].sort((a, b) => b.waitedMs - a.waitedMs);
  }

  /** What may become other without any event. */
  get wantsTicks(): boolean {
    return this.#lags.size > 0 || this.#penaltiesMs.size > 0 || this.#agreedMs.size > 0;
  }

  /**
   * These names say who is slow in which shard, as the members agree now; those are returned on
   * which they have agreed for so long that a member that thinks otherwise would have been heard.
   */
  standing(names: readonly string[], nowMs: number): string[] {
    for (const name of [...this.#agreedMs.keys()]) {
      if (!names.includes(name)) this.#agreedMs.delete(name);
    }
    return names.filter((name) => {
      const sinceMs = this.#agreedMs.get(name) ?? nowMs;
      this.#agreedMs.set(name, sinceMs);
      return nowMs - sinceMs >= groupLimits.tickMs;
    });
  }

  /** For my hello: whom I was made to wait for, where anything is done about it. */
  get accusations(): Accusation[] {
    const isMeant = (shard: number): boolean =>
      this.#layout.has(shard) && this.#layout.shard(shard).slowMember.policy !== 'wait';
    return this.lags
      .filter(({ shard }) => isMeant(shard))
      .map(({ shard, epoch, node, waitedMs }) => ({ shard, epoch, node, waitedMs }));
  }

  /** For my hello: shards that I observe. */
  get observes(): Observed[] {
    return [...this.#observed.values()].map(({ shard, ready }) => ({ shard, ready }));
  }

  get observations(): readonly Observation[] {
    return [...this.#observed.values()];
  }

  isObserving(shard: number): boolean {
    return this.#observed.has(shard);
  }

  /** True: that is news. */
  setReady(shard: number, ready: boolean): boolean {
    const observed = this.#observed.get(shard);
    if (observed === undefined || observed.ready === ready) return false;
    observed.ready = ready;
    return true;
  }

  /** True: other shards are observed here than before. */
  onView(
    before: CoreView | null,
    after: CoreView | null,
    refusedBy: (node: number) => readonly number[],
    nowMs: number,
  ): boolean {
    for (const [name, lag] of this.#lags) {
      if (epochOf(after, lag.shard) !== lag.epoch) this.#lags.delete(name);
    }
    this.#notePenalties(before, after, nowMs);
    const observedBefore = [...this.#observed.keys()].join();
    if (after === null) {
      this.#observed.clear();
      this.#aside.clear();
    } else {
      this.#noteAside(before, after, refusedBy, nowMs);
    }
    return observedBefore !== [...this.#observed.keys()].join();
  }

  /** May a member of the view be given a shard now that it lacks? */
  mayTake({ node, incarnation }: CoreMember, shard: number, hello: Hello | null): boolean {
    const since = this.#aside.get(asideName(node, incarnation, shard));
    if (since !== undefined && (hello?.view ?? 0) < since) return false;
    return hello?.observes.find((observed) => observed.shard === shard)?.ready !== false;
  }

  /** The members agree that it is too slow for one of its shards: it is to be suspected. */
  noteSuspected(node: number, nowMs: number): void {
    this.#suspectedMs.set(node, nowMs);
  }

  /** May one without a view be let in now? */
  mayJoin(node: number, nowMs: number): boolean {
    const untilMs = this.#penaltiesMs.get(node);
    if (untilMs === undefined || nowMs < untilMs) return untilMs === undefined;
    this.#penaltiesMs.delete(node);
    return true;
  }

  #noteAside(
    before: CoreView | null,
    after: CoreView,
    refusedBy: (node: number) => readonly number[],
    nowMs: number,
  ): void {
    for (const name of this.#aside.keys()) {
      const isThere = after.members.some(({ node, incarnation }) =>
        after.shards.some(({ shard }) => asideName(node, incarnation, shard) === name),
      );
      if (!isThere) this.#aside.delete(name);
    }
    for (const shard of this.#observed.keys()) {
      if (!this.#layout.has(shard)) this.#observed.delete(shard);
    }
    for (const core of after.shards) {
      const { shard } = core;
      for (const { node, seat, incarnation } of after.members) {
        const name = asideName(node, incarnation, shard);
        if (core.members.includes(seat)) {
          this.#aside.delete(name);
          if (node === this.#me) this.#observed.delete(shard);
        } else if (this.#standsAside(before, after, core, node, incarnation, refusedBy(node))) {
          this.#aside.set(name, after.number);
          if (node === this.#me) this.#observe(shard, nowMs);
        }
      }
    }
  }

  /** It was in the shard, is to hold it, can hold it, and is not in it any more. */
  #standsAside(
    before: CoreView | null,
    after: CoreView,
    { shard, closed }: CoreShard,
    node: number,
    incarnation: string,
    refused: readonly number[],
  ): boolean {
    const was = before?.shards.find((core) => core.shard === shard);
    const stays = before?.members.some(
      (member) => member.node === node && member.incarnation === incarnation,
    );
    const held =
      this.#layout.has(shard) && homesOf(this.#layout, after, shard).nodes.includes(node);
    const wasIn = was !== undefined && nodesOf(before as CoreView, was).includes(node);
    return stays === true && wasIn && held && !closed && !refused.includes(shard);
  }

  #observe(shard: number, nowMs: number): void {
    const { afterMs } = this.#layout.shard(shard).slowMember;
    const first = groupLimits.keepUpFactor * afterMs;
    const keepUpMs = this.#backoff.next(`shard ${String(shard)}`, first, nowMs);
    this.#observed.set(shard, { shard, afterMs, keepUpMs, ready: false });
  }

  /** Whoever was suspected for being slow, and is out of the view now, has to wait. */
  #notePenalties(before: CoreView | null, after: CoreView | null, nowMs: number): void {
    for (const { node, incarnation } of before?.members ?? []) {
      const stays = after?.members.some((member) => member.incarnation === incarnation);
      const suspectedMs = this.#suspectedMs.get(node);
      if (after === null || stays === true || suspectedMs === undefined) continue;
      this.#suspectedMs.delete(node);
      if (nowMs - suspectedMs > groupLimits.slowWaitMsMax) continue;
      const first = groupLimits.keepUpFactor * this.#patienceWith(node, before as CoreView);
      const waitMs = this.#backoff.next(`member ${String(node)}`, first, nowMs);
      this.#penaltiesMs.set(node, nowMs + waitMs);
    }
  }

  /** The shortest of the shards that it ran and that suspect a slow member. */
  #patienceWith(node: number, before: CoreView): number {
    const times = before.shards
      .filter((core) => this.#layout.has(core.shard) && nodesOf(before, core).includes(node))
      .map(({ shard }) => this.#layout.shard(shard).slowMember)
      .filter(({ policy }) => policy === 'suspect')
      .map(({ afterMs }) => afterMs);
    // The layout may be another one by now.
    return times.length === 0 ? groupLimits.renewAfterMs : Math.min(...times);
  }
}

/** How long to wait: twice as long as the last time, if that was not long ago. */
class Backoff {
  readonly #last = new Map<string, { readonly waitMs: number; readonly endsMs: number }>();

  next(name: string, firstMs: number, nowMs: number): number {
    const last = this.#last.get(name);
    const isAgain = last !== undefined && nowMs - last.endsMs < groupLimits.slowWaitMsMax;
    const waitMs = Math.min(isAgain ? 2 * last.waitMs : firstMs, groupLimits.slowWaitMsMax);
    this.#last.set(name, { waitMs, endsMs: nowMs + waitMs });
    return waitMs;
  }
}

function nameOf(node: number, shard: number): string {
  return `${String(node)} ${String(shard)}`;
}

function asideName(node: number, incarnation: string, shard: number): string {
  return `${String(node)} ${incarnation} ${String(shard)}`;
}

function epochOf(view: CoreView | null, shard: number): number {
  return view?.shards.find((core) => core.shard === shard)?.epoch ?? 0;
}
