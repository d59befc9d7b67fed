/**
 * The clocks of the members as this one knows of them: its own comparisons, what the others tell of
 * theirs, and what follows for who is let in (clock-verdict.ts) and for its own clock.
 *
 * Thread: event loop.
 */
import { type ClockOffset, ClockOffsets, type ToldClock } from './clock-offsets.ts';
import {
  clockAccusations,
  type ClockVerdict,
  clockVerdict,
  explainClock,
  type ToldByMembers,
} from './clock-verdict.ts';
import type { GroupEffect } from './group-events.ts';
import type { Hello } from './group-messages.ts';

/** What it has to know of the group. */
export interface ClocksOf {
  readonly me: number;
  readonly maxClockSkewMs: number;
  /** As configured. */
  readonly members: readonly number[];
  /** I have no view. */
  readonly isBlank: () => boolean;
  /** Node ids of the view's members, me included; null: none goes on here. */
  readonly viewMembers: () => readonly number[] | null;
  /** Of the others. */
  readonly hellos: ReadonlyMap<number, Hello>;
}

export class GroupClocks {
  readonly #of: ClocksOf;
  readonly #offsets: ClockOffsets;
  /** Of whom the log says that they are off. */
  readonly #off = new Set<number>();

  constructor(of: ClocksOf) {
    this.#of = of;
    this.#offsets = new ClockOffsets(of.maxClockSkewMs);
  }

  /** For my hello. */
  get told(): readonly ToldClock[] {
    return this.#offsets.told;
  }

  /** True: what I tell is another. */
  note(node: number, offset: ClockOffset, stepUs: number): boolean {
    return this.#offsets.note(node, offset, stepUs);
  }

  /** As `note`: my clock goes on from so much later. */
  shift(byUs: number): boolean {
    return this.#offsets.shift(byUs);
  }

  forget(node: number): void {
    this.#offsets.forget(node);
  }

  /** How far another member's clock is ahead of mine, µs; null: not known. */
  aheadUs(node: number): number | null {
    return this.#offsets.aheadUs(node);
  }

  /** As ClockOffsets.excessUs, of the view that goes on; null without one. */
  get excessUs(): number | null {
    const members = this.#of.viewMembers();
    return members === null ? null : this.#offsets.excessUs(members, this.#of.me);
  }

  /** Somebody who has no view waits for clocks to be compared, or set right. */
  get areInDoubt(): boolean {
    return this.#of.members.some((node) => this.#isBlank(node) && this.verdict(node) !== 'well');
  }

  /** Of a member without a view. */
  verdict(node: number): ClockVerdict {
    return clockVerdict(this.#toldOf(node));
  }

  /** One without a view is not let in; that of one that has one is far from mine. */
  isOff(node: number): boolean {
    if (this.#isBlank(node)) return this.verdict(node) === 'off';
    return this.told.some((told) => told.node === node && told.aheadMs !== 0);
  }

  /** To be read by people. */
  explain(node: number): string {
    const { me, maxClockSkewMs } = this.#of;
    const whose = `the clock of ${node === me ? 'this member' : `member ${String(node)}`}`;
    if (this.#isBlank(node)) {
      const text = explainClock(whose, clockAccusations(this.#toldOf(node)), maxClockSkewMs);
      return `${text}: it is let in once the clock of its machine is set right`;
    }
    const told = this.told.filter((one) => one.node === node);
    const mine = told.map(({ aheadMs }) => ({ by: me, aheadMs }));
    const text = explainClock(whose, mine, maxClockSkewMs);
    return `${text}: set both machines right, and start the member whose clock was wrong again`;
  }

  /** Says whose clock is off, once when it begins and once when it has ended. */
  look(effects: GroupEffect[]): void {
    for (const node of this.#of.members) {
      const isOff = this.#isHere(node) && this.isOff(node);
      if (isOff === this.#off.has(node)) continue;
      if (isOff) this.#off.add(node);
      else this.#off.delete(node);
      const level = node === this.#of.me ? 'error' : 'warn';
      if (isOff) effects.push({ type: 'log', level, text: this.explain(node) });
      else if (this.#isHere(node)) effects.push({ type: 'log', level: 'info', text: ended(node) });
    }
  }

  #isHere(node: number): boolean {
    return node === this.#of.me || this.#of.hellos.has(node);
  }

  #isBlank(node: number): boolean {
    const { me, isBlank, hellos } = this.#of;
    return node === me ? isBlank() : hellos.get(node)?.view === 0;
  }

  #toldOf(node: number): ToldByMembers {
    const { me, members, viewMembers, hellos } = this.#of;
    const mine = { runs: viewMembers() !== null, clocks: this.told };
    const others = [...hellos].map(
      ([from, { view, stuck, clocks }]) => [from, { runs: view > 0 && !stuck, clocks }] as const,
    );
    return { node, told: new Map([...others, [me, mine]]), members: members.length };
  }
}

function ended(node: number): string {
  return `the clock of member ${String(node)} is right again`;
}
