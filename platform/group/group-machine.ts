/**
 * The choices of membership as one synchronous machine: (state, event, now) → effects. It holds no
 * promise, no timer and does no I/O; `group.ts` executes the effects and brings their outcome back
 * as events.
 *
 * Whom to remove is the core's affair (native/core/view). Here is decided how a cluster starts when
 * no view runs (restart-leader.ts and restart-member.ts), who is let into a running view
 * (join-leader.ts), and when a member gives up what it was to begin anew.
 *
 * A total restart, led by the lowest node id among those that have no view:
 *
 *   waiting      for all, or after a while for a majority
 *   collecting   collect → report: view records, and per shard position and highest epoch
 *   sealing      seal → sealed: shards are stopped, what was offered is noted; positions are final
 *   filling      fill → filled: who is behind fetches from the longest history (cut back first to
 *                the common point if its own history went another way)
 *   adopting     adopt → adopted: a view that was only prepared is in all records before it is
 *                left for the next; not when there is none
 *   preparing    prepare → prepared: the epochs' memory is made, the view record durable
 *   pausing      until every lease of before has ended
 *   starting     start → started: the view begins, the record is marked committed
 *
 * A lost connection, a failure or a timeout in any phase leads back to `waiting`; nothing is undone,
 * as every step can be repeated. Epochs are above every epoch that anyone ever prepared, so what an
 * abandoned attempt made is never used again.
 *
 * Thread: event loop.
 * Invariants
 *  1. A view starts only after every member of it has prepared it in the same attempt.
 *  2. A message of another attempt, sender or phase changes nothing and is counted.
 */
import { FreshetError } from '../base/mod.ts';
import type { GroupClocks } from './group-clocks.ts';
import type { GroupEffect, GroupEvent } from './group-events.ts';
import {
  type Attempt,
  type GroupMessage,
  type GroupMessageOf,
  parseGroupMessage,
  sameAttempt,
} from './group-messages.ts';
import { type CoreState, GroupState } from './group-state.ts';
import { JoinLeader } from './join-leader.ts';
import { type Layout, sendersAmong, type ShardLayout } from './layout.ts';
import { type LayoutRequest, planLayoutChange, type PlannedLayout } from './layout-change.ts';
import type { LayoutInForce } from './layout-in-force.ts';
import type { GroupStatus, MachineOptions } from './machine-types.ts';
import { ailment, Renewal } from './renewal.ts';
import { RestartLeader } from './restart-leader.ts';
import { SlowChoices } from './slow-choices.ts';
import type { Lag } from './slow-members.ts';
import { RestartMember } from './restart-member.ts';
import { moveRefusal } from './move-checks.ts';
import type { ShardHomes } from './shard-homes.ts';
import type { ShardMove } from './shard-moves.ts';
import type { CoreShard, CoreView } from './view-codec.ts';
import { isSameLayout, layoutFromText } from './view-layout.ts';
import { type Places, wantedPlaces } from './wanted-places.ts';

type Outcome = Extract<
  GroupEvent,
  { readonly type: 'states' | 'done' | 'failed' | 'admitted' | 'proposed' | 'filling' }
>;

export class GroupMachine {
  readonly #state: GroupState;
  readonly #member: RestartMember;
  readonly #restart: RestartLeader;
  readonly #join: JoinLeader;
  readonly #slow: SlowChoices;
  readonly #renewal: Renewal;
  #admission: { readonly by: number; readonly attempt: Attempt } | null = null;
  #ignored = 0;
  #renewing = false;

  constructor(options: MachineOptions) {
    this.#state = new GroupState(options);
    this.#member = new RestartMember(this.#state, options.record);
    this.#restart = new RestartLeader(this.#state);
    this.#join = new JoinLeader(this.#state, options.replaceAfterMs);
    this.#slow = new SlowChoices(this.#state);
    this.#renewal = new Renewal(this.#state);
  }

  get status(): GroupStatus {
    const { core, layout, missing } = this.#state;
    return {
      view: core.installed?.number ?? 0,
      members: core.installed?.members.map(({ node }) => node) ?? [],
      leader: core.installed?.members[0]?.node ?? (layout.members[0] as number),
      running: this.#state.mine.every(
        ({ shard }) => this.runningEpoch(shard) > 0 || this.isObserving(shard),
      ),
      missing,
      phase: this.#restart.phase,
      problem: this.#problem,
      refused: this.#isRefused,
      ignored: this.#ignored,
    };
  }

  get #problem(): string | null {
    const { ailing, clocks, me } = this.#state;
    if (ailing) return ailment;
    return this.#isRefused ? clocks.explain(me) : this.#restart.problem;
  }

  /** Others do not let this member in, as its clock is off. */
  get #isRefused(): boolean {
    return this.#state.isBlank && this.#state.clocks.isOff(this.#state.me);
  }

  get clocks(): GroupClocks {
    return this.#state.clocks;
  }

  /** My clock is off, and nothing goes by it: it may be read anew. */
  get mayReadClock(): boolean {
    return this.#isRefused && this.#admission === null && this.#restart.phase === 'waiting';
  }

  /** What the cluster is to have now, as far as this member knows. */
  get layout(): Layout {
    return this.#state.layout;
  }

  get layouts(): LayoutInForce {
    return this.#state.layouts;
  }

  /** With fewer members the shard stands still. */
  minOf(shard: number): number {
    return this.#state.minOf(shard);
  }

  /** Who is to hold each shard, with those who are in the view, and those who keep their places. */
  get wanted(): Places {
    const awaited = this.#join.awaited;
    return wantedPlaces(this.#state, { coming: [], awaited, filling: new Map(), moves: [] });
  }

  /**
   * What becomes of such a layout, if this member leads; `ringSizeOf`: bytes of each ring under one.
   * Throws INVALID_CONFIG, with what to mend; CONDITION_FAILED; NOT_CURRENT: another change is on
   * its way.
   */
  planLayout(request: LayoutRequest, ringSizeOf: (layout: Layout) => number): PlannedLayout {
    const planned = planLayoutChange(this.#state, request, ringSizeOf);
    const coming = this.#join.comingLayout;
    if (coming !== null && planned.given !== null && !isSameLayout(coming, planned.given)) {
      const text = 'Another change of the layout is on its way';
      throw new FreshetError('NOT_CURRENT', text, { mend: 'Try again in a moment' });
    }
    return planned;
  }

  /** The epoch of a shard that runs here; 0: none. */
  runningEpoch(shard: number): number {
    const core = this.#running(shard);
    return core?.epoch ?? 0;
  }

  /** The shard goes on without this member, which was slow and follows it. */
  isObserving(shard: number): boolean {
    return !this.#state.core.stuck && this.#state.slow.isObserving(shard);
  }

  /** Whom this member was made to wait for of late. */
  get lags(): readonly Lag[] {
    return this.#state.slow.lags;
  }

  /** Shards in which this member has a place, with all who have one. */
  get mine(): readonly ShardLayout[] {
    return this.#state.mine;
  }

  /** This member has a place in it, is being filled for it, or may be asked in a moment. */
  mayNeed(shard: number): boolean {
    const { core, isBlank } = this.#state;
    const isMine = this.mine.some((one) => one.shard === shard);
    return isMine || isBlank || core.changing || this.#admission !== null;
  }

  get leads(): boolean {
    const { leads, stuck } = this.#state.core;
    return leads && !stuck;
  }

  /** Why a shard cannot be moved so; null: it can, if this member leads. */
  moveRefusal(move: ShardMove): FreshetError | null {
    return moveRefusal(this.#state, move);
  }

  /** Whose the places of a shard are. */
  homes(shard: number): ShardHomes {
    return this.#state.homes(shard);
  }

  /** Node ids in rank order of those that run the shard, as far as this member knows. */
  holders(shard: number): readonly number[] {
    const { core, layout } = this.#state;
    const runs = core.installed?.shards.some((item) => item.shard === shard) === true;
    if (runs) return this.#state.runners(shard);
    return layout.has(shard) ? this.#state.homes(shard).nodes : [];
  }

  /** Those of the holders that send. */
  senders(shard: number): readonly number[] {
    const { core, layout } = this.#state;
    const found = core.installed?.shards.find((item) => item.shard === shard);
    const nodes = this.holders(shard);
    if (found === undefined && !layout.has(shard)) return [];
    const ranks = found?.senders ?? sendersAmong(layout.shard(shard), nodes);
    return ranks.flatMap((rank) => nodes[rank] ?? []);
  }

  /** Others go on in a view that this member is not in. */
  get runsElsewhere(): boolean {
    return this.#state.isBlank && this.#state.runningView() > 0;
  }

  /** The view that is installed here has the shard run by others alone. */
  runsWithoutMe(shard: number): boolean {
    return this.#state.runsWithoutMe(shard);
  }

  /** It is here and has not said that it leaves too. */
  stays(node: number): boolean {
    const hello = this.#state.hello(node);
    return hello !== null && hello.leaving !== true;
  }

  /** As many as the layout wants run the shard, and they are here; of one taken away: nobody is. */
  isWhole(shard: number): boolean {
    const { layout, me, up } = this.#state;
    if (!layout.has(shard)) return this.status.running;
    const here = this.holders(shard).filter((node) => node === me || up.has(node));
    const wanted = Math.max(layout.shard(shard).members.length, this.homes(shard).nodes.length);
    return this.status.running && here.length >= wanted;
  }

  /** Whether something may be due after a while, without any event: ticks are wanted then. */
  get wantsTicks(): boolean {
    const { core, layout } = this.#state;
    const incomplete = core.installed?.members.length !== layout.members.length;
    const { slow, ailing } = this.#state;
    const waits = this.#join.isBusy || this.#renewal.isWaiting || slow.wantsTicks || ailing;
    return core.installed === null || core.stuck || incomplete || waits;
  }

  /** `nowMs` is monotonic. */
  onEvent(event: GroupEvent, nowMs: number): GroupEffect[] {
    const effects: GroupEffect[] = [];
    switch (event.type) {
      case 'begin':
        this.#tellLayout(effects);
        this.#sayHello(effects);
        break;
      case 'peer':
        this.#onPeer(event.node, event.up, nowMs, effects);
        break;
      case 'message':
        this.#onMessage(event.from, event.message, nowMs, effects);
        break;
      case 'core':
        this.#onCore(event.core, event.proposal, nowMs, effects);
        break;
      case 'clock':
        if (this.clocks.note(event.node, event.offset, event.stepUs)) this.#sayHello(effects);
        break;
      case 'clockShifted':
        if (this.clocks.shift(event.byUs)) this.#sayHello(effects);
        break;
      case 'refused':
        this.#state.setRefused(event.shards);
        this.#sayHello(effects);
        break;
      case 'lag':
      case 'keepsUp':
        if (this.#slow.onEvent(event, nowMs, effects)) this.#sayHello(effects);
        break;
      case 'outdated':
        this.#renew(event.why, effects);
        break;
      case 'disk':
        this.#state.ailing = event.failed;
        if (event.failed) effects.push({ type: 'heal' });
        this.#sayHello(effects);
        break;
      case 'states':
      case 'done':
      case 'failed':
      case 'admitted':
      case 'proposed':
      case 'filling':
        this.#onOutcome(event, nowMs, effects);
        break;
      case 'move':
      case 'layout':
      case 'closed':
        this.#join.onEvent(event, nowMs);
        break;
      case 'leaving':
        this.#state.leaving = true;
        this.#sayHello(effects);
        break;
      case 'tick':
        break;
    }
    if (this.#slow.onTick(nowMs, effects)) this.#sayHello(effects);
    this.#restart.onTick(nowMs, effects);
    this.#join.onTick(nowMs, effects);
    const lapse = this.#renewal.due(nowMs);
    if (lapse !== null) this.#renew(lapse, effects);
    if (event.type !== 'tick') this.clocks.look(effects);
    return effects;
  }

  /** Of what took time. */
  #onOutcome(event: Outcome, nowMs: number, effects: GroupEffect[]): void {
    switch (event.type) {
      case 'states':
        this.#member.onStates(event.attempt, event.shards, event.record, nowMs, effects);
        return;
      case 'done':
        this.#member.onDone(event.attempt, effects);
        return;
      case 'failed':
        this.#member.onFailed(event.attempt, event.reason, effects);
        this.#join.onProposed(event.attempt, false, nowMs);
        return;
      case 'admitted':
        this.#onAdmitted(event, effects);
        return;
      case 'proposed':
        this.#join.onProposed(event.attempt, event.taken, nowMs);
        return;
      case 'filling':
        this.#onFilling(event.attempt, effects);
        return;
    }
  }

  #running(shard: number): CoreShard | null {
    const { core, me } = this.#state;
    const found = core.installed?.shards.find((item) => item.shard === shard);
    const seat = core.installed?.members.find(({ node }) => node === me)?.seat;
    const runs = !core.stuck && seat !== undefined && found?.members.includes(seat) === true;
    const enough = this.#state.areEnough(shard, found?.members.length ?? 0);
    return runs && enough ? found : null;
  }

  #onPeer(node: number, up: boolean, nowMs: number, effects: GroupEffect[]): void {
    this.#state.setPeer(node, up);
    if (!up) {
      this.#restart.onPeerDown(node, nowMs, effects);
      this.#join.onPeerDown(node, nowMs);
    }
    effects.push({ type: 'changed' });
    this.#sayHello(effects);
  }

  #onCore(core: CoreState, proposal: CoreView | null, nowMs: number, effects: GroupEffect[]): void {
    const before = this.#state.core;
    const { version } = this.#state.layouts;
    this.#state.layouts.expect(proposal?.layout ?? null);
    const told = this.#state.setCore(core, nowMs);
    const isNext = core.installed?.number !== before.installed?.number;
    this.#renewal.onCore(core, isNext, nowMs);
    if (this.#state.layouts.version !== version) this.#tellLayout(effects);
    if (core.incarnation !== before.incarnation) {
      this.#renewing = false;
      this.#admission = null;
    }
    if (core.installed !== null && core.installed.number !== before.installed?.number) {
      this.#member.onInstalled(core.installed);
      this.#join.onView(nowMs);
      const members = core.installed.members.map(({ node }) => String(node)).join(', ');
      const text = `view ${String(core.installed.number)} has members ${members}`;
      effects.push({ type: 'log', level: 'info', text });
    }
    if (proposal !== null) {
      this.#member.onProposal(proposal);
    }
    effects.push({ type: 'changed' });
    if (told) {
      this.#sayHello(effects);
    }
  }

  #onMessage(from: number, value: unknown, nowMs: number, effects: GroupEffect[]): void {
    const message = parseGroupMessage(value);
    const known = this.#state.layout.members.includes(from);
    const taken = message !== null && known && this.#take(from, message, nowMs, effects);
    if (!taken) {
      this.#ignored++;
      const what = message === null ? 'a malformed group message' : `a stale ${message.type}`;
      const text = `member ${String(this.#state.me)} ignored ${what} of ${String(from)}`;
      effects.push({ type: 'log', level: 'warn', text });
    }
  }

  #take(from: number, message: GroupMessage, nowMs: number, effects: GroupEffect[]): boolean {
    if (message.type === 'hello') {
      const again = this.#state.setHello(from, message);
      this.#restart.onHello(from, again, nowMs, effects);
      return true;
    }
    // Whoever is about to become another incarnation takes part in nothing.
    if (this.#renewing) {
      return false;
    }
    if (message.type === 'admit') {
      this.#onAdmit(from, message, effects);
      return true;
    }
    if (message.type === 'collect' && this.#state.isBlank && this.#admission !== null) {
      // Its step gives way to the restart's.
      const { attempt } = this.#admission;
      this.#onAdmitted({ attempt, reason: 'a restart has begun', shards: [] }, effects);
    }
    return (
      this.#member.onMessage(from, message, effects) ||
      this.#restart.onMessage(from, message, nowMs, effects) ||
      this.#join.onMessage(from, message, nowMs, effects)
    );
  }

  /** The configuration of a member may be older than the layout of its cluster, or newer. */
  #tellLayout(effects: GroupEffect[]): void {
    const text = this.#state.layouts.differenceFromConfigured();
    if (text !== null) effects.push({ type: 'log', level: 'warn', text });
  }

  /** A blank member holds all its shards still for it, one of the view only those that it lacks. */
  #onAdmit(from: number, message: GroupMessageOf<'admit'>, effects: GroupEffect[]): void {
    const { attempt, fills, shards } = message;
    const { core, isBlank, me, layouts } = this.#state;
    const isOther = isBlank && layouts.follow(layoutFromText(message.layout));
    if (isOther) this.#tellLayout(effects);
    const named = [...new Set([...fills.map(({ shard }) => shard), ...shards])];
    const isKnown = named.every((shard) => this.#state.layout.has(shard));
    const runs = named.some((shard) => this.runningEpoch(shard) > 0);
    if (core.changing || !isKnown || runs) {
      const known = isKnown ? 'a shard of it runs here' : 'a shard of it is not known here';
      const reason = core.changing ? 'a view is on its way here' : known;
      effects.push({ type: 'send', to: from, message: { type: 'failed', attempt, reason } });
      return;
    }
    if (isBlank) {
      this.#member.giveUp();
    }
    const held = isBlank ? this.#state.mine.map(({ shard }) => shard) : [];
    const mine = held.filter((shard) => !this.#state.refuses(me, shard));
    const sealed = [...new Set([...mine, ...named])];
    this.#admission = { by: from, attempt };
    effects.push({ type: 'admit', attempt, sealed, fills, shards });
  }

  #onFilling(attempt: Attempt, effects: GroupEffect[]): void {
    if (this.#admission !== null && sameAttempt(this.#admission.attempt, attempt)) {
      const message: GroupMessage = { type: 'filling', attempt };
      effects.push({ type: 'send', to: this.#admission.by, message });
    }
  }

  #onAdmitted(
    { attempt, reason, shards }: Omit<GroupEvent & { type: 'admitted' }, 'type'>,
    effects: GroupEffect[],
  ): void {
    if (this.#admission === null || !sameAttempt(this.#admission.attempt, attempt)) {
      return;
    }
    const to = this.#admission.by;
    this.#admission = null;
    const { incarnation } = this.#state.core;
    const reports = this.#member.reportsOf(shards);
    const message: GroupMessage =
      reason === null
        ? { type: 'admitted', attempt, incarnation, shards: reports }
        : { type: 'failed', attempt, reason };
    effects.push({ type: 'send', to, message });
  }

  #renew(why: string, effects: GroupEffect[]): void {
    if (!this.#renewing) {
      this.#renewing = true;
      this.#member.giveUp();
      effects.push({ type: 'renew', why });
    }
  }

  #sayHello(effects: GroupEffect[]): void {
    const message = this.#state.myHello();
    for (const to of this.#state.up) {
      effects.push({ type: 'send', to, message });
    }
  }
}
