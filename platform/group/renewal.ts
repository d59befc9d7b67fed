/**
 * When a member gives up the view that it has, or is taken to have, to become another incarnation
 * without one.
 *
 * A view that has lost its majority for good, as members of it have come back as others, is given
 * up once those who have none are enough for a restart with me; so is what others take me for, and
 * what cannot go on with me, as my disk failed: at once when a view is on its way.
 *
 * Thread: event loop.
 */
import { groupLimits } from './group-limits.ts';
import type { CoreState, GroupState } from './group-state.ts';

export const ailment = 'the disk of this member failed, and is tried again';

export class Renewal {
  readonly #state: GroupState;
  #hopelessSinceMs: number | null = null;
  #hopefulSinceMs: number | null = null;
  /** Since when a view has been on its way; null: none is. */
  #changingSinceMs: number | null = null;

  constructor(state: GroupState) {
    this.#state = state;
  }

  /** Time alone may bring it on. */
  get isWaiting(): boolean {
    return this.#hopelessSinceMs !== null || this.#changingSinceMs !== null;
  }

  /** `isNext`: another view is installed than before. */
  onCore(core: CoreState, isNext: boolean, nowMs: number): void {
    if (!core.changing || isNext) this.#changingSinceMs = null;
    if (core.changing) this.#changingSinceMs ??= nowMs;
  }

  /** Why it is due now; null: it is not. */
  due(nowMs: number): string | null {
    const { core, me, ailing } = this.#state;
    if (ailing && core.changing) return ailment;
    const holdsUp = ailing && core.installed !== null;
    const members = core.installed?.members.map(({ node }) => node) ?? [];
    const others = members.filter((node) => node !== me);
    const lost = others.filter((node) => this.#state.hello(node)?.view === 0);
    const alike = others.filter((node) => this.#state.hello(node)?.stuck === true);
    const enough = 2 * new Set([...lost, ...alike, me]).size > members.length;
    const stuck = core.stuck && lost.length > 0 && enough;
    const mistaken = this.#state.isBlank && !core.changing && this.#state.isTakenForAnother();
    // The last that had a shard died after the view was agreed: nobody can be given it.
    const changedForMs = nowMs - (this.#changingSinceMs ?? nowMs);
    if (changedForMs >= groupLimits.changeStallMs && core.installed !== null && lost.length > 0) {
      return 'the next view cannot be finished';
    }
    if (!stuck && !mistaken && !holdsUp) {
      // A new attempt of the core has no suspicions, for a moment.
      this.#hopefulSinceMs ??= nowMs;
      if (nowMs - this.#hopefulSinceMs >= groupLimits.hopeAfterMs) this.#hopelessSinceMs = null;
      return null;
    }
    this.#hopefulSinceMs = null;
    this.#hopelessSinceMs ??= nowMs;
    if (nowMs - this.#hopelessSinceMs < groupLimits.renewAfterMs) return null;
    this.#hopelessSinceMs = null;
    const lacks = stuck ? 'too few members of the view are left' : 'the view began without it';
    return holdsUp ? ailment : lacks;
  }
}
