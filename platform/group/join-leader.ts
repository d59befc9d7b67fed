/**
 * Brings the members of the view that this one leads to what the layout wants (wanted-places.ts),
 * and to another layout when somebody wants that (layout-change.ts): lets in who has no view, gives
 * members the shards that they are to have and lack, lets go whose places were given to others,
 * opens shards again that lost all members (shard-opening.ts), and takes members out of shards that
 * they refuse or are too slow for. Whoever comes to a shard is first told to fetch most of what it
 * misses (admissions.ts), then a view with it is proposed.
 *
 * Thread: event loop. See group-machine.ts for the protocol.
 * Invariants
 *  1. At most one proposal is under way, and only while this member leads and nothing else changes.
 *  2. The proposed view follows the installed one and keeps all its members in their order.
 *  3. A member comes only into shards that it was filled for, or that begin with the view.
 */
import { Absences } from './absences.ts';
import { Admissions } from './admissions.ts';
import type { GroupEffect, GroupEvent } from './group-events.ts';
import { groupLimits } from './group-limits.ts';
import { type Attempt, type Fill, type GroupMessage, sameAttempt } from './group-messages.ts';
import type { GroupState } from './group-state.ts';
import { Layout } from './layout.ts';
import { placesUnder, tenantsRefusal } from './layout-change.ts';
import {
  type Comer,
  lackedBy,
  viewLettingGo,
  viewTaking,
  viewUnder,
  viewWithoutRefusers,
} from './next-view.ts';
import type { ShardMove } from './shard-moves.ts';
import { ShardOpening } from './shard-opening.ts';
import { closingFor, SubgroupClosing } from './subgroup-closing.ts';
import { describeVerdict, slowVerdicts, viewDemoting } from './slow-view.ts';
import type { CoreView } from './view-codec.ts';
import type { ViewLayout } from './view-layout.ts';
import { newcomersOf, type Places, wantedPlaces } from './wanted-places.ts';

interface Proposal {
  readonly attempt: Attempt;
  readonly deadlineMs: number;
}

export class JoinLeader {
  readonly #state: GroupState;
  readonly #absences: Absences;
  readonly #admissions: Admissions;
  readonly #opening: ShardOpening;
  readonly #closing = new SubgroupClosing();
  #moves: readonly ShardMove[] = [];
  /** What the layout is to become next; null: nobody wants another one. */
  #layout: ViewLayout | null = null;
  /** Null: none is under way. */
  #proposal: Proposal | null = null;
  #retryAtMs = 0;
  /** Something is left to do that no event may come for. */
  #isUnsettled = false;

  constructor(state: GroupState, replaceAfterMs: number | null) {
    this.#state = state;
    this.#absences = new Absences(replaceAfterMs);
    this.#admissions = new Admissions(state);
    this.#opening = new ShardOpening(state);
  }

  get isBusy(): boolean {
    return this.#isUnderWay || this.#isUnsettled;
  }

  get #isUnderWay(): boolean {
    const { nodes } = this.#admissions;
    return this.#proposal !== null || nodes.length + this.#opening.nodes.length > 0;
  }

  /** Moves that were asked for and have not begun. */
  get moves(): readonly ShardMove[] {
    return this.#moves;
  }

  /** Members that are away and keep their places, however long that takes. */
  get awaited(): readonly number[] {
    return this.#absences.awaited(Infinity);
  }

  /** The layout that is on its way. */
  get comingLayout(): ViewLayout | null {
    return this.#layout;
  }

  /** Something may have changed: a hello, the view, time. */
  onTick(nowMs: number, effects: GroupEffect[]): void {
    const { core, layout } = this.#state;
    const members = core.installed?.members.map(({ node }) => node) ?? [];
    const here = new Set([...members, ...this.#admissions.nodes]);
    this.#absences.look(layout.members, here, nowMs);
    const isOver = nowMs >= (this.#proposal?.deadlineMs ?? Infinity);
    if (isOver || (!core.leads && this.#isUnderWay)) {
      this.#giveUp(nowMs);
    }
    if (!core.leads || core.stuck) {
      this.#moves = [];
      this.#layout = null;
      this.#isUnsettled = false;
      return;
    }
    this.#admissions.onTick(nowMs, effects);
    const isResting = nowMs < this.#retryAtMs;
    const isAsked = this.#moves.length > 0 || this.#layout !== null || this.#closing.isPending;
    this.#isUnsettled = isResting || isAsked || this.#opening.isResting(nowMs);
    if (this.#proposal === null && !isResting && this.#mayPropose()) {
      this.#opening.onTick(this.#admissions.nodes, nowMs, effects);
      this.#goOn(nowMs, effects);
    }
  }

  onPeerDown(node: number, nowMs: number): void {
    if (this.#opening.nodes.includes(node)) {
      this.#opening.end(nowMs + groupLimits.retryPauseMs);
    }
    if (this.#admissions.nodes.includes(node)) {
      this.#admissions.end(node, nowMs + groupLimits.retryPauseMs);
    }
  }

  /** The view is another one. */
  onView(nowMs: number): void {
    this.#proposal = null;
    this.#retryAtMs = nowMs;
    this.#opening.end(nowMs);
    this.#closing.onView(this.#state.core.installed?.number ?? 0);
    if (this.#layout?.version !== this.#state.layouts.version + 1) this.#layout = null;
    for (const { node, shards } of this.#admissions.filled) {
      const isIn = (shard: number): boolean => this.#state.runners(shard).includes(node);
      const isMember = this.#state.core.installed?.members.some((one) => one.node === node);
      if (isMember === true && shards.every(isIn)) this.#admissions.end(node, nowMs);
    }
    this.#moves = this.#moves.filter(({ shard, from, to }) => {
      const runners = this.#state.runners(shard);
      return runners.includes(from) && !runners.includes(to);
    });
  }

  /** Of what is wanted, all is possible now (move-checks.ts, layout-change.ts). */
  onEvent(event: GroupEvent & { type: 'move' | 'layout' | 'closed' }, nowMs: number): void {
    switch (event.type) {
      case 'move': {
        const { move } = event;
        this.#moves = [...this.#moves.filter(({ shard }) => shard !== move.shard), move];
        return;
      }
      case 'layout':
        this.#layout = event.layout;
        return;
      case 'closed':
        this.#closing.onOutcome(event.closing, event.done);
        if (!event.done) this.#retryAtMs = nowMs + groupLimits.retryPauseMs;
        return;
    }
  }

  /** False: not for it, or stale. */
  onMessage(from: number, message: GroupMessage, nowMs: number, effects: GroupEffect[]): boolean {
    if (message.type !== 'admitted' && message.type !== 'filling' && message.type !== 'failed') {
      return false;
    }
    return (
      this.#admissions.onMessage(from, message, nowMs, effects) ||
      this.#opening.onMessage(from, message, nowMs, effects)
    );
  }

  /** Outcome of a proposal: the core has taken it, or not (so also when that failed). */
  onProposed(attempt: Attempt, taken: boolean, nowMs: number): void {
    if (!taken) this.#closing.onRefused(attempt);
    if (this.#proposal !== null && sameAttempt(attempt, this.#proposal.attempt) && !taken) {
      this.#proposal = null;
      this.#retryAtMs = nowMs + groupLimits.retryPauseMs;
    }
  }

  /** The first of these that there is something for; what takes time goes on beside it. */
  #goOn(nowMs: number, effects: GroupEffect[]): void {
    const places = this.#places(nowMs);
    const view =
      viewWithoutRefusers(this.#state) ??
      this.#viewUnder(effects) ??
      this.#viewWithFilled(places, nowMs) ??
      viewLettingGo(this.#state, places) ??
      this.#opening.view ??
      this.#viewDemoting(nowMs, effects);
    if (view !== null) {
      this.#propose(view, nowMs, effects);
      return;
    }
    this.#admit(places, nowMs, effects);
    const { shards } = this.#state.layout;
    this.#isUnsettled ||= shards.some(({ shard }) => this.#lacksSomeoneHere(places, shard));
  }

  #viewUnder(effects: GroupEffect[]): CoreView | null {
    const given = this.#layout;
    if (given === null) {
      this.#closing.open(effects);
      return null;
    }
    const layout = Layout.ofView(this.#state.layout.members, given);
    // Looked at once more: the request was some time ago.
    const refusal = tenantsRefusal(this.#state, layout.rules);
    if (refusal !== null) {
      this.#layout = null;
      this.#say(`the layout is not changed: ${refusal.message}`, effects);
      return null;
    }
    const view = viewUnder(this.#state, given, layout, placesUnder(this.#state, layout));
    if (view === null) {
      this.#layout = null;
      this.#say('the layout is not changed: members of a new shard have gone', effects);
      return null;
    }
    // Whoever makes a pool meanwhile is seen above, and nobody does from then on.
    const closing = closingFor(view.number, this.#state.layout.rules, layout.rules);
    return this.#closing.isClosed(closing, effects) ? view : null;
  }

  #viewDemoting(nowMs: number, effects: GroupEffect[]): CoreView | null {
    const slow = slowVerdicts(this.#state, 'demote', nowMs);
    for (const verdict of slow) this.#say(describeVerdict(verdict), effects);
    return viewDemoting(this.#state, slow);
  }

  /** Who cannot be filled now is asked again later. */
  #lacksSomeoneHere(places: Places, shard: number): boolean {
    const members = this.#state.core.installed?.members ?? [];
    const newcomers = newcomersOf(this.#state, places, shard);
    return members.some(({ node }) => newcomers.includes(node));
  }

  #places(nowMs: number): Places {
    return wantedPlaces(this.#state, {
      coming: this.#coming(nowMs),
      awaited: this.#absences.awaited(nowMs),
      filling: this.#admissions.byShard,
      moves: this.#moves,
    });
  }

  /** With everyone who is filled by now, as many as a view takes. */
  #viewWithFilled(places: Places, nowMs: number): CoreView | null {
    const view = this.#state.core.installed as CoreView;
    const isMember = (node: number): boolean => view.members.some((one) => one.node === node);
    const comers: Comer[] = [];
    let joining = 0;
    for (const { node, incarnation, shards } of this.#admissions.filled) {
      if (isMember(node)) {
        const lacks = lackedBy(this.#state, places, node).some((shard) => shards.includes(shard));
        if (lacks) comers.push({ node, incarnation: null, shards });
        // Another has its place by now.
        else this.#admissions.end(node, nowMs);
      } else if (joining === 0 || joining + 1 < view.members.length) {
        joining++;
        comers.push({ node, incarnation, shards });
      }
    }
    return comers.length === 0 ? null : viewTaking(this.#state, places, comers);
  }

  /** Has those filled who are to come into shards, or into the view. */
  #admit(places: Places, nowMs: number, effects: GroupEffect[]): void {
    const view = this.#state.core.installed as CoreView;
    const isFree = (node: number): boolean =>
      this.#admissions.mayBegin(node, nowMs) && !this.#opening.nodes.includes(node);
    for (const node of this.#coming(nowMs).filter(isFree)) {
      this.#say(`member ${String(node)} joins`, effects);
      this.#admissions.begin(node, this.#fillsOf(places, node), nowMs, effects);
    }
    for (const { node } of view.members) {
      const fills = this.#fillsOf(places, node);
      if (fills.length > 0 && isFree(node)) {
        const shards = fills.map(({ shard }) => String(shard)).join(', ');
        this.#say(`member ${String(node)} gets shard ${shards}`, effects);
        this.#admissions.begin(node, fills, nowMs, effects);
      }
    }
  }

  #propose(view: CoreView, nowMs: number, effects: GroupEffect[]): void {
    const attempt = this.#state.nextAttempt();
    this.#closing.onPropose(attempt);
    this.#proposal = { attempt, deadlineMs: nowMs + groupLimits.fillStepTimeoutMs };
    effects.push({ type: 'propose', attempt, view });
  }

  #giveUp(nowMs: number): void {
    const retryAtMs = nowMs + groupLimits.retryPauseMs;
    this.#proposal = null;
    this.#retryAtMs = retryAtMs;
    this.#admissions.clear(retryAtMs);
    this.#opening.end(retryAtMs);
  }

  #mayPropose(): boolean {
    const { leads, stuck, changing } = this.#state.core;
    return leads && !stuck && !changing;
  }

  /** Blank members that reach all members, and they them, and need not wait; ascending. */
  #coming(nowMs: number): number[] {
    const { core, me } = this.#state;
    const nodes = (core.installed?.members ?? []).map(({ node }) => node);
    const blank = this.#state.blankMembers().filter((node) => node !== me && !nodes.includes(node));
    return blank.filter(
      (node) => this.#state.areLinked([...nodes, node]) && this.#state.slow.mayJoin(node, nowMs),
    );
  }

  /** What a member is to have and lacks, from the first member of each shard that runs. */
  #fillsOf(places: Places, node: number): Fill[] {
    return lackedBy(this.#state, places, node).flatMap((shard): Fill[] => {
      const donor = this.#state.runners(shard)[0];
      return donor === undefined ? [] : [{ shard, donor }];
    });
  }

  #say(text: string, effects: GroupEffect[]): void {
    effects.push({ type: 'log', level: 'info', text });
  }
}
