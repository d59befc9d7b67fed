import { type LayoutChange, type Random, SeededRandom } from '../../../platform/base/mod.ts';
import type { GroupEvent } from '../../../platform/group/group-events.ts';
import type { LayoutRequest } from '../../../platform/group/layout-change.ts';
import { Layout } from '../../../platform/group/layout.ts';
import type { CoreShard, CoreView } from '../../../platform/group/view-codec.ts';
import { nodesOf } from '../../../platform/group/view-codec.ts';
import type { ViewLayout } from '../../../platform/group/view-layout.ts';
import { WorldChecks } from './world-checks.ts';
import { WorldDisk } from './world-disk.ts';
import { WorldMember } from './world-member.ts';
import { WorldPools } from './world-pools.ts';

interface Due {
  readonly atMs: number;
  readonly nth: number;
  readonly run: () => void;
}

interface Link {
  up: boolean;
  /** Counts how often it went down: what is on its way then is lost. */
  losses: number;
  downMs: number;
  /** A clean cut, until it is mended. */
  cut: boolean;
}

/**
 * A cluster from a seed: members with disks, a network in order per pair, and time. The same seed
 * gives the same log.
 */
export class World {
  /** As configured. */
  readonly layout: Layout;
  readonly random: Random;
  readonly checks: WorldChecks;
  readonly log: string[] = [];
  nowMs = 1;
  isWriting = true;
  readonly pools = new WorldPools(this);
  readonly #members = new Map<number, WorldMember>();
  readonly #disks = new Map<number, WorldDisk>();
  readonly #links = new Map<string, Link>();
  /** When the last message or event of a pair arrives. */
  readonly #arrivals = new Map<string, number>();
  /** How far a node's clock is ahead, µs. */
  readonly #clocks = new Map<number, number>();
  readonly #layouts = new WeakMap<ViewLayout, Layout>();
  #heap: Due[] = [];
  #nth = 0;
  #runs = 0;

  readonly replaceAfterMs: number | null;

  constructor(layout: Layout, seed: number, replaceAfterMs: number | null = 10_000) {
    this.replaceAfterMs = replaceAfterMs;
    this.layout = layout;
    this.random = new SeededRandom(seed);
    this.checks = new WorldChecks(this);
    for (const node of layout.members) {
      this.#disks.set(node, new WorldDisk(layout.shards));
    }
  }

  /** What the newest view has. */
  get layoutNow(): Layout {
    return this.layoutOf(this.checks.newest?.layout ?? null);
  }

  /** Of a view. */
  layoutOf(given: ViewLayout | null): Layout {
    if (given === null) return this.layout;
    const layout = this.#layouts.get(given) ?? Layout.ofView(this.layout.members, given);
    this.#layouts.set(given, layout);
    return layout;
  }

  get alive(): readonly number[] {
    return this.layout.members.filter((node) => this.#members.has(node));
  }

  get dead(): readonly number[] {
    return this.layout.members.filter((node) => !this.#members.has(node));
  }

  /** Null: it does not run. */
  member(node: number): WorldMember | null {
    return this.#members.get(node) ?? null;
  }

  disk(node: number): WorldDisk {
    return this.#disks.get(node) as WorldDisk;
  }

  /** Shards that a view may begin: everybody has room for them. */
  addShards(shards: readonly CoreShard[]): void {
    for (const disk of this.#disks.values()) disk.add(shards);
  }

  nextRun(): number {
    this.#runs++;
    return this.#runs;
  }

  nextIncarnation(): string {
    this.#runs++;
    return this.#runs.toString(16).padStart(16, '0');
  }

  note(text: string): void {
    this.log.push(`${String(this.nowMs)} ${text}`);
  }

  boot(node: number): void {
    this.note(`${String(node)} starts`);
    const member = new WorldMember(this, node, this.disk(node));
    this.#members.set(node, member);
    member.enter({ type: 'begin' });
    for (const other of this.alive) {
      this.#connect(node, other);
    }
  }

  /** Ends a member at once: of what it had not synced a part is gone. */
  crash(node: number): void {
    const member = this.#members.get(node);
    if (member === undefined) {
      return;
    }
    this.note(`${String(node)} dies`);
    member.alive = false;
    for (const other of this.alive) {
      this.#disconnect(node, other);
    }
    this.#members.delete(node);
    for (const log of this.disk(node).logs.values()) {
      log.crash((unsynced) => this.random.below(unsynced + 1));
    }
  }

  cut(a: number, b: number): void {
    this.#link(a, b).cut = true;
    this.#disconnect(a, b);
  }

  mend(a: number, b: number): void {
    this.#link(a, b).cut = false;
    this.#connect(a, b);
  }

  isCut(a: number, b: number): boolean {
    return this.#link(a, b).cut;
  }

  isUp(a: number, b: number): boolean {
    return this.#link(a, b).up;
  }

  downSince(a: number, b: number): number {
    return this.#link(a, b).downMs;
  }

  send(from: number, to: number, message: unknown): void {
    if (from === to) {
      this.member(to)?.enter({ type: 'message', from, message });
    } else {
      this.#deliver(from, to, { type: 'message', from, message }, this.#link(from, to).losses);
    }
  }

  clockUs(node: number): number {
    return this.#clocks.get(node) ?? 0;
  }

  /** Everybody finds it out. */
  setClock(node: number, aheadUs: number): void {
    this.#clocks.set(node, aheadUs);
    for (const from of this.alive) {
      for (const to of this.alive) {
        if (from !== to) this.member(from)?.compareClocks(to);
      }
    }
  }

  after(delayMs: number, run: () => void): void {
    this.#push({ atMs: this.nowMs + delayMs, nth: this.#nth++, run });
  }

  runFor(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  /** False: the time is up. */
  runUntil(isDone: () => boolean, durationMs: number): boolean {
    const end = this.nowMs + durationMs;
    let next = this.#heap[0];
    while (next !== undefined && next.atMs <= end) {
      this.#pop();
      this.nowMs = next.atMs;
      next.run();
      if (isDone()) {
        return true;
      }
      next = this.#heap[0];
    }
    this.nowMs = end;
    return isDone();
  }

  /** A change of a shard, received by all who run its epoch; false: nobody takes it now. */
  write(shard: number): boolean {
    for (const node of this.random.shuffled(this.alive)) {
      const members = this.#writersOf(node, shard);
      const places = members.flatMap((member) => [
        ...member.log(shard).places,
        ...(member.received.get(shard) ?? []),
      ]);
      const epoch = members[0]?.core.takes(shard)?.epoch ?? 0;
      if (members.length > 0) {
        const before = places.filter((place) => place.epoch === epoch);
        const sequence = Math.max(-1, ...before.map((place) => place.sequence)) + 1;
        for (const member of members) {
          member.receive(shard, { epoch, sequence });
        }
        return true;
      }
    }
    return false;
  }

  /** Every member has one view, and all its shards run, but for those that are closed in it. */
  isSettled(): boolean {
    const views = this.alive.map((node) => this.member(node)?.core.installedAs);
    const first = this.member(this.alive[0] ?? 0)?.core.installed ?? null;
    const whole = first?.members.length === this.layout.members.length;
    const busy = this.alive.some((node) => this.member(node)?.core.pending !== null);
    const isOne = this.dead.length === 0 && new Set(views).size === 1 && !busy;
    return whole && isOne && this.#areFull(first);
  }

  /** Open shards have as many members as they are to have. */
  #areFull(view: CoreView): boolean {
    const layout = this.layoutNow;
    return view.shards.every(({ shard, closed, members }) => {
      if (!layout.has(shard)) return closed;
      const wanted = Math.min(layout.shard(shard).max, layout.members.length);
      return closed || members.length === wanted;
    });
  }

  /** Whoever leads the view that runs moves a shard, as people ask for it; false: nobody can. */
  move(shard: number): boolean {
    const leader = this.alive.map((node) => this.member(node)).find((one) => one?.core.leads);
    const machine = leader?.machine;
    const holders = machine?.holders(shard) ?? [];
    const from = holders.length === 0 ? 0 : this.random.pick(holders);
    const spares = this.alive.filter((node) => !holders.includes(node));
    const to = spares.length === 0 ? 0 : this.random.pick(spares);
    const move = { shard, from, to };
    if (leader === undefined || leader === null || machine?.moveRefusal(move) !== null) {
      return false;
    }
    this.note(`shard ${String(shard)} is to move from ${String(from)} to ${String(to)}`);
    leader.enter({ type: 'move', move });
    return true;
  }

  /**
   * Whoever leads the view that runs is asked for another layout. Null: nobody leads. What refuses
   * it is thrown.
   */
  changeLayout(request: Partial<LayoutRequest>): LayoutChange | null {
    const leader = this.alive.map((node) => this.member(node)).find((one) => one?.core.leads);
    if (leader?.machine.leads !== true) return null;
    const whole = { subgroups: [], exclusive: null, expect: null, dryRun: false, ...request };
    const { change, given } = leader.machine.planLayout(whole, () => 65_536);
    if (given !== null && !whole.dryRun) {
      this.note(`${change.lines.join(', ')}: version ${String(change.to)}`);
      leader.enter({ type: 'layout', layout: given });
    }
    return change;
  }

  #writersOf(node: number, shard: number): WorldMember[] {
    const core = this.member(node)?.core;
    const view = core?.installed ?? null;
    const mine: CoreShard | null = core?.takes(shard) ?? null;
    if (view === null || mine === null) {
      return [];
    }
    const nodes = nodesOf(view, mine);
    const members = nodes.map((other) => this.member(other));
    const together = members.every(
      (member) =>
        member?.core.installedAs === core?.installedAs &&
        member?.core.takes(shard)?.epoch === mine.epoch &&
        nodes.every((other) => other === member.node || this.isUp(member.node, other)),
    );
    return together ? members.filter((member) => member !== null) : [];
  }

  #connect(a: number, b: number): void {
    const link = this.#link(a, b);
    const alive = this.#members.has(a) && this.#members.has(b);
    if (a === b || link.up || link.cut || !alive) {
      return;
    }
    link.up = true;
    this.#deliver(a, b, { type: 'peer', node: a, up: true }, link.losses);
    this.#deliver(b, a, { type: 'peer', node: b, up: true }, link.losses);
  }

  #disconnect(a: number, b: number): void {
    const link = this.#link(a, b);
    if (!link.up) {
      return;
    }
    link.up = false;
    link.losses++;
    link.downMs = this.nowMs;
    this.#deliver(a, b, { type: 'peer', node: a, up: false }, null);
    this.#deliver(b, a, { type: 'peer', node: b, up: false }, null);
  }

  /** In order after what came before on this way. `losses` null: also when it is down by then. */
  #deliver(from: number, to: number, event: GroupEvent, losses: number | null): void {
    const way = `${String(from)} ${String(to)}`;
    const link = this.#link(from, to);
    const receiver = this.#members.get(to);
    const delay = this.random.chance(0.05) ? this.random.below(150) : this.random.below(8);
    const atMs = Math.max(this.#arrivals.get(way) ?? 0, this.nowMs + delay);
    this.#arrivals.set(way, atMs);
    this.after(atMs - this.nowMs, () => {
      if (losses === null || (link.losses === losses && link.up)) {
        receiver?.enter(event);
      }
    });
  }

  #link(a: number, b: number): Link {
    const name = `${String(Math.min(a, b))} ${String(Math.max(a, b))}`;
    const found = this.#links.get(name) ?? { up: false, losses: 0, downMs: 0, cut: false };
    this.#links.set(name, found);
    return found;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (isEarlier(heap[above] as Due, due)) {
        break;
      }
      heap[at] = heap[above] as Due;
      at = above;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Due;
    let at = 0;
    while (2 * at + 1 < heap.length) {
      const left = 2 * at + 1;
      const right = heap[left + 1];
      const less = right !== undefined && isEarlier(right, heap[left] as Due) ? left + 1 : left;
      if (isEarlier(last, heap[less] as Due)) {
        break;
      }
      heap[at] = heap[less] as Due;
      at = less;
    }
    if (heap.length > 0) {
      heap[at] = last;
    }
  }
}

function isEarlier(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.nth < b.nth);
}
