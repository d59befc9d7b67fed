/**
 * Lets members without a view into the one that this member leads: each is told to fetch most of
 * what it misses, then a view with it is proposed, one joiner at a time. Members are taken out of
 * shards that they refuse.
 *
 * Thread: event loop. See group-machine.ts for the protocol.
 * Invariants
 *  1. At most one join is under way, and only while this member leads and nothing else changes.
 *  2. The proposed view follows the installed one and keeps all its members in their order.
 */
import type { GroupEffect } from './group-machine.ts';
import { groupLimits } from './group-limits.ts';
import { type Attempt, type Fill, type GroupMessage, sameAttempt } from './group-messages.ts';
import type { GroupState } from './group-state.ts';
import { viewWith, viewWithoutRefusers } from './next-view.ts';
import { type CoreView, nodesOf } from './view-codec.ts';

type JoinPhase = 'idle' | 'admitting' | 'proposing';

export class JoinLeader {
  readonly #state: GroupState;
  #attempt: Attempt;
  #phase: JoinPhase = 'idle';
  #joiner = 0;
  #run = 0;
  #incarnation = '';
  #deadlineMs = Infinity;
  #retryAtMs = 0;

  constructor(state: GroupState) {
    this.#state = state;
    this.#attempt = state.nextAttempt();
  }

  get isBusy(): boolean {
    return this.#phase !== 'idle';
  }

  /** Something may have changed: a hello, the view, time. */
  onTick(nowMs: number, effects: GroupEffect[]): void {
    const lost = this.#phase !== 'idle' && !(this.#state.core.leads && this.#isJoinerThere());
    if (lost || nowMs >= this.#deadlineMs) {
      this.#rest(nowMs + groupLimits.retryPauseMs);
    }
    if (this.#phase !== 'idle' || nowMs < this.#retryAtMs || !this.#mayPropose()) {
      return;
    }
    const view = viewWithoutRefusers(this.#state);
    if (view !== null) {
      this.#attempt = this.#state.nextAttempt();
      this.#joiner = this.#state.me;
      this.#run = this.#state.run;
      this.#incarnation = this.#state.core.incarnation;
      this.#propose(view, nowMs, effects);
      return;
    }
    const joiner = this.#candidate();
    if (joiner !== null) {
      this.#admit(joiner, nowMs, effects);
    }
  }

  onPeerDown(node: number, nowMs: number): void {
    if (this.#phase !== 'idle' && node === this.#joiner) {
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
    const fits =
      this.#phase === 'admitting' &&
      from === this.#joiner &&
      sameAttempt(message.attempt, this.#attempt);
    if (!fits) {
      return false;
    }
    if (message.type === 'failed') {
      const text = `member ${String(from)} could not join: ${message.reason}`;
      effects.push({ type: 'log', level: 'warn', text });
      this.#rest(nowMs + groupLimits.retryPauseMs * 5);
      return true;
    }
    const view = viewWith(this.#state, from, message.incarnation);
    if (view === null || !this.#mayPropose()) {
      this.#rest(nowMs + groupLimits.retryPauseMs);
      return true;
    }
    this.#propose(view, nowMs, effects);
    return true;
  }

  /** Outcome of a proposal: the core has taken it, or not (so also when that failed). */
  onProposed(attempt: Attempt, taken: boolean, nowMs: number): void {
    if (this.#phase === 'proposing' && sameAttempt(attempt, this.#attempt) && !taken) {
      this.#rest(nowMs + groupLimits.retryPauseMs);
    }
  }

  #propose(view: CoreView, nowMs: number, effects: GroupEffect[]): void {
    this.#phase = 'proposing';
    this.#deadlineMs = nowMs + groupLimits.fillStepTimeoutMs;
    effects.push({ type: 'propose', attempt: this.#attempt, view });
  }

  #rest(retryAtMs: number): void {
    this.#phase = 'idle';
    this.#deadlineMs = Infinity;
    this.#retryAtMs = retryAtMs;
  }

  /** The very one that was admitted. */
  #isJoinerThere(): boolean {
    const hello = this.#state.hello(this.#joiner);
    return hello !== null && hello.run === this.#run && hello.incarnation === this.#incarnation;
  }

  #mayPropose(): boolean {
    const { leads, stuck, changing } = this.#state.core;
    return leads && !stuck && !changing;
  }

  /** The lowest blank member that reaches all members, and they it. */
  #candidate(): number | null {
    const { core, me } = this.#state;
    const nodes = (core.installed?.members ?? []).map(({ node }) => node);
    const blank = this.#state.blankMembers().filter((node) => node !== me && !nodes.includes(node));
    return blank.find((node) => this.#state.areLinked([...nodes, node])) ?? null;
  }

  #admit(joiner: number, nowMs: number, effects: GroupEffect[]): void {
    const view = this.#state.core.installed as CoreView;
    this.#attempt = this.#state.nextAttempt();
    this.#phase = 'admitting';
    this.#joiner = joiner;
    this.#run = this.#state.hello(joiner)?.run ?? 0;
    this.#incarnation = this.#state.hello(joiner)?.incarnation ?? '';
    this.#deadlineMs = nowMs + groupLimits.fillStepTimeoutMs;
    const fills = this.#state.heldBy(joiner).flatMap(({ shard }): Fill[] => {
      const core = view.shards.find((item) => item.shard === shard);
      const donor = core === undefined ? undefined : nodesOf(view, core)[0];
      return donor === undefined ? [] : [{ shard, donor }];
    });
    const text = `member ${String(joiner)} joins`;
    effects.push({ type: 'log', level: 'info', text });
    effects.push({
      type: 'send',
      to: joiner,
      message: { type: 'admit', attempt: this.#attempt, fills },
    });
  }
}
