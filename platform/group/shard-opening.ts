/**
 * Opening a shard again that lost all its members: everyone who may have held it last tells where
 * its history ends, those who are behind fetch from the longest, then a view with them follows.
 *
 * Thread: event loop. See group-machine.ts for the protocol.
 * Invariant: a closed persistent shard is opened only with all its homes (shard-homes.ts); a
 * volatile one goes on from what is left.
 */
import type { GroupEffect } from './group-events.ts';
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
import { viewOpening } from './next-view.ts';
import { RestartHistories } from './restart-histories.ts';
import { noLineage } from './restart-plan.ts';
import type { CoreView } from './view-codec.ts';
import { layoutToText } from './view-layout.ts';

interface Opening {
  /** With its homes as members. */
  readonly shard: ShardLayout;
  readonly homes: readonly number[];
  isFilled: boolean;
  isReady: boolean;
}

export class ShardOpening {
  readonly #state: GroupState;
  readonly #runs = new Map<number, string>();
  readonly #awaiting = new Set<number>();
  #histories = new RestartHistories();
  #attempt: Attempt;
  #opening: Opening | null = null;
  #deadlineMs = Infinity;
  #retryAtMs = 0;

  constructor(state: GroupState) {
    this.#state = state;
    this.#attempt = state.nextAttempt();
  }

  /** Who takes part now. */
  get nodes(): readonly number[] {
    return this.#opening?.homes ?? [];
  }

  /** The view to propose; null: not yet, or it can be none any more. */
  get view(): CoreView | null {
    const { shard, homes, isReady } = this.#opening ?? {};
    return shard === undefined || homes === undefined || isReady !== true
      ? null
      : viewOpening(this.#state, shard, homes);
  }

  /** It waits before it tries again. */
  isResting(nowMs: number): boolean {
    return this.#opening === null && nowMs < this.#retryAtMs;
  }

  /** `busy`: members that are being filled for something else. */
  onTick(busy: readonly number[], nowMs: number, effects: GroupEffect[]): void {
    const isLost = [...this.#runs].some(([node, run]) => this.#runOf(node) !== run);
    if (isLost || nowMs >= this.#deadlineMs) {
      this.end(nowMs + groupLimits.retryPauseMs);
    }
    if (this.#opening === null && nowMs >= this.#retryAtMs) {
      this.#begin(busy, nowMs, effects);
    }
  }

  /** False: not for it, or stale. */
  onMessage(
    from: number,
    message: GroupMessageOf<'admitted' | 'filling' | 'failed'>,
    nowMs: number,
    effects: GroupEffect[],
  ): boolean {
    if (!sameAttempt(message.attempt, this.#attempt) || !this.#awaiting.has(from)) {
      return false;
    }
    if (message.type === 'failed') {
      const text = `member ${String(from)} could not be filled: ${message.reason}`;
      effects.push({ type: 'log', level: 'warn', text });
      this.end(nowMs + groupLimits.retryPauseMs * 5);
    } else if (message.type === 'filling') {
      this.#deadlineMs = nowMs + groupLimits.fillStallMs;
    } else {
      this.#awaiting.delete(from);
      this.#histories.note(from, message.shards);
      if (this.#awaiting.size === 0) this.#onAllTold(nowMs, effects);
    }
    return true;
  }

  end(retryAtMs: number): void {
    this.#opening = null;
    this.#runs.clear();
    this.#awaiting.clear();
    this.#deadlineMs = Infinity;
    this.#retryAtMs = retryAtMs;
  }

  #begin(busy: readonly number[], nowMs: number, effects: GroupEffect[]): void {
    for (const { shard, ...layout } of this.#state.layout.shards) {
      const { nodes } = this.#state.homes(shard);
      const homes = this.#here(shard, nodes);
      const enough = layout.persistent ? homes.length === nodes.length : homes.length > 0;
      const isFree = !homes.some((node) => busy.includes(node));
      if (!enough || !isFree || !this.#isClosed(shard)) continue;
      const text = `shard ${String(shard)} is opened again`;
      effects.push({ type: 'log', level: 'info', text });
      const opened = { shard, ...layout, members: nodes };
      this.#opening = { shard: opened, homes, isFilled: false, isReady: false };
      this.#histories = new RestartHistories();
      this.#histories.setParticipants(homes);
      for (const home of homes) this.#histories.expect(home, [shard]);
      this.#ask(new Map(homes.map((home) => [home, []])), shard, nowMs, effects);
      return;
    }
  }

  /** All that may have held the shard have told where its history ends. */
  #onAllTold(nowMs: number, effects: GroupEffect[]): void {
    const opening = this.#opening as Opening;
    const { shard, isFilled } = opening;
    const donor = this.#histories.longest(shard, noLineage, new Map());
    const isSound =
      donor !== null &&
      this.#histories.setApart(shard, donor) &&
      this.#histories.apart.length === 0 &&
      (!isFilled || this.#histories.areOne(shard, donor));
    if (!isSound) {
      const why = donor === null ? 'nobody holds it' : this.#histories.difference(shard, donor);
      const text = `shard ${String(shard.shard)} stays closed: ${why}`;
      effects.push({ type: 'log', level: 'error', text });
      this.end(nowMs + groupLimits.waitingNoticeMs);
      return;
    }
    const fills = this.#histories.fills(shard, donor);
    if (isFilled || fills.size === 0) {
      opening.isReady = true;
      return;
    }
    opening.isFilled = true;
    const lists = new Map([...fills].map(([node, fill]): [number, Fill[]] => [node, [fill]]));
    this.#ask(lists, shard.shard, nowMs, effects);
  }

  /** Has each of these filled what it is given, and asks where it stands with the shard then. */
  #ask(
    fills: ReadonlyMap<number, readonly Fill[]>,
    shard: number,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    const attempt = this.#state.nextAttempt();
    this.#attempt = attempt;
    this.#deadlineMs = nowMs + groupLimits.fillStallMs;
    for (const [node, list] of fills) {
      this.#runs.set(node, this.#runOf(node));
      this.#awaiting.add(node);
      const layout = layoutToText(this.#state.layouts.given);
      const common = { attempt, layout, shards: [shard] };
      const message: GroupMessage = { type: 'admit', fills: [...list], ...common };
      effects.push({ type: 'send', to: node, message });
    }
  }

  #runOf(node: number): string {
    const hello = this.#state.hello(node);
    return `${String(hello?.run ?? 0)} ${hello?.incarnation ?? ''}`;
  }

  /** Members of the view among these that do not refuse the shard. */
  #here(shard: number, nodes: readonly number[]): number[] {
    const view = (this.#state.core.installed?.members ?? []).map(({ node }) => node);
    return nodes.filter((node) => view.includes(node) && !this.#state.refuses(node, shard));
  }

  #isClosed(shard: number): boolean {
    const core = this.#state.core.installed?.shards.find((one) => one.shard === shard);
    return core?.closed === true;
  }
}
