import { check } from './invariant.ts';

/** Randomness as a constructor argument. */
export interface Random {
  /** Uniform over 0 … 2³²−1. */
  u32(): number;
  /** Uniform over [0, 1), 53 bits. */
  float(): number;
  /** Uniform over 0 … `bound`−1, without bias. `bound` is 1 … 2³². */
  below(bound: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of the items, which are not empty. */
  pick<Item>(items: readonly Item[]): Item;
  /** A shuffled copy (Fisher and Yates). */
  shuffled<Item>(items: readonly Item[]): Item[];
}

const twoTo32 = 2 ** 32;

abstract class RandomBase implements Random {
  abstract u32(): number;

  float(): number {
    const high = this.u32() >>> 5;
    const low = this.u32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  below(bound: number): number {
    const fits = Number.isSafeInteger(bound) && bound >= 1 && bound <= twoTo32;
    check(fits, 'the bound is an integer in 1 … 2^32', { bound });
    // What lies above the largest multiple of the bound is drawn again.
    const end = twoTo32 - (twoTo32 % bound);
    let drawn = this.u32();
    while (drawn >= end) {
      drawn = this.u32();
    }
    return drawn % bound;
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    check(items.length > 0, 'there is something to pick from');
    return items[this.below(items.length)] as Item;
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = copy[i] as Item;
      copy[i] = copy[j] as Item;
      copy[j] = kept;
    }
    return copy;
  }
}

/**
 * xoshiro128** 1.1 by Blackman and Vigna (https://prng.di.unimi.it/xoshiro128starstar.c), its state
 * filled by splitmix64 as the authors advise. The same seed gives the same numbers everywhere.
 */
export class SeededRandom extends RandomBase {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number | bigint) {
    super();
    const next = splitmix64(BigInt.asUintN(64, BigInt(seed)));
    const first = next();
    const second = next();
    [this.#a, this.#b] = halves(first);
    [this.#c, this.#d] = halves(second);
  }

  /** Starts from a state as it is: four 32-bit words, not all zero. */
  static fromState(state: readonly [number, number, number, number]): SeededRandom {
    check(
      state.some((word) => word !== 0),
      'the state is not all zero',
    );
    const random = new SeededRandom(0);
    [random.#a, random.#b, random.#c, random.#d] = state;
    return random;
  }

  u32(): number {
    const result = Math.imul(rotl(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotl(this.#d, 11);
    return result;
  }

  /** A generator of its own, so that one part drawing more does not move another's numbers. */
  fork(): SeededRandom {
    return new SeededRandom((BigInt(this.u32()) << 32n) | BigInt(this.u32()));
  }
}

/** Numbers of the operating system, fit for identities and tickets. */
export class SystemRandom extends RandomBase {
  readonly #buffer = new Uint32Array(256);
  #used = 256;

  u32(): number {
    if (this.#used === this.#buffer.length) {
      crypto.getRandomValues(this.#buffer);
      this.#used = 0;
    }
    return this.#buffer[this.#used++] as number;
  }
}

/** splitmix64 by Steele, Lea and Flood (https://prng.di.unimi.it/splitmix64.c). */
export function splitmix64(seed: bigint): () => bigint {
  let state = seed;
  return () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
}

function halves(word: bigint): [number, number] {
  return [Number(word & 0xffffffffn), Number(word >> 32n)];
}

function rotl(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
