/**
 * Brings the members of the view that this one leads to what the layout wants: lets in who has no
 * view, gives members back the shards that they lack, opens shards again that lost all members, and
 * takes members out of shards that they refuse or are too slow for. Whoever comes to a shard is first told to fetch
 * most of what it misses, then a view with it is proposed; one thing at a time.
 *
 * Thread: event loop. See group-machine.ts for the protocol.
 * Invariants
 *  1. At most one proposal is under way, and only while this member leads and nothing else changes.
 *  2. The proposed view follows the installed one and keeps all its members in their order.
 *  3. A closed persistent shard is opened only with every member that may have held it last.
 */
import type { GroupEffect } from './group-machine.ts';
import { groupLimits } from './group-limits.ts';
import {
  type Attempt,
  type Fill,
  type GroupMessage,
  type GroupMessageOf,
  sameAttempt,
} from './group-messages.ts';
import type { GroupState } from './group-state.ts';
import type { ShardLayout } from './layout.ts';
import { lackedBy, viewOpening, viewTaking, viewWith, viewWithoutRefusers } from './next-view.ts';
import { RestartHistories } from './restart-histories.ts';
import { noLineage } from './restart-plan.ts';
import { describeVerdict, slowVerdicts, viewDemoting } from './slow-view.ts';
import { type CoreView, nodesOf } from './view-codec.ts';

type Goal =
  | { readonly type: 'remove' }
  | { readonly type: 'join' | 'retake'; readonly node: number }
  | { readonly type: 'open'; readonly shard: ShardLayout; isFilled: boolean };

/** The very run and incarnation that was asked. */
interface Asked {
  readonly run: number;
  readonly incarnation: string;
}

export class JoinLeader {
  readonly #state: GroupState;
  readonly #asked = new Map<number, Asked>();
  readonly #awaiting = new Set<number>();
  #histories = new RestartHistories();
  #attempt: Attempt;
  /** Null: nothing is under way. */
  #goal: Goal | null = null;
  #isProposing = false;
  #deadlineMs = Infinity;
  #retryAtMs = 0;

  constructor(state: GroupState) {
    this.#state = state;
    this.#attempt = state.nextAttempt();
  }

  get isBusy(): boolean {
    return this.#goal !== null;
  }

  /** Something may have changed: a hello, the view, time. */
  onTick(nowMs: number, effects: GroupEffect[]): void {
    const lost = this.#goal !== null && !(this.#state.core.leads && this.#areAskedThere());
    if (lost || nowMs >= this.#deadlineMs) {
      this.#rest(nowMs + groupLimits.retryPauseMs);
    }
    if (this.#goal === null && nowMs >= this.#retryAtMs && this.#mayPropose()) {
      this.#begin(nowMs, effects);
    }
  }

  onPeerDown(node: number, nowMs: number): void {
    if (this.#goal !== null && this.#asked.has(node)) {
      this.#rest(nowMs + groupLimits.retryPauseMs);
    }
  }

  /** The view is another one. */
  onView(nowMs: number): void {
    this.#rest(nowMs);
  }

  /** False: not for it, or stale. */
  onMessage(from: number, message: GroupMessage, nowMs: number, effects: GroupEffect[]): boolean {
    if (message.type !== 'admitted' && message.type !== 'failed') {
      return false;
    }
    if (!sameAttempt(message.attempt, this.#attempt) || !this.#awaiting.has(from)) {
      return false;
    }
    if (message.type === 'failed') {
      const text = `member ${String(from)} could not be filled: ${message.reason}`;
      effects.push({ type: 'log', level: 'warn', text });
      this.#rest(nowMs + groupLimits.retryPauseMs * 5);
      return true;
    }
    this.#awaiting.delete(from);
    this.#histories.note(from, message.shards);
    if (this.#awaiting.size === 0) {
      this.#onAllFilled(message, nowMs, effects);
    }
    return true;
  }

  /** Outcome of a proposal: the core has taken it, or not (so also when that failed). */
  onProposed(attempt: Attempt, taken: boolean, nowMs: number): void {
    if (this.#isProposing && sameAttempt(attempt, this.#attempt) && !taken) {
      this.#rest(nowMs + groupLimits.retryPauseMs);
    }
  }

  #begin(nowMs: number, effects: GroupEffect[]): void {
    const view = this.#state.core.installed as CoreView;
    const without = viewWithoutRefusers(this.#state);
    if (without !== null) {
      this.#goal = { type: 'remove' };
      this.#attempt = this.#state.nextAttempt();
      this.#propose(without, nowMs, effects);
      return;
    }
    const slow = slowVerdicts(this.#state, 'demote', nowMs);
    if (slow.length > 0) {
      for (const verdict of slow) this.#say(describeVerdict(verdict), effects);
      this.#goal = { type: 'remove' };
      this.#attempt = this.#state.nextAttempt();
      this.#propose(viewDemoting(this.#state, slow), nowMs, effects);
      return;
    }
    const joiner = this.#joiner(nowMs);
    if (joiner !== null) {
      this.#say(`member ${String(joiner)} joins`, effects);
      this.#goal = { type: 'join', node: joiner };
      this.#ask(new Map([[joiner, this.#fillsOf(joiner)]]), [], nowMs, effects);
      return;
    }
    const node = view.members.find((member) => lackedBy(this.#state, member.node).length > 0)?.node;
    if (node !== undefined) {
      this.#say(`member ${String(node)} gets shards back`, effects);
      this.#goal = { type: 'retake', node };
      const lacked = new Set(lackedBy(this.#state, node));
      const fills = this.#fillsOf(node).filter(({ shard }) => lacked.has(shard));
      this.#ask(new Map([[node, fills]]), [], nowMs, effects);
      return;
    }
    const shard = this.#state.layout.shards.find((layout) => this.#mayOpen(layout));
    if (shard !== undefined) {
      this.#say(`shard ${String(shard.shard)} is opened again`, effects);
      this.#goal = { type: 'open', shard, isFilled: false };
      const homes = this.#homes(shard);
      this.#histories = new RestartHistories();
      this.#histories.setParticipants(homes);
      this.#ask(new Map(homes.map((home) => [home, []])), [shard.shard], nowMs, effects);
    }
  }

  #onAllFilled(
    { incarnation }: GroupMessageOf<'admitted'>,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    const goal = this.#goal;
    if (goal?.type === 'open') {
      this.#onOpenable(goal, nowMs, effects);
    } else if (goal?.type === 'join') {
      this.#propose(viewWith(this.#state, goal.node, incarnation), nowMs, effects);
    } else if (goal?.type === 'retake') {
      this.#propose(viewTaking(this.#state, goal.node), nowMs, effects);
    }
  }

  /** All that may have held the shard have told where its history ends. */
  #onOpenable(goal: Goal & { type: 'open' }, nowMs: number, effects: GroupEffect[]): void {
    const { shard } = goal;
    const donor = this.#histories.longest(shard, noLineage, new Map());
    const isSound =
      donor !== null &&
      this.#histories.setApart(shard, donor) &&
      this.#histories.apart.length === 0 &&
      (!goal.isFilled || this.#histories.areOne(shard, donor));
    if (!isSound) {
      const why = donor === null ? 'nobody holds it' : this.#histories.difference(shard, donor);
      const text = `shard ${String(shard.shard)} stays closed: ${why}`;
      effects.push({ type: 'log', level: 'error', text });
      this.#rest(nowMs + groupLimits.waitingNoticeMs);
      return;
    }
    const fills = this.#histories.fills(shard, donor);
    if (fills.size === 0) {
      this.#propose(viewOpening(this.#state, shard, this.#homes(shard)), nowMs, effects);
      return;
    }
    goal.isFilled = true;
    const lists = new Map([...fills].map(([node, fill]): [number, Fill[]] => [node, [fill]]));
    this.#ask(lists, [shard.shard], nowMs, effects);
  }

  /** Has each of these filled what it is given, and asks where it stands with `shards` then. */
  #ask(
    fills: ReadonlyMap<number, readonly Fill[]>,
    shards: readonly number[],
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    this.#attempt = this.#state.nextAttempt();
    this.#deadlineMs = nowMs + groupLimits.fillStepTimeoutMs;
    for (const [node, list] of fills) {
      const hello = this.#state.hello(node);
      this.#asked.set(node, { run: hello?.run ?? 0, incarnation: hello?.incarnation ?? '' });
      this.#awaiting.add(node);
      const message: GroupMessage = {
        type: 'admit',
        attempt: this.#attempt,
        fills: [...list],
        shards: [...shards],
      };
      effects.push({ type: 'send', to: node, message });
    }
  }

  /** Null: there is none that could be proposed. */
  #propose(view: CoreView | null, nowMs: number, effects: GroupEffect[]): void {
    if (view === null || !this.#mayPropose()) {
      this.#rest(nowMs + groupLimits.retryPauseMs);
      return;
    }
    this.#isProposing = true;
    this.#deadlineMs = nowMs + groupLimits.fillStepTimeoutMs;
    effects.push({ type: 'propose', attempt: this.#attempt, view });
  }

  #rest(retryAtMs: number): void {
    this.#goal = null;
    this.#isProposing = false;
    this.#asked.clear();
    this.#awaiting.clear();
    this.#deadlineMs = Infinity;
    this.#retryAtMs = retryAtMs;
  }

  #areAskedThere(): boolean {
    return [...this.#asked].every(([node, { run, incarnation }]) => {
      const hello = this.#state.hello(node);
      return hello !== null && hello.run === run && hello.incarnation === incarnation;
    });
  }

  #mayPropose(): boolean {
    const { leads, stuck, changing } = this.#state.core;
    return leads && !stuck && !changing;
  }

  /** The lowest blank member that reaches all members, and they it. */
  #joiner(nowMs: number): number | null {
    const { core, me } = this.#state;
    const nodes = (core.installed?.members ?? []).map(({ node }) => node);
    const blank = this.#state.blankMembers().filter((node) => node !== me && !nodes.includes(node));
    const waits = (node: number): boolean => !this.#state.slow.mayJoin(node, nowMs);
    return blank.find((node) => this.#state.areLinked([...nodes, node]) && !waits(node)) ?? null;
  }

  /** From the first member of each shard that runs. */
  #fillsOf(node: number): Fill[] {
    const view = this.#state.core.installed as CoreView;
    return this.#state.heldBy(node).flatMap(({ shard }): Fill[] => {
      const core = view.shards.find((item) => item.shard === shard);
      const donor = core === undefined ? undefined : nodesOf(view, core)[0];
      return donor === undefined ? [] : [{ shard, donor }];
    });
  }

  /** Members of the view that are to hold the shard. */
  #homes(layout: ShardLayout): number[] {
    const here = (this.#state.core.installed?.members ?? []).map(({ node }) => node);
    return layout.members.filter(
      (node) =>
        here.includes(node) && this.#state.heldBy(node).some(({ shard }) => shard === layout.shard),
    );
  }

  /** Any of its members may have held it last; of a volatile one, what is left goes on. */
  #mayOpen(layout: ShardLayout): boolean {
    const core = this.#state.core.installed?.shards.find(({ shard }) => shard === layout.shard);
    const homes = this.#homes(layout);
    const enough = layout.persistent ? homes.length === layout.members.length : homes.length > 0;
    return core?.closed === true && enough;
  }

  #say(text: string, effects: GroupEffect[]): void {
    effects.push({ type: 'log', level: 'info', text });
  }
}
