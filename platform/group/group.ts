/**
 * The group as its member sees it: feeds the machine with what happens, has its effects executed
 * (group-steps.ts), and tells the rest of the platform which view there is.
 *
 * Thread: event loop.
 * Invariant: the machine is entered by one event at a time.
 */
import {
  type CancelTimer,
  type FreshetError,
  type LayoutChange,
  type Logger,
  messageOf,
} from '../base/mod.ts';
import { viewNotices } from '../bridge/mod.ts';
import { type ClockReport, ClockWatch } from './clock-watch.ts';
import { EventStream } from './event-stream.ts';
import { groupLimits } from './group-limits.ts';
import type { GroupEffect, GroupEvent } from './group-events.ts';
import { GroupMachine } from './group-machine.ts';
import { GroupSteps } from './group-steps.ts';
import type { GroupOptions } from './group-options.ts';
import type { GroupView } from './group-view.ts';
import type { Layout, ShardLayout } from './layout.ts';
import type { LayoutRequest } from './layout-change.ts';
import { LeaderCalls } from './leader-calls.ts';
import { LeftLogs } from './left-logs.ts';
import type { GroupStatus } from './machine-types.ts';
import { type HeldRules, LogCare } from './log-care.ts';
import type { MemberCore } from './member-core.ts';
import { MemberDisks } from './member-disks.ts';
import { MemberLinks } from './member-links.ts';
import type { PeerMessages } from './peer-messages.ts';
import { ShardClosing } from './shard-closing.ts';
import { heldByRecord, type ShardHomes } from './shard-homes.ts';
import type { ShardMove } from './shard-moves.ts';
import type { Lag } from './slow-members.ts';
import { awaitRunning, explainStandstill, stoppedError, takenAwayError } from './standstill.ts';
import { seeViews } from './view-calls.ts';
import { ViewLeave } from './view-leave.ts';

export class Group {
  readonly care: LogCare;
  readonly #options: GroupOptions;
  readonly #disks: MemberDisks;
  readonly #core: MemberCore;
  readonly #messages: PeerMessages;
  readonly #machine: GroupMachine;
  readonly #steps: GroupSteps;
  readonly #closing: ShardClosing;
  readonly #leftLogs: LeftLogs | null;
  readonly #calls: LeaderCalls;
  readonly #links: MemberLinks;
  readonly #clocks: ClockWatch;
  readonly #log: Logger;
  readonly #watchers = new Set<EventStream<GroupView>>();
  readonly #queue: GroupEvent[] = [];
  #entered = false;
  #generation = 0;
  #cancelTick: CancelTimer | null = null;
  #leave: ViewLeave | null = null;
  #closed = false;

  constructor(options: GroupOptions) {
    const { core, messages, layout, random, record } = options;
    this.#options = options;
    this.#core = core;
    this.#messages = messages;
    this.#log = options.log;
    this.#disks = new MemberDisks(core, options.log);
    this.care = new LogCare({
      ...options,
      ...options.logCare,
      layoutNow: () => this.layout,
      rulesOf: (shard) => this.#rulesOf(shard),
      homes: (shard) => this.#machine.homes(shard).nodes,
      runsWithoutMe: (shard) => this.#machine.runsWithoutMe(shard),
      onRefusals: () => {
        this.#enter({ type: 'refused', shards: this.care.refused });
        this.#publishView();
      },
    });
    const asLaidOut = {
      shardOf: (shard: number) => this.#machine.layouts.shard(shard),
      ringSize: () => this.#machine.layouts.ringSize,
      isDiskFull: () => this.#disks.isMineFull,
    };
    this.#steps = new GroupSteps({ ...options, ...asLaidOut, care: this.care }, (event) => {
      this.#enter(event);
    });
    this.#closing = new ShardClosing({
      ...options,
      care: this.care,
      isWanted: (shard) => this.#machine.mayNeed(shard),
      isHealthy: (shard) =>
        !this.layout.has(shard) ||
        this.#machine.holders(shard).length >= this.#machine.minOf(shard),
      run: (work) => this.#steps.runAside(work),
    });
    this.#leftLogs = this.#makeLeftLogs();
    this.#machine = new GroupMachine({
      me: core.nodeId,
      layout,
      run: random.u32() * 2 ** 16 + (random.u32() >>> 16),
      incarnation: core.incarnation,
      record,
      ringSize: layout.commonRingSize(options.ringBudgetBytes),
      replaceAfterMs: options.replaceAfterMs,
      poolsIn: options.tenants.poolsIn,
      maxClockSkewMs: options.maxClockSkewMs,
      nowMs: options.clock.monotonicMs(),
    });
    this.#links = new MemberLinks({
      ...options,
      onPeer: (node, up) => {
        this.#enter({ type: 'peer', node, up });
        this.#clocks.onPeer(node, up);
      },
    });
    this.#clocks = this.#watchClocks();
    this.#calls = new LeaderCalls({
      machine: this.#machine,
      messages,
      nodeId: core.nodeId,
      ringSizeOf: (wanted) => wanted.commonRingSize(options.ringBudgetBytes),
      tenants: options.tenants,
      log: options.log,
      enter: (event) => {
        this.#enter(event);
      },
    });
  }

  get status(): GroupStatus {
    return this.#machine.status;
  }

  /** What the cluster is to have now, as far as this member knows; another one after a change. */
  get layout(): Layout {
    return this.#machine.layout;
  }

  /** 1: as configured; one more with each change. */
  get layoutVersion(): number {
    return this.#machine.layouts.version;
  }

  /** Node ids of those that are to hold each shard, with the members that the view has. */
  get wanted(): ReadonlyMap<number, readonly number[]> {
    return this.#machine.wanted;
  }

  get view(): GroupView {
    const { core, members } = this.#options;
    const status = this.#machine.status;
    const mine = this.held.map(({ shard }) => shard);
    return {
      number: status.view,
      members: members.map((member) => ({
        ...member,
        up: member.id === core.nodeId || this.#messages.up.has(member.id),
        leads: member.id === status.leader,
        me: member.id === core.nodeId,
      })),
      running: status.running && this.refusal === null,
      stopped: mine.filter((shard) => !this.isRunning(shard) && !this.isObserving(shard)),
      problem: status.problem,
    };
  }

  /** Shards in which this member has a place, with the node ids of all who have one as members. */
  get held(): readonly ShardLayout[] {
    return this.#machine.mine;
  }

  /** Why a shard of this member may not go on here, or null. */
  get refusal(): FreshetError | null {
    const found = this.held.map(({ shard }) => this.care.refusalOf(shard));
    return found.find((refusal) => refusal !== null) ?? null;
  }

  isRunning(shard: number): boolean {
    return this.runningEpoch(shard) > 0;
  }

  /** 0: the shard stands still, or is not held here. */
  runningEpoch(shard: number): number {
    // What comes while this member leaves waits: the epochs that it has are about to end.
    if (this.#leave?.isOver === false) return 0;
    return this.care.refusalOf(shard) === null ? this.#machine.runningEpoch(shard) : 0;
  }

  /** The shard goes on without this member, which was slow, and follows what the others do. */
  isObserving(shard: number): boolean {
    return this.care.refusalOf(shard) === null && this.#machine.isObserving(shard);
  }

  /** How old what this member has of such a shard may be, ms; null: it does not observe it. */
  observedLagMs(shard: number): number | null {
    return this.isObserving(shard) ? this.#steps.observedLagMs(shard) : null;
  }

  /** Members that this one was made to wait for of late, the longest wait first. */
  get lags(): readonly Lag[] {
    return this.#machine.lags;
  }

  /** This member's clocks, and others' beside them. */
  get clocks(): ClockReport {
    return this.#clocks.report;
  }

  /** Node ids in rank order of those that run a shard, as far as this member knows. */
  holders(shard: number): readonly number[] {
    return this.#machine.holders(shard);
  }

  /** Those of the holders that send. */
  senders(shard: number): readonly number[] {
    return this.#machine.senders(shard);
  }

  /** Others go on in a view that this member is not in. */
  get runsElsewhere(): boolean {
    return this.#machine.runsElsewhere;
  }

  /** As `LeaderCalls.move`. */
  move(move: ShardMove): Promise<void> {
    return this.#calls.move(move);
  }

  /** As `LeaderCalls.changeLayout`. */
  changeLayout(request: LayoutRequest): Promise<LayoutChange> {
    return this.#calls.changeLayout(request);
  }

  #rulesOf(shard: number): HeldRules {
    const { delivery, slowMember, multicast } = this.#machine.layouts.shard(shard);
    return { raw: delivery === 'raw', multicast, lagAfterMs: slowMember.afterMs };
  }

  /** Who has places in a shard, and who of them gives his away. */
  homes(shard: number): ShardHomes {
    return this.#machine.homes(shard);
  }

  /** The view now, then at every change, until the iterator is returned or the member closes. */
  watchView(): EventStream<GroupView> {
    const stream: EventStream<GroupView> = new EventStream(groupLimits.viewEvents, () => {
      this.#watchers.delete(stream);
    });
    this.#watchers.add(stream);
    stream.push(this.view);
    return stream;
  }

  /** Whether a shard is to be asked for here: it runs here, or nowhere and has a place here. */
  isHere(shard: number): boolean {
    const holders = this.holders(shard);
    const nodes = holders.length === 0 ? this.#machine.homes(shard).nodes : holders;
    return !this.runsElsewhere && nodes.includes(this.nodeId);
  }

  get nodeId(): number {
    return this.#core.nodeId;
  }

  /** Another number means that anything that is told of views and shards may be otherwise. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Opens the shards of this member, where its record says it has places; what they hold on disk is
   * read. One that is damaged stays closed until the others have mended it; LOG_CORRUPT: there are
   * no others.
   */
  async openShards(): Promise<void> {
    const { record } = this.#options;
    for (const layout of heldByRecord(this.layout, record, this.#core.nodeId)) {
      await this.care.open(layout);
    }
  }

  /** Connects with the other members and begins the start protocol. After `openShards`. */
  begin(): void {
    const { core } = this.#options;
    core.listen({
      onShardStopped: (shard, status, node) => {
        const reason = core.statusName(status);
        this.#log.warn({ shard, reason, node }, 'a shard stopped');
        this.#publishView();
      },
      onView: (notice) => {
        this.#onNotice(notice);
      },
      onLag: (lag) => {
        this.#enter({ type: 'lag', lag });
      },
    });
    this.#messages.onGroupMessage((from, message) => {
      this.#enter({ type: 'message', from, message });
    });
    this.#links.begin();
    this.#enter({ type: 'begin' });
    this.#clocks.begin();
    this.care.begin();
    this.#leftLogs?.begin();
  }

  /**
   * Resolves once every shard of this member runs. Rejects TIMEOUT, saying whom it waits for;
   * LOG_CORRUPT, HISTORY_DIFFERS: a shard of this member may not go on.
   */
  async whenRunning(timeoutMs: number): Promise<void> {
    await awaitRunning({
      views: this.watchView(),
      clock: this.#options.clock,
      timeoutMs,
      refusal: () => this.refusal,
      isClosed: () => this.#closed,
      explain: () => this.explain(),
    });
  }

  /** Why shards stand still, in words. */
  explain(): string {
    return explainStandstill(this.status, this.refusal, this.#links.problems);
  }

  /**
   * SHARD_STOPPED with whom the shard waits for; why it may not go on here; or UNKNOWN_POOL, where
   * it was taken away with its subgroup.
   */
  stoppedError(shard: number, what: string): FreshetError {
    if (!this.layout.has(shard)) return takenAwayError(shard, what);
    const refusal = this.care.refusalOf(shard);
    if (refusal !== null) return refusal;
    const places = { held: this.holders(shard).length, min: this.#machine.minOf(shard) };
    return stoppedError({ shard, ...places }, what, this.status, this.explain());
  }

  /** DISK_FULL, which names the member of the shard whose disk it is. */
  diskFullError(shard: number, what: string): FreshetError {
    return this.#disks.fullError(shard, this.holders(shard), what);
  }

  /** Goes by this member's own word; resolves once the others have gone on, or cannot. */
  async leave(): Promise<void> {
    if (this.#closed || this.#leave !== null) return;
    const stays = (node: number): boolean => this.#machine.stays(node);
    const leave = new ViewLeave(this.#core, this.#options.clock, stays);
    this.#leave = leave;
    this.#enter({ type: 'leaving' });
    await leave.run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#leave?.end();
    this.#cancelTick?.();
    this.#closing.end();
    this.#clocks.close();
    this.#links.close();
    this.#leftLogs?.end();
    await this.care.close();
    for (const watcher of [...this.#watchers]) {
      watcher.end();
    }
    // A step may wait for the native side, whose close answers it: no waiting for that here.
    const waited = new Promise<void>((resolve) => {
      this.#options.clock.after(groupLimits.closeWaitMs, resolve);
    });
    await Promise.race([this.#steps.close(), waited]);
  }

  #watchClocks(): ClockWatch {
    return new ClockWatch({
      ...this.#options,
      machine: () => this.#machine,
      enter: (event) => {
        this.#enter(event);
      },
    });
  }

  #makeLeftLogs(): LeftLogs | null {
    const { leftLogs } = this.#options;
    if (leftLogs === null) return null;
    return new LeftLogs({
      ...this.#options,
      ...leftLogs,
      isLeft: (shard) => {
        const isKnown = this.layout.has(shard) || this.#machine.layouts.hasTakenAway(shard);
        return isKnown && !this.care.opened.includes(shard) && !this.#machine.mayNeed(shard);
      },
      isWhole: (shard) => this.#machine.isWhole(shard),
      run: (work) => {
        this.#steps.runAside(work);
      },
    });
  }

  /** A group that runs has nothing to wait for, and its members sleep. */
  #tickLater(): void {
    if (this.#cancelTick !== null || this.#closed || !this.#machine.wantsTicks) {
      return;
    }
    this.#cancelTick = this.#options.clock.after(groupLimits.tickMs, () => {
      this.#cancelTick = null;
      this.#enter({ type: 'tick' });
    });
  }

  #enter(event: GroupEvent): void {
    this.#queue.push(event);
    if (this.#entered || this.#closed) {
      return;
    }
    this.#entered = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const now = this.#options.clock.monotonicMs();
        this.#generation++;
        for (const effect of this.#machine.onEvent(next, now)) {
          this.#execute(effect);
        }
      }
    } finally {
      this.#entered = false;
      this.#leave?.look();
      this.#tickLater();
    }
  }

  #execute(effect: GroupEffect): void {
    switch (effect.type) {
      case 'send':
        if (effect.to === this.#core.nodeId) {
          this.#enter({ type: 'message', from: effect.to, message: effect.message });
        } else {
          this.#messages.sendGroup(effect.to, effect.message);
        }
        return;
      case 'log':
        this.#log[effect.level](effect.text);
        return;
      case 'changed':
        this.#publishView();
        return;
      case 'refuse': {
        const { shard, version, minority } = effect.apart;
        this.care.refuseHistory(shard, version, minority);
        return;
      }
      default:
        this.#steps.run(effect);
        return;
    }
  }

  #onNotice(notice: number): void {
    const view = seeViews(this.#core);
    if (view === null) {
      return;
    }
    if (notice === viewNotices.outdated && this.#leave !== null) {
      this.#leave.onOutdated();
    } else if (notice === viewNotices.failed) {
      this.#enter({ type: 'disk', failed: true });
    } else if (notice === viewNotices.behind) {
      this.#steps.catchUp();
    } else if (notice === viewNotices.outdated) {
      this.#enter({ type: 'outdated', why: 'the others went on without this member' });
    } else if (notice === viewNotices.fill && view.proposal !== null) {
      this.#steps.fillProposal(view.proposal, view.vote);
    }
    this.#enter({ type: 'core', core: view.core, proposal: view.proposal });
    this.care.seeView(view.core.installed?.number ?? 0);
    this.#followRules();
    this.#closing.look();
  }

  #followRules(): void {
    this.care.followRules().catch((caught: unknown) => {
      if (!this.#closed) this.#log.warn({ error: messageOf(caught) }, 'rules were not taken');
    });
  }

  #publishView(): void {
    if (this.#watchers.size > 0) {
      const { view } = this;
      for (const watcher of this.#watchers) {
        watcher.push(view);
      }
    }
  }
}
