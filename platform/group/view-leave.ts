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

export class ViewLeave {
  readonly #core: MemberCore;
  readonly #clock: Clock;
  readonly #stays: (node: number) => boolean;
  #isOut = false;
  #isOver = false;

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
    const listenedMs = this.#clock.monotonicMs() + groupLimits.leaveListenMs;
    await this.#until(() => this.#clock.monotonicMs() >= listenedMs || !this.#mayLeave());
    // What was given to the shards here is answered by them: the epochs still run.
    await this.#until(() => this.#core.waiting === 0 || !this.#mayLeave());
    if (!this.#mayLeave() || leaveView(this.#core) < 0) return;
    await this.#until(() => this.#isOut || !this.#mayLeave());
  }

  /** The others went on. */
  onOutdated(): void {
    this.#isOut = true;
  }

  /** Are there enough others, who do not go themselves? */
  #mayLeave(): boolean {
    const seen = seeViews(this.#core);
    const installed = seen?.core.installed ?? null;
    if (seen === null || installed === null) return false;
    const others = installed.members.filter(
      ({ node, seat }) =>
        node !== this.#core.nodeId && this.#stays(node) && (seen.suspects & (1 << seat)) === 0,
    );
    return 2 * others.length > installed.members.length;
  }

  async #until(holds: () => boolean): Promise<void> {
    const deadline = this.#clock.monotonicMs() + groupLimits.leaveWaitMs;
    while (!holds() && this.#clock.monotonicMs() < deadline) {
      await new Promise<void>((resolve) => {
        this.#clock.after(groupLimits.leavePollMs, resolve);
      });
    }
  }
}
