/**
 * What a member knows of the group by itself and from the others' hellos; read by the machines that
 * decide (restart-leader.ts, restart-member.ts, join-leader.ts).
 *
 * Thread: event loop.
 */
import { GroupClocks } from './group-clocks.ts';
import type { Attempt, Hello } from './group-messages.ts';
import type { Layout, ShardLayout } from './layout.ts';
import { LayoutInForce } from './layout-in-force.ts';
import type { Tenants } from './machine-types.ts';
import { homesOf, membersMinOf, type ShardHomes, shardsIn } from './shard-homes.ts';
import { SlowMembers } from './slow-members.ts';
import { type CoreView, nodesOf } from './view-codec.ts';
import type { ViewRecord } from './view-record.ts';

/** How the core sees the views now; see NativeView of the bridge. */
export interface CoreState {
  readonly incarnation: string;
  readonly installed: CoreView | null;
  /** A view is on its way. */
  readonly changing: boolean;
  readonly leads: boolean;
  readonly stuck: boolean;
}

export const blankCore: Omit<CoreState, 'incarnation'> = {
  installed: null,
  changing: false,
  leads: false,
  stuck: false,
};

export class GroupState {
  readonly me: number;
  /** Which layout there is; see `layout`. */
  readonly layouts: LayoutInForce;
  /** Random, new with every start of this process; below 2^48. */
  readonly run: number;
  readonly up = new Set<number>();
  readonly slow: SlowMembers;
  readonly clocks: GroupClocks;
  readonly poolsIn: Tenants['poolsIn'];
  readonly #hellos = new Map<number, Hello>();
  #attempts = 0;
  #refused: readonly number[] = [];
  /** See hello, as the next. */
  leaving = false;
  ailing = false;
  #core: CoreState;
  /** When this incarnation began, monotonic ms. */
  #sinceMs: number;
  /** The newest view that this member had, or prepared in an earlier run. Null: none. */
  #lastView: CoreView | null;
  /** What `mine` found, and from what: it is asked for at every event. */
  #mine: { layout: Layout; view: CoreView | null; shards: readonly ShardLayout[] } | null = null;

  constructor(options: {
    readonly me: number;
    /** As configured. */
    readonly layout: Layout;
    readonly run: number;
    readonly incarnation: string;
    /** Bytes of each ring, from that layout and this member's budget. */
    readonly ringSize: number;
    readonly record: ViewRecord;
    readonly poolsIn: Tenants['poolsIn'];
    readonly maxClockSkewMs: number;
    readonly nowMs: number;
  }) {
    this.#lastView = options.record.prepared ?? options.record.committed;
    this.me = options.me;
    this.layouts = new LayoutInForce(options.layout, options.ringSize);
    this.layouts.follow(this.#lastView?.layout ?? null);
    this.slow = new SlowMembers(options.me, () => this.layout);
    this.clocks = new GroupClocks({
      me: options.me,
      maxClockSkewMs: options.maxClockSkewMs,
      members: options.layout.members,
      isBlank: () => this.isBlank,
      viewMembers: () => this.#viewMembers(),
      hellos: this.#hellos,
    });
    this.poolsIn = options.poolsIn;
    this.run = options.run;
    this.#core = { ...blankCore, incarnation: options.incarnation };
    this.#sinceMs = options.nowMs;
  }

  /** What the cluster is to have now, as far as this member knows. */
  get layout(): Layout {
    return this.layouts.now;
  }

  /** Of a restart or a join that I lead; never the same twice. */
  nextAttempt(): Attempt {
    this.#attempts++;
    return { leader: this.run, number: this.#attempts };
  }

  get core(): CoreState {
    return this.#core;
  }

  get isBlank(): boolean {
    return this.#core.installed === null;
  }

  /** True: something that the others have to know changed. */
  setCore(core: CoreState, nowMs: number): boolean {
    const before = this.#core;
    if (core.incarnation !== before.incarnation) {
      this.#sinceMs = nowMs;
    }
    this.#core = core;
    this.#lastView = core.installed ?? this.#lastView;
    if (core.installed !== null) this.layouts.follow(core.installed.layout);
    const refusedBy = (node: number): readonly number[] => this.hello(node)?.refused ?? [];
    this.slow.onView(before.installed, core.installed, refusedBy, nowMs);
    return (
      core.incarnation !== before.incarnation ||
      core.installed?.number !== before.installed?.number ||
      core.stuck !== before.stuck
    );
  }

  #viewMembers(): readonly number[] | null {
    const { installed, stuck } = this.#core;
    return installed === null || stuck ? null : installed.members.map(({ node }) => node);
  }

  /** Shards that may not go on here. */
  setRefused(shards: readonly number[]): void {
    this.#refused = shards;
  }

  /** Whose the places of a shard are, as far as this member knows. */
  homes(shard: number): ShardHomes {
    return homesOf(this.layout, this.#lastView, shard);
  }

  /** Shards in which this member has a place, as far as it knows. */
  get mine(): readonly ShardLayout[] {
    const { layout } = this;
    const view = this.#lastView;
    if (this.#mine?.layout !== layout || this.#mine.view !== view) {
      const shards = shardsIn(layout, view).filter(({ members }) => members.includes(this.me));
      this.#mine = { layout, view, shards };
    }
    return this.#mine.shards;
  }

  /** With fewer members the shard stands still. */
  minOf(shard: number): number {
    if (!this.layout.has(shard)) return 1;
    return membersMinOf(this.layout.shard(shard), this.homes(shard));
  }

  /** As many as `minOf` says? Asked with every put. */
  areEnough(shard: number, members: number): boolean {
    const min = this.layout.has(shard) ? this.layout.shard(shard).min : 1;
    return members >= min || members >= this.minOf(shard);
  }

  /** Node ids in rank order of those that run the shard; empty: it is closed, or unknown. */
  runners(shard: number): readonly number[] {
    const { installed } = this.#core;
    const found = installed?.shards.find((item) => item.shard === shard);
    return installed === null || found === undefined ? [] : nodesOf(installed, found);
  }

  /** The view that is installed here has the shard run by others alone. */
  runsWithoutMe(shard: number): boolean {
    const found = this.#core.installed?.shards.find((item) => item.shard === shard);
    const runners = this.runners(shard);
    return found?.closed === false && runners.length > 0 && !runners.includes(this.me);
  }

  // Asked at every event, so without the rest of my hello, as the next.
  refuses(node: number, shard: number): boolean {
    const refused = node === this.me ? this.#refused : this.#hellos.get(node)?.refused;
    return refused?.includes(shard) === true;
  }

  /** Whom a member says that it was made to wait for. */
  accusationsOf(node: number): Hello['slow'] {
    return node === this.me ? this.slow.accusations : (this.#hellos.get(node)?.slow ?? []);
  }

  /** May a member of the view, or a joiner, be given this shard now? */
  mayTake(node: number, shard: number): boolean {
    const member = this.#core.installed?.members.find((one) => one.node === node);
    return member === undefined || this.slow.mayTake(member, shard, this.hello(node));
  }

  ageMs(nowMs: number): number {
    return nowMs - this.#sinceMs;
  }

  setPeer(node: number, up: boolean): void {
    if (up) {
      this.up.add(node);
    } else {
      this.up.delete(node);
      this.#hellos.delete(node);
      this.clocks.forget(node);
    }
  }

  /** True: it is another run or incarnation than before. */
  setHello(node: number, hello: Hello): boolean {
    const before = this.#hellos.get(node);
    this.#hellos.set(node, hello);
    return (
      before !== undefined && (before.run !== hello.run || before.incarnation !== hello.incarnation)
    );
  }

  /** Null: it is not connected, or has said nothing yet. Mine included. */
  hello(node: number): Hello | null {
    return node === this.me ? this.myHello() : (this.#hellos.get(node) ?? null);
  }

  myHello(): Hello {
    const { incarnation, installed, stuck } = this.#core;
    return {
      type: 'hello',
      run: this.run,
      incarnation,
      fingerprint: this.layouts.fingerprint,
      ...(this.layouts.version > 1 ? { layout: this.layouts.version } : {}),
      up: [...this.up],
      view: installed?.number ?? 0,
      stuck,
      incarnations: (installed?.members ?? []).map((member) => member.incarnation),
      refused: [...this.#refused],
      slow: this.slow.accusations,
      observes: this.slow.observes,
      clocks: [...this.clocks.told],
      ...(this.leaving ? { leaving: true } : {}),
      ...(this.ailing ? { ailing: true } : {}),
    };
  }

  /** Members that are not connected with this one. */
  get missing(): readonly number[] {
    return this.layout.members.filter((node) => node !== this.me && !this.up.has(node));
  }

  /**
   * Members, me included, that are here and well, whose clocks are right, that have no view and go
   * by my layout, or can.
   */
  blankMembers(): number[] {
    return this.layout.members.filter((node) => {
      const hello = this.hello(node);
      const isWell = hello?.ailing !== true;
      const isBlank = isWell && hello?.view === 0 && this.layouts.isAlike(hello);
      return isBlank && this.clocks.verdict(node) === 'well';
    });
  }

  /** The number of a view that others go on with; 0: I know of none. */
  runningView(): number {
    const views = [...this.#hellos.values()].filter(({ view, stuck }) => view > 0 && !stuck);
    return Math.max(0, ...views.map(({ view }) => view));
  }

  /** Is each of these connected with all the others? */
  areLinked(nodes: readonly number[]): boolean {
    return nodes.every((node) =>
      nodes.every((to) => to === node || this.hello(node)?.up.includes(to) === true),
    );
  }

  /** Members that are here with another configuration. */
  misconfigured(): number[] {
    return [...this.#hellos]
      .filter(([, hello]) => !this.layouts.isAlike(hello))
      .map(([node]) => node);
  }

  /** How each of them differs, to be read by people. */
  differences(): string[] {
    return this.misconfigured().map((node) =>
      this.layouts.difference(node, this.hello(node) as Hello),
    );
  }

  /** Does a view that goes on count this very incarnation, although it is not in it? */
  isTakenForAnother(): boolean {
    const mine = this.#core.incarnation;
    return [...this.#hellos.values()].some(
      ({ view, stuck, incarnations }) => view > 0 && !stuck && incarnations.includes(mine),
    );
  }
}
