/**
 * What a client knows of one key that it alone writes, with 1, 2, 3 … as values: which of them were
 * acknowledged and read, and what a history that it is shown must therefore hold.
 */

/** An answer to a put. */
export interface Acknowledged {
  readonly number: number;
  readonly version: number;
  readonly epoch: number;
  /** As `persisted`: it survives everything but the loss of the disks. */
  readonly isDurable: boolean;
}

/** One version of the key in a history. */
export interface Seen {
  readonly number: number;
  readonly version: number;
  readonly epoch: number;
}

export class KeyRecord {
  readonly key: string;
  /** Whether what reads show is on disks: nothing shown is ever undone. */
  readonly #isPersistent: boolean;
  readonly #acknowledged: Acknowledged[] = [];
  /** So many of these, the first, may be gone unless they are durable. */
  #mayBeLost = 0;
  /** The newest number that was put, whatever became of it. */
  #put = 0;
  #read = 0;

  constructor(key: string, isPersistent: boolean) {
    this.key = key;
    this.#isPersistent = isPersistent;
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  /** The number to put next; a put has to be answered before the next one. */
  next(): number {
    return ++this.#put;
  }

  onAcknowledged(answer: Acknowledged): void {
    this.#acknowledged.push(answer);
  }

  /** So many members failed at once that only what is on disks need be left. */
  onLost(): void {
    this.#mayBeLost = this.#acknowledged.length;
    if (!this.#isPersistent) this.#read = 0;
  }

  /** The least that a linearizable read that begins now must show; 0: nothing yet. */
  floor(): number {
    const isKept = ({ isDurable }: Acknowledged, nth: number) =>
      nth >= this.#mayBeLost || isDurable;
    const last = this.#acknowledged.findLast(isKept);
    return Math.max(this.#read, last?.number ?? 0);
  }

  /** What is wrong with the answer of a linearizable read; null: nothing. */
  onRead(number: number, floor: number): string | null {
    if (number < floor) {
      return `${this.key}: a read showed ${number} after ${floor} had been acknowledged or read`;
    }
    if (number > this.#put) return `${this.key}: a read showed ${number}, which was never put`;
    this.#read = Math.max(this.#read, number);
    return null;
  }

  /** What is wrong with a whole history of the key, in the order of versions. */
  faultsOf(history: readonly Seen[]): readonly string[] {
    const faults: string[] = [];
    history.forEach(({ number, version }, nth) => {
      const before = history[nth - 1];
      if (before === undefined) return;
      if (number === before.number) faults.push(`${number} is there twice`);
      else if (number < before.number) faults.push(`${number} comes after ${before.number}`);
      if (version <= before.version) faults.push(`version ${version} follows ${before.version}`);
    });
    const byNumber = new Map(history.map((seen) => [seen.number, seen]));
    this.#acknowledged.forEach(({ number, version, epoch, isDurable }, nth) => {
      const seen = byNumber.get(number);
      const mayBeLost = nth < this.#mayBeLost && !isDurable;
      if (seen === undefined) {
        if (!mayBeLost) faults.push(`${number} was acknowledged and is lost`);
      } else if (!mayBeLost && (seen.version !== version || seen.epoch !== epoch)) {
        const answered = `${epoch}-${version}`;
        faults.push(`${number} was answered as ${answered} and is ${seen.epoch}-${seen.version}`);
      }
    });
    if (this.#read > 0 && !byNumber.has(this.#read)) {
      faults.push(`${this.#read} was read and is lost`);
    }
    const last = history.at(-1);
    if (last !== undefined && last.number > this.#put) {
      faults.push(`${last.number} was never put`);
    }
    return faults.map((fault) => `${this.key}: ${fault}`);
  }
}
