/**
 * How long members of the cluster have been out of the view that runs: whose place is given to a
 * spare. Every member counts, so that one that begins to lead goes on with it.
 *
 * Thread: event loop.
 */
export class Absences {
  /** null: places are kept for ever. */
  readonly #replaceAfterMs: number | null;
  readonly #since = new Map<number, number>();

  constructor(replaceAfterMs: number | null) {
    this.#replaceAfterMs = replaceAfterMs;
  }

  /** `here`: in the view, or on the way into it. */
  look(members: readonly number[], here: ReadonlySet<number>, nowMs: number): void {
    for (const node of members) {
      if (here.has(node)) {
        this.#since.delete(node);
      } else if (!this.#since.has(node)) {
        this.#since.set(node, nowMs);
      }
    }
  }

  /** Those that are away, and not for so long that spares take their places. Infinity: never. */
  awaited(nowMs: number): readonly number[] {
    const most = this.#replaceAfterMs;
    const waiting = [...this.#since].filter(([, since]) => most === null || nowMs - since < most);
    return waiting.map(([node]) => node);
  }
}
