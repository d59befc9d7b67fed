/**
 * Seeded random numbers: the same seed gives the same sequence on every machine. The generator is
 * sfc32 (Chris Doty-Humphrey's small fast counter, public domain), whose state is filled from the
 * seed by the murmur3 finaliser, so that neighbouring seeds start far apart.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any safe integer; all of its 53 bits count. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed ${seed} is not a safe integer`);
    this.#a = mixed(seed % 0x1_0000_0000);
    this.#b = mixed(Math.floor(seed / 0x1_0000_0000) ^ 0x5bd1_e995);
    this.#c = mixed(this.#a ^ Math.imul(this.#b, 0x9e37_79b1));
    for (let round = 0; round < 12; round++) this.bits();
  }

  /** The next 32 bits, as an unsigned integer. */
  bits(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * (this.bits() / 0x1_0000_0000);
  }

  /** An integer from low to high, both included. */
  integer(low: number, high: number): number {
    return Math.min(high, Math.floor(this.between(low, high + 1)));
  }

  chance(probability: number): boolean {
    return this.between(0, 1) < probability;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.integer(0, choices.length - 1)] ?? choices[0];
  }

  /** A draw of the standard normal distribution (Box and Muller, 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.between(0, 1)));
    return radius * Math.cos(2 * Math.PI * this.between(0, 1));
  }
}

function mixed(word: number): number {
  let bits = word | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
