/**
 * What a member knows of the group by itself and from the others' hellos; read by the machines that
 * decide (restart-leader.ts, restart-member.ts, join-leader.ts).
 *
 * Thread: event loop.
 */
import type { Attempt, Hello } from './group-messages.ts';
import type { Layout, ShardLayout } from './layout.ts';
import { homesOf, type ShardHomes, shardsIn } from './shard-homes.ts';
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

const ringsMark = '|rings:';

/** Rings of different sizes would be read as broken ones. */
export function fingerprintOf(layout: Layout, ringSize: number): string {
  return `${layout.fingerprint()}${ringsMark}${String(ringSize)}`;
}

export class GroupState {
  readonly me: number;
  readonly layout: Layout;
  /** Random, new with every start of this process; below 2^48. */
  readonly run: number;
  /** What members compare; see `differences`. */
  readonly fingerprint: string;
  readonly up = new Set<number>();
  readonly slow: SlowMembers;
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

  constructor(options: {
    readonly me: number;
    readonly layout: Layout;
    readonly run: number;
    readonly incarnation: string;
    /** Bytes of each ring, from the layout and this member's budget. */
    readonly ringSize: number;
    readonly record: ViewRecord;
    readonly nowMs: number;
  }) {
    this.#lastView = options.record.prepared ?? options.record.committed;
    this.me = options.me;
    this.layout = options.layout;
    this.fingerprint = fingerprintOf(options.layout, options.ringSize);
    this.slow = new SlowMembers(options.me, options.layout);
    this.run = options.run;
    this.#core = { ...blankCore, incarnation: options.incarnation };
    this.#sinceMs = options.nowMs;
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
    const refusedBy = (node: number): readonly number[] => this.hello(node)?.refused ?? [];
    this.slow.onView(before.installed, core.installed, refusedBy, nowMs);
    return (
      core.incarnation !== before.incarnation ||
      core.installed?.number !== before.installed?.number ||
      core.stuck !== before.stuck
    );
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
    return shardsIn(this.layout, this.#lastView).filter(({ members }) => members.includes(this.me));
  }

  /** Node ids in rank order of those that run the shard; empty: it is closed, or unknown. */
  runners(shard: number): readonly number[] {
    const { installed } = this.#core;
    const found = installed?.shards.find((item) => item.shard === shard);
    return installed === null || found === undefined ? [] : nodesOf(installed, found);
  }

  refuses(node: number, shard: number): boolean {
    return this.hello(node)?.refused.includes(shard) === true;
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
      fingerprint: this.fingerprint,
      up: [...this.up],
      view: installed?.number ?? 0,
      stuck,
      incarnations: (installed?.members ?? []).map((member) => member.incarnation),
      refused: [...this.#refused],
      slow: this.slow.accusations,
      observes: this.slow.observes,
      ...(this.leaving ? { leaving: true } : {}),
      ...(this.ailing ? { ailing: true } : {}),
    };
  }

  /** Members that are not connected with this one. */
  get missing(): readonly number[] {
    return this.layout.members.filter((node) => node !== this.me && !this.up.has(node));
  }

  /** Members, me included, that are here and well, have no view and are configured as I am. */
  blankMembers(): number[] {
    return this.layout.members.filter((node) => {
      const hello = this.hello(node);
      const isWell = hello?.ailing !== true;
      return isWell && hello?.view === 0 && hello.fingerprint === this.fingerprint;
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
      .filter(([, hello]) => hello.fingerprint !== this.fingerprint)
      .map(([node]) => node);
  }

  /** How each of them differs, to be read by people. */
  differences(): string[] {
    const [layout, ringSize = ''] = this.fingerprint.split(ringsMark);
    return this.misconfigured().map((node) => {
      const [theirs, size = ''] = this.hello(node)?.fingerprint.split(ringsMark) ?? [];
      return theirs === layout
        ? `member ${String(node)} has rings of ${size} bytes, this one of ${ringSize}: ` +
            'make memory.ringBudgetBytes alike'
        : `member ${String(node)} has other members or subgroups in its configuration; ` +
            'make them alike';
    });
  }

  /** Does a view that goes on count this very incarnation, although it is not in it? */
  isTakenForAnother(): boolean {
    const mine = this.#core.incarnation;
    return [...this.#hellos.values()].some(
      ({ view, stuck, incarnations }) => view > 0 && !stuck && incarnations.includes(mine),
    );
  }
}
