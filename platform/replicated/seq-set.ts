/** Numbers from 1 that were seen: all up to `floor`, and some above. */
export class SeqSet {
  readonly #above = new Set<number>();
  #floor = 0;

  get floor(): number {
    return this.#floor;
  }

  has(seq: number): boolean {
    return seq <= this.#floor || this.#above.has(seq);
  }

  add(seq: number): void {
    this.#above.add(seq);
    while (this.#above.delete(this.#floor + 1)) this.#floor++;
  }
}
