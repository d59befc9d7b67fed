/**
 * A member leaves its view by its own word, so that the others go on at once: nobody has to find
 * out that it is gone, nor wait for what was promised to it.
 *
 * Thread: event loop.
 */
import type { Clock } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { MemberCore } from './member-core.ts';
import { leaveView, seeViews } from './view-calls.ts';
import { ignore } from './waiter.ts';

export class ViewLeave {
  readonly #core: MemberCore;
  readonly #clock: Clock;
  readonly #stays: (node: number) => boolean;
  #isOut = false;
  #isOver = false;
  #ended = false;
  #wake: () => void = ignore;

  /** `stays`: whether a member is here and has not said that it leaves. */
  constructor(core: MemberCore, clock: Clock, stays: (node: number) => boolean) {
    this.#core = core;
    this.#clock = clock;
    this.#stays = stays;
  }

  /** While it lasts nothing new is given to the shards here. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Resolves once the others have a view without this member, or when there is no use in waiting:
   * too few of them are left, or they do not answer.
   */
  async run(): Promise<void> {
    try {
      await this.#go();
    } finally {
      this.#isOver = true;
    }
  }

  async #go(): Promise<void> {
    if (!this.#mayLeave()) return;
    await this.#until(() => !this.#mayLeave(), groupLimits.leaveListenMs);
    // What was given to the shards here is answered by them: the epochs still run. Looked at now
    // and then: an event would stand in the way of every put.
    const isIdle = (): boolean => this.#core.waiting === 0 || !this.#mayLeave();
    await this.#until(isIdle, groupLimits.leaveWaitMs, groupLimits.leavePollMs);
    if (!this.#mayLeave() || leaveView(this.#core) < 0) return;
    await this.#until(() => this.#isOut || !this.#mayLeave(), groupLimits.leaveWaitMs);
  }

  /** Views, or what is known of other members, may be otherwise. */
  look(): void {
    this.#wake();
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The others went on. */
  onOutdated(): void {
    this.#isOut = true;
    this.#wake();
  }

  /** Are there enough others, who do not go themselves? */
  #mayLeave(): boolean {
    const seen = this.#ended ? null : seeViews(this.#core);
    const installed = seen?.core.installed ?? null;
    if (seen === null || installed === null) return false;
    const others = installed.members.filter(
      ({ node, seat }) =>
        node !== this.#core.nodeId && this.#stays(node) && (seen.suspects & (1 << seat)) === 0,
    );
    return 2 * others.length > installed.members.length;
  }

  async #until(holds: () => boolean, limitMs: number, everyMs = limitMs): Promise<void> {
    const deadline = this.#clock.monotonicMs() + limitMs;
    for (let left = limitMs; left > 0 && !holds(); left = deadline - this.#clock.monotonicMs()) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(Math.min(left, everyMs), resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }
}
