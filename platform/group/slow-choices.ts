/**
 * What this member does about slow members, itself among them: tells the others whom it waited for,
 * has the view go on without one that is to be suspected for it, and follows the shards that it was
 * taken out of. Taking members out of shards is the leader's (join-leader.ts).
 *
 * Thread: event loop. Part of the machine of group-machine.ts.
 */
import { groupLimits } from './group-limits.ts';
import type { GroupEffect, GroupEvent } from './group-events.ts';
import type { GroupState } from './group-state.ts';
import type { Observation } from './slow-members.ts';
import { describeVerdict, spareable, slowVerdicts } from './slow-view.ts';

type SlowEvent = Extract<GroupEvent, { readonly type: 'lag' | 'keepsUp' }>;

export class SlowChoices {
  readonly #state: GroupState;
  #observing: readonly Observation[] = [];
  #accusedMs = -Infinity;

  constructor(state: GroupState) {
    this.#state = state;
  }

  /** True: the others have to hear of it. */
  onEvent(event: SlowEvent, nowMs: number, effects: GroupEffect[]): boolean {
    const { slow } = this.#state;
    if (event.type === 'keepsUp') return slow.setReady(event.shard, event.ready);
    const { node, shard, kind, waitedMs, messages } = event.lag;
    if (!slow.noteLag(event.lag, nowMs)) return false;
    const text =
      `member ${String(node)} holds up shard ${String(shard)}: ${String(messages)} messages ` +
      `waited ${String(waitedMs)} ms until it had ${kind} them`;
    effects.push({ type: 'log', level: 'warn', text });
    return slow.accusations.some((one) => one.shard === shard && one.node === node);
  }

  /** Something may have changed: a hello, the view, time. True: the others have to hear of it. */
  onTick(nowMs: number, effects: GroupEffect[]): boolean {
    this.#follow(effects);
    this.#accuse(nowMs, effects);
    return this.#state.slow.expire(nowMs);
  }

  #follow(effects: GroupEffect[]): void {
    const { observations } = this.#state.slow;
    const names = (list: readonly Observation[]): string =>
      list.map(({ shard }) => String(shard)).join(', ');
    if (names(observations) === names(this.#observing)) return;
    this.#observing = observations;
    const now = names(observations);
    const text = now === '' ? 'observes no shard any more' : `observes shards ${now}: it was slow`;
    effects.push({ type: 'observe', shards: observations }, { type: 'log', level: 'warn', text });
  }

  /** The first of the view that is not meant does it: one is enough, the others follow. */
  #accuse(nowMs: number, effects: GroupEffect[]): void {
    const { core, me, slow } = this.#state;
    if (core.changing || core.stuck || core.installed === null) return;
    const verdicts = slowVerdicts(this.#state, 'suspect', nowMs);
    const verdict = verdicts.find((one) => spareable(this.#state, one));
    if (verdict === undefined) return;
    slow.noteSuspected(verdict.node, nowMs);
    const first = core.installed.members.find(({ node }) => node !== verdict.node)?.node;
    if (first !== me || nowMs - this.#accusedMs < groupLimits.renewAfterMs) return;
    this.#accusedMs = nowMs;
    const attempt = this.#state.nextAttempt();
    effects.push({ type: 'log', level: 'warn', text: describeVerdict(verdict) });
    effects.push({ type: 'accuse', attempt, node: verdict.node });
  }
}
