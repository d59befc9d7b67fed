/**
 * Leads a total restart, or the first start: it waits for a majority, decides which history of each
 * shard goes on, and takes the members through the steps together.
 *
 * Thread: event loop. See group-machine.ts for the protocol.
 * Invariants
 *  1. A step ends only when every member that it concerns has answered it.
 *  2. An attempt's number is never used again by this run of the leader.
 *  3. Nobody restarts beside a view that goes on, when a connected member tells of it.
 */
import type { GroupEffect } from './group-events.ts';
import { groupLimits } from './group-limits.ts';
import {
  type Attempt,
  type Fill,
  type GroupMessage,
  type GroupMessageOf,
  type Report,
  sameAttempt,
  type ShardReport,
} from './group-messages.ts';
import type { GroupState } from './group-state.ts';
import type { ShardLayout } from './layout.ts';
import { RestartHistories } from './restart-histories.ts';
import {
  adoptionOf,
  type Lineage,
  type Longest,
  newestView,
  nextNumber,
  noLineage,
  participantsOf,
  restartView,
} from './restart-plan.ts';
import { shardsIn } from './shard-homes.ts';
import { encodeView } from './view-codec.ts';
import { layoutToText } from './view-layout.ts';

export type RestartPhase =
  | 'waiting'
  | 'collecting'
  | 'sealing'
  | 'filling'
  | 'adopting'
  | 'preparing'
  | 'pausing'
  | 'starting';

/** The phase that takes each answer. */
const answerPhases = {
  report: 'collecting',
  sealed: 'sealing',
  filled: 'filling',
  adopted: 'adopting',
  prepared: 'preparing',
  started: 'starting',
} as const;

type Answer = GroupMessageOf<keyof typeof answerPhases>;

export class RestartLeader {
  readonly #state: GroupState;
  readonly #reports = new Map<number, Report>();
  readonly #histories = new RestartHistories();
  readonly #awaiting = new Set<number>();
  #attempt: Attempt;
  #phase: RestartPhase = 'waiting';
  #problem: string | null = null;
  #participants: readonly number[] = [];
  #lineage: Lineage = noLineage;
  /** With their homes in the view that the restart goes on from as members. */
  #shards: readonly ShardLayout[] = [];
  /** node → shards that it is asked for. */
  readonly #asked = new Map<number, readonly number[]>();
  #number = 0;
  #deadlineMs = Infinity;
  #retryAtMs = 0;
  #noticeAtMs = 0;
  #startAtMs = 0;
  #candidates = '';
  #candidatesSinceMs = 0;
  #complained = '';

  constructor(state: GroupState) {
    this.#state = state;
    this.#attempt = state.nextAttempt();
  }

  get phase(): RestartPhase {
    return this.#phase;
  }

  get problem(): string | null {
    return this.#problem;
  }

  onPeerDown(node: number, nowMs: number, effects: GroupEffect[]): void {
    if (this.#participants.includes(node)) {
      this.#fallBack(`member ${String(node)} is gone`, nowMs, 0, effects);
    }
  }

  /** A hello came, or something of mine changed. `again`: it is another run of that member. */
  onHello(node: number, again: boolean, nowMs: number, effects: GroupEffect[]): void {
    if (again && this.#participants.includes(node)) {
      this.#fallBack(`member ${String(node)} came back`, nowMs, 0, effects);
    }
    this.onTick(nowMs, effects);
  }

  onTick(nowMs: number, effects: GroupEffect[]): void {
    if (nowMs >= this.#deadlineMs) {
      const silent = [...this.#awaiting].map(String).join(', ');
      const why = `no answer while ${this.#phase} from ${silent}`;
      this.#fallBack(why, nowMs, groupLimits.retryPauseMs, effects);
    }
    if (this.#phase === 'pausing' && nowMs >= this.#startAtMs) {
      this.#broadcast('starting', { type: 'start', attempt: this.#attempt }, nowMs, effects);
    }
    this.#beginIfDue(nowMs, effects);
    this.#complainOfConfigurations(effects);
    if (this.#phase === 'waiting' && this.#state.isBlank && nowMs >= this.#noticeAtMs) {
      this.#noticeAtMs = nowMs + groupLimits.waitingNoticeMs;
      const missing = this.#missing();
      if (missing !== '') {
        effects.push({ type: 'log', level: 'info', text: `waiting for ${missing}` });
      }
    }
  }

  /** False: not for a leader, or stale. */
  onMessage(from: number, message: GroupMessage, nowMs: number, effects: GroupEffect[]): boolean {
    switch (message.type) {
      case 'report':
      case 'sealed':
      case 'filled':
      case 'adopted':
      case 'prepared':
      case 'started':
        return this.#onAnswer(from, message, nowMs, effects);
      case 'failed':
        if (!sameAttempt(message.attempt, this.#attempt) || this.#phase === 'waiting') {
          return false;
        }
        this.#fallBack(
          `member ${String(from)} failed while ${this.#phase}: ${message.reason}`,
          nowMs,
          groupLimits.retryPauseMs * 5,
          effects,
        );
        return true;
      default:
        return false;
    }
  }

  #onAnswer(from: number, answer: Answer, nowMs: number, effects: GroupEffect[]): boolean {
    const fits =
      sameAttempt(answer.attempt, this.#attempt) &&
      this.#phase === answerPhases[answer.type] &&
      this.#awaiting.has(from);
    if (!fits || (answer.type === 'sealed' && !this.#isComplete(from, answer.shards))) {
      return false;
    }
    this.#awaiting.delete(from);
    if (answer.type === 'report') {
      this.#reports.set(from, answer);
    }
    if (answer.type === 'report' || answer.type === 'sealed' || answer.type === 'filled') {
      this.#histories.note(from, answer.shards);
    }
    if (this.#awaiting.size === 0) {
      this.#onAllAnswered(answer.type, nowMs, effects);
    }
    return true;
  }

  #isComplete(from: number, shards: readonly ShardReport[]): boolean {
    const told = new Set(shards.map(({ shard }) => shard));
    return (this.#asked.get(from) ?? []).every((shard) => told.has(shard));
  }

  #onAllAnswered(type: Answer['type'], nowMs: number, effects: GroupEffect[]): void {
    switch (type) {
      case 'report':
        this.#decide(nowMs, effects);
        return;
      case 'sealed':
        this.#fill(nowMs, effects);
        return;
      case 'filled':
        this.#checkFilled(nowMs, effects);
        return;
      case 'adopted':
        this.#prepare(nowMs, effects);
        return;
      case 'prepared':
        this.#phase = 'pausing';
        this.#deadlineMs = Infinity;
        this.onTick(nowMs, effects);
        return;
      case 'started':
        this.#finish(effects);
        return;
    }
  }

  /** All at once when all are here; else when a majority has waited for the rest. */
  #beginIfDue(nowMs: number, effects: GroupEffect[]): void {
    const { layout, me, isBlank } = this.#state;
    // One that has a view is no candidate, so that they are others once it has none.
    const candidates = isBlank ? this.#state.blankMembers() : [];
    const named = candidates.join();
    if (named !== this.#candidates) {
      this.#candidates = named;
      this.#candidatesSinceMs = nowMs;
    }
    const leads = candidates[0] === me && this.#state.runningView() === 0;
    const due = this.#phase === 'waiting' && nowMs >= this.#retryAtMs && leads;
    if (!due || !this.#state.areLinked(candidates)) {
      return;
    }
    const all = candidates.length === layout.members.length;
    const most = 2 * candidates.length > layout.members.length;
    const waited = nowMs - this.#candidatesSinceMs >= groupLimits.restartGraceMs;
    if (!all && !(most && waited)) {
      return;
    }
    this.#attempt = this.#state.nextAttempt();
    this.#reports.clear();
    this.#histories.clear();
    this.#participants = candidates;
    this.#broadcast('collecting', { type: 'collect', attempt: this.#attempt }, nowMs, effects);
  }

  #decide(nowMs: number, effects: GroupEffect[]): void {
    const before = newestView(this.#reports);
    if ('waitsFor' in before) {
      this.#fallBack(
        `waiting for ${before.waitsFor}`,
        nowMs,
        groupLimits.retryPauseMs * 5,
        effects,
      );
      return;
    }
    this.#lineage = before;
    // What this member knew of may be older, or was lost.
    this.#state.layouts.follow(before.view?.layout ?? null);
    this.#participants = participantsOf(this.#state.layout, before, this.#reports);
    this.#histories.setParticipants(this.#participants);
    this.#number = nextNumber(before.view, this.#reports);
    this.#shards = shardsIn(this.#state.layout, before.view);
    this.#expectHomes();
    for (const layout of this.#shards) {
      if (this.#histories.holders(layout, before, this.#reports) === null) {
        const held = layout.members.map(String).join(', ');
        const why = `waiting for those of members ${held} that last held shard ${String(layout.shard)}`;
        this.#fallBack(why, nowMs, groupLimits.retryPauseMs * 5, effects);
        return;
      }
    }
    const ages = this.#participants.map((node) => (this.#reports.get(node) as Report).ageMs);
    const quiet = this.#lineage.view === null ? 0 : groupLimits.leaseMs - Math.min(...ages);
    this.#startAtMs = nowMs + Math.max(0, quiet);
    this.#seal(nowMs, effects);
  }

  /** Whoever has a place in a shard has to tell of it, even one that did not know of its place. */
  #expectHomes(): void {
    this.#asked.clear();
    for (const node of this.#participants) {
      const mine = this.#shards.filter(({ members }) => members.includes(node));
      const asked = mine
        .map(({ shard }) => shard)
        .filter((shard) => !this.#state.refuses(node, shard));
      this.#asked.set(node, asked);
      this.#histories.expect(node, asked);
    }
  }

  #seal(nowMs: number, effects: GroupEffect[]): void {
    this.#become('sealing', this.#participants, nowMs + groupLimits.stepTimeoutMs);
    for (const to of this.#participants) {
      const shards = [...(this.#asked.get(to) ?? [])];
      const message: GroupMessage = {
        type: 'seal',
        attempt: this.#attempt,
        view: this.#number,
        layout: layoutToText(this.#state.layouts.given),
        shards,
      };
      effects.push({ type: 'send', to, message });
    }
  }

  #fill(nowMs: number, effects: GroupEffect[]): void {
    const fills = new Map<number, Fill[]>();
    for (const layout of this.#shards) {
      const donor = this.#longest(layout);
      if (donor === null) {
        continue;
      }
      if (!this.#histories.setApart(layout, donor)) {
        this.#complainOfHistories(layout, donor, nowMs, effects);
        return;
      }
      for (const [node, fill] of this.#histories.fills(layout, donor)) {
        fills.set(node, [...(fills.get(node) ?? []), fill]);
      }
    }
    if (fills.size === 0) {
      this.#adopt(nowMs, effects);
      return;
    }
    this.#become('filling', fills.keys(), nowMs + groupLimits.fillStepTimeoutMs);
    for (const [node, list] of fills) {
      const message: GroupMessage = { type: 'fill', attempt: this.#attempt, fills: list };
      effects.push({ type: 'send', to: node, message });
    }
  }

  #checkFilled(nowMs: number, effects: GroupEffect[]): void {
    for (const layout of this.#shards) {
      const donor = this.#longest(layout);
      const isOne =
        donor === null ||
        (this.#histories.setApart(layout, donor) && this.#histories.areOne(layout, donor));
      if (!isOne) {
        this.#complainOfHistories(layout, donor, nowMs, effects);
        return;
      }
    }
    this.#adopt(nowMs, effects);
  }

  #complainOfHistories(
    layout: ShardLayout,
    donor: Longest,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    const why = this.#histories.difference(layout, donor);
    this.#fallBack(why, nowMs, groupLimits.waitingNoticeMs, effects);
  }

  /** A view that was only prepared is made known to all before they go past it. */
  #adopt(nowMs: number, effects: GroupEffect[]): void {
    const { base, view, ballot } = adoptionOf(this.#lineage) ?? noLineage;
    if (view === null) {
      this.#prepare(nowMs, effects);
      return;
    }
    const message: GroupMessage = {
      type: 'adopt',
      attempt: this.#attempt,
      base: base === null ? '' : encodeView(base).toString('base64'),
      view: encodeView(view).toString('base64'),
      ballot: String(ballot),
    };
    this.#broadcast('adopting', message, nowMs, effects);
  }

  #prepare(nowMs: number, effects: GroupEffect[]): void {
    const { layout } = this.#state;
    const view = restartView(
      layout,
      this.#lineage.view,
      this.#number,
      this.#participants,
      this.#reports,
      ({ shard }) => this.#histories.taking(this.#shardIn(shard)),
    );
    const message: GroupMessage = {
      type: 'prepare',
      attempt: this.#attempt,
      before: this.#lineage.view === null ? '' : encodeView(this.#lineage.view).toString('base64'),
      view: encodeView(view).toString('base64'),
      apart: [...this.#histories.apart],
    };
    this.#broadcast('preparing', message, nowMs, effects);
  }

  #finish(effects: GroupEffect[]): void {
    this.#phase = 'waiting';
    this.#participants = [];
    this.#deadlineMs = Infinity;
    this.#problem = null;
    const text = `view ${String(this.#number)} runs`;
    effects.push({ type: 'log', level: 'info', text }, { type: 'changed' });
  }

  #broadcast(
    phase: RestartPhase,
    message: GroupMessage,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    this.#become(phase, this.#participants, nowMs + groupLimits.stepTimeoutMs);
    for (const to of this.#participants) {
      effects.push({ type: 'send', to, message });
    }
  }

  #become(phase: RestartPhase, awaiting: Iterable<number>, deadlineMs: number): void {
    this.#phase = phase;
    this.#awaiting.clear();
    for (const node of awaiting) {
      this.#awaiting.add(node);
    }
    this.#deadlineMs = deadlineMs;
  }

  #fallBack(reason: string, nowMs: number, pauseMs: number, effects: GroupEffect[]): void {
    if (this.#phase === 'waiting') {
      return;
    }
    this.#phase = 'waiting';
    this.#participants = [];
    this.#deadlineMs = Infinity;
    this.#awaiting.clear();
    this.#retryAtMs = nowMs + pauseMs;
    this.#noticeAtMs = nowMs;
    if (this.#problem !== reason) {
      this.#problem = reason;
      effects.push({ type: 'log', level: 'warn', text: reason }, { type: 'changed' });
    }
  }

  #complainOfConfigurations(effects: GroupEffect[]): void {
    const text = this.#state.differences().join('; ');
    if (text === this.#complained) {
      return;
    }
    this.#complained = text;
    if (text !== '') {
      this.#problem = text;
      effects.push({ type: 'log', level: 'error', text }, { type: 'changed' });
    }
  }

  /** Whom a restart waits for, to be read by people; empty: nobody. */
  #missing(): string {
    const { layout } = this.#state;
    const absent = layout.members.filter((node) => this.#state.hello(node) === null);
    if (absent.length > 0) {
      return `member ${absent.map(String).join(', ')}`;
    }
    const misconfigured = this.#state.misconfigured();
    const parts = misconfigured.map(
      (node) => `member ${String(node)} to be configured like this one`,
    );
    for (const node of layout.members) {
      const up = this.#state.hello(node)?.up ?? [];
      const apart = layout.members.filter((to) => to !== node && !up.includes(to));
      if (apart.length > 0) {
        parts.push(`member ${String(node)} to reach ${apart.map(String).join(', ')}`);
      }
    }
    return parts.join('; ');
  }

  #shardIn(shard: number): ShardLayout {
    return this.#shards.find((one) => one.shard === shard) as ShardLayout;
  }

  #longest(layout: ShardLayout): Longest | null {
    return this.#histories.longest(layout, this.#lineage, this.#reports);
  }
}
