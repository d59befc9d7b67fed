import { homesOf } from '../../../platform/group/shard-homes.ts';
import { type CoreShard, type CoreView, nodesOf } from '../../../platform/group/view-codec.ts';
import type { World } from './group-world.ts';
import { identityOf } from './world-core.ts';
import type { Place } from './world-disk.ts';
import type { WorldMember } from './world-member.ts';

/** What went wrong in a world. */
export class Violation extends Error {}

/** Looks on from outside and throws when a promise of the protocol is broken. */
export class WorldChecks {
  readonly #world: World;
  /** What may be restarted from: by number all views that somebody prepared. */
  readonly #known = new Map<number, Map<string, CoreView>>();
  /** Nodes that prepared it, by its identity. */
  readonly #preparedBy = new Map<string, Set<number>>();
  readonly #installed = new Map<number, string>();
  /** What every later view has to follow: was installed, or may be at any time. */
  readonly #decided = new Map<string, CoreView>();
  /** shard → what was acknowledged as persisted. */
  readonly #acknowledged = new Map<number, Map<string, Place>>();
  /** By version. */
  readonly #layouts = new Map<number, string>();
  /** Shards that were taken away with their subgroups. */
  readonly #gone = new Set<number>();
  #newest: CoreView | null = null;
  restarts = 0;
  joins = 0;
  /** Views that gave somebody a shard in which it had no place, or took somebody out of one. */
  promotions = 0;
  departures = 0;
  /** Shards that were taken away. */
  get takenAway(): number {
    return this.#gone.size;
  }

  constructor(world: World) {
    this.#world = world;
  }

  get newest(): CoreView | null {
    return this.#newest;
  }

  acknowledgedOf(shard: number): readonly Place[] {
    return [...(this.#acknowledged.get(shard)?.values() ?? [])];
  }

  onPrepared(node: number, view: CoreView): void {
    const identity = identityOf(view);
    this.#world.addShards(view.shards);
    const views = this.#known.get(view.number) ?? new Map<string, CoreView>();
    this.#known.set(view.number, views.set(identity, view));
    const nodes = this.#preparedBy.get(identity) ?? new Set<number>();
    this.#preparedBy.set(identity, nodes.add(node));
    if (this.#isDecided(view)) {
      this.#decided.set(identity, view);
    }
  }

  /** Most of its members have prepared it, and most of the view before: nobody goes past it. */
  #isDecided(view: CoreView): boolean {
    const prepared = this.#preparedBy.get(identityOf(view)) ?? new Set();
    const parents = [...(this.#known.get(view.parent)?.values() ?? [])];
    return [view, ...parents].every((one) => isMajority(one, prepared));
  }

  /** A member is about to begin the view of a restart: nobody else has to have begun it. */
  onStart(view: CoreView): void {
    const prepared = this.#preparedBy.get(identityOf(view)) ?? new Set();
    const missing = view.members.filter(({ node }) => !prepared.has(node));
    if (missing.length > 0) {
      this.#fail(`view ${String(view.number)} starts before all have prepared it`);
    }
    const others = [...this.#decided.values()].filter(({ number }) => number !== view.number);
    const before = newestOf(others);
    const isFirst = !this.#installed.has(view.number);
    const isNewest = isFirst && before !== null && before.number < view.number;
    if (isNewest && !isMajority(before, prepared)) {
      const numbers = `${String(view.number)} without a majority of ${String(before.number)}`;
      this.#fail(`a restart begins view ${numbers}`);
    }
  }

  onInstalled(member: WorldMember, view: CoreView): void {
    const identity = identityOf(view);
    const known = this.#installed.get(view.number);
    this.#world.note(`${String(member.node)} is in view ${describe(view)}`);
    if (known !== undefined) {
      if (known !== identity) {
        this.#fail(`two views have number ${String(view.number)}`);
      }
      return;
    }
    this.#installed.set(view.number, identity);
    this.#decided.set(identity, view);
    this.onPrepared(member.node, view);
    this.#checkChain(view);
    if ((this.#newest?.number ?? 0) < view.number) {
      this.#count(view);
      this.#checkHomes(view);
      this.#checkLayout(view);
      this.#checkGone(view);
      this.#world.pools.checkAgainst(this.#world.layoutOf(view.layout));
      this.#newest = view;
      this.#checkHistories(view);
    }
  }

  /** Acknowledged is what all members of the epoch that runs have on disk. */
  onSynced(shard: number): void {
    for (const node of this.#world.alive) {
      const core = this.#world.member(node)?.core;
      const view = core?.installed ?? null;
      const found = view?.shards.find((item) => item.shard === shard);
      if (view === null || found === undefined || !found.persistent) {
        continue;
      }
      const members = nodesOf(view, found).map((other) => this.#world.member(other));
      const together = members.every((member) => member?.core.installedAs === core?.installedAs);
      if (together && members.length > 0) {
        this.#acknowledge(shard, members as WorldMember[]);
      }
    }
  }

  /** At the end: one history each, with all that was acknowledged. */
  checkEnd(): void {
    const { newest } = this;
    for (const shard of newest?.shards ?? []) {
      const nodes = newest === null ? [] : nodesOf(newest, shard);
      const digests = nodes.map((node) => this.#world.disk(node).log(shard.shard).digest);
      if (shard.persistent && new Set(digests).size > 1) {
        this.#fail(`histories of shard ${String(shard.shard)} differ: ${digests.join(' and ')}`);
      }
      for (const node of nodes) {
        this.#checkHistory(shard, node);
      }
    }
  }

  #count(view: CoreView): void {
    const before = this.#newest;
    const isNext = before !== null && view.parent === before.number;
    const isJoin = isNext && view.number === view.parent + 1;
    this.joins += isJoin && view.members.length > before.members.length ? 1 : 0;
    this.restarts += view.number > view.parent + 1 ? 1 : 0;
    if (!isNext) return;
    this.promotions += view.shards.some((shard) => this.#isPromotion(before, view, shard)) ? 1 : 0;
    this.departures += view.shards.some((shard) => isDeparture(before, view, shard)) ? 1 : 0;
  }

  #isPromotion(before: CoreView, view: CoreView, shard: CoreShard): boolean {
    if (before.shards.every((one) => one.shard !== shard.shard)) return false;
    const homes = homesOf(this.#world.layout, before, shard.shard).nodes;
    return nodesOf(view, shard).some((node) => !homes.includes(node));
  }

  /** Homes are where histories are: who runs a shard has a place, and a closed one keeps all. */
  #checkHomes(view: CoreView): void {
    const before = this.#newest;
    const layout = this.#world.layoutOf(view.layout);
    for (const shard of view.shards) {
      if (!layout.has(shard.shard)) continue;
      const homes = homesOf(this.#world.layout, view, shard.shard).nodes;
      const isNew = before?.shards.every((one) => one.shard !== shard.shard) !== false;
      const old = isNew ? homes : homesOf(this.#world.layout, before, shard.shard).nodes;
      const strangers = nodesOf(view, shard).filter((node) => !homes.includes(node));
      const isKept = !shard.closed || old.join() === homes.join();
      if (strangers.length > 0 || !isKept) {
        this.#fail(`shard ${String(shard.shard)} has homes ${homes.join()} in ${describe(view)}`);
      }
    }
  }

  /** What was taken away runs nowhere, and its number is nobody else's. */
  #checkGone(view: CoreView): void {
    const layout = this.#world.layoutOf(view.layout);
    for (const { shard } of this.#world.layoutNow.shards) {
      if (!layout.has(shard)) this.#gone.add(shard);
    }
    for (const { shard, closed } of view.shards) {
      const isThere = layout.has(shard);
      if (isThere ? this.#gone.has(shard) : !closed) {
        this.#fail(`shard ${String(shard)} was taken away, and is in ${describe(view)}`);
      }
    }
  }

  /** Each layout follows the one before, and none that a view had is lost. */
  #checkLayout({ number, layout }: CoreView): void {
    const version = layout?.version ?? 1;
    const before = this.#newest?.layout?.version ?? 1;
    const known = this.#layouts.get(version);
    const text = JSON.stringify(layout);
    this.#layouts.set(version, text);
    if (version !== before && version !== before + 1) {
      const versions = `${String(before)}, then ${String(version)}`;
      this.#fail(`the layouts of views up to ${String(number)} have versions ${versions}`);
    }
    if (known !== undefined && known !== text) {
      this.#fail(`two layouts have version ${String(version)}`);
    }
  }

  #acknowledge(shard: number, members: readonly WorldMember[]): void {
    const logs = members.map((member) => member.log(shard));
    const least = Math.min(...logs.map(({ synced }) => synced));
    const acknowledged = this.#acknowledged.get(shard) ?? new Map<string, Place>();
    for (const place of logs[0]?.places.slice(0, least) ?? []) {
      acknowledged.set(`${String(place.epoch)}.${String(place.sequence)}`, place);
    }
    this.#acknowledged.set(shard, acknowledged);
  }

  /** Installed views descend from each other. */
  #checkChain(view: CoreView): void {
    for (const number of this.#installed.keys()) {
      const other = this.#viewOf(number);
      const [low, high] = number < view.number ? [other, view] : [view, other];
      if (number !== view.number && !this.#descends(high, low.number)) {
        this.#fail(`view ${String(high.number)} does not follow view ${String(low.number)}`);
      }
    }
  }

  #viewOf(number: number): CoreView {
    const identity = this.#installed.get(number) ?? '';
    return this.#known.get(number)?.get(identity) as CoreView;
  }

  #descends(view: CoreView, from: number): boolean {
    if (view.parent <= from) {
      return view.parent === from;
    }
    const installed = this.#installed.has(view.parent);
    const parents = installed
      ? [this.#viewOf(view.parent)]
      : [...(this.#known.get(view.parent)?.values() ?? [])];
    return parents.some((parent) => this.#descends(parent, from));
  }

  /** What the members of a new view hold; those who were lost on the way do not count. */
  #checkHistories(view: CoreView): void {
    const prepared = this.#preparedBy.get(identityOf(view)) ?? new Set();
    for (const shard of view.shards) {
      const nodes = nodesOf(view, shard).filter((node) => prepared.has(node));
      for (const node of nodes) {
        this.#checkHistory(shard, node);
      }
      const members = nodes.map((node) => this.#world.member(node)).filter((one) => one !== null);
      // What the epochs before ended with is acknowledged now.
      if (shard.persistent && members.length > 0 && members.length === nodes.length) {
        this.#acknowledge(shard.shard, members);
      }
    }
  }

  #checkHistory({ shard, persistent }: CoreShard, node: number): void {
    const log = this.#world.disk(node).log(shard);
    const lost = this.acknowledgedOf(shard).find((place) => persistent && !log.has(place));
    if (lost !== undefined) {
      const place = `(${String(lost.epoch)}, ${String(lost.sequence)})`;
      this.#fail(`member ${String(node)} has lost ${place} of shard ${String(shard)}`);
    }
  }

  #fail(what: string): never {
    this.#world.note(what);
    throw new Violation(what);
  }
}

/** Of one that stays in the view. */
function isDeparture(before: CoreView, view: CoreView, shard: CoreShard): boolean {
  const old = before.shards.find((one) => one.shard === shard.shard);
  const nodes = nodesOf(view, shard);
  const left =
    old === undefined ? [] : nodesOf(before, old).filter((node) => !nodes.includes(node));
  return left.some((node) => view.members.some((member) => member.node === node));
}

function describe({ number, parent, members }: CoreView): string {
  const nodes = members.map(({ node }) => node).join(',');
  return `${String(number)} after ${String(parent)}: ${nodes}`;
}

function newestOf(views: readonly CoreView[]): CoreView | null {
  return views.reduce<CoreView | null>((best, next) => {
    return best === null || next.number > best.number ? next : best;
  }, null);
}

function isMajority({ members }: CoreView, nodes: ReadonlySet<number>): boolean {
  return 2 * members.filter(({ node }) => nodes.has(node)).length > members.length;
}
