/**
 * A camera that never runs out: numbered frames of a herd at a steady rate. Which cow stands in
 * frame n, and how, follows from the camera's seed and n alone; clock and timer come from outside.
 *
 * Owned by the one loop that iterates it. Invariants:
 * 1. Frame numbers begin at `firstNumber` and have no gap: what is missing later was lost later.
 * 2. Frame n is due `n - firstNumber` intervals after the first; a late camera does not sleep,
 *    and skips nothing.
 */
import type { Difficulty } from './pose.ts';
import { Random } from './random.ts';
import { renderFrame } from './render.ts';
import type { FrameRequest, FrameTruth } from './render.ts';
import { cowSeedFor, frameSeedFor, seedFieldSize } from './seeds.ts';

export type SceneCameraOptions = {
  /** 0 to 2^24 - 1: another seed is another camera. */
  readonly seed: number;
  /** The cow seeds of the herd; frames name a cow by its index here. */
  readonly herd: readonly number[];
  /** Frames a second; null takes the next as soon as the last was taken away. */
  readonly rate: number | null;
  /** After so many frames the camera stops; null never. */
  readonly frames: number | null;
  /** 0..1: frames without a cow, frames of a cow of no herd, hard frames; .3, .1, .25. */
  readonly emptyShare?: number;
  readonly strangerShare?: number;
  readonly hardShare?: number;
  readonly firstNumber?: number;
  /** Microseconds since 1970. */
  readonly now: () => number;
  /** Resolves after so many milliseconds, or at once when the signal fires. */
  readonly sleep: (ms: number, signal: AbortSignal | null) => Promise<void>;
};

export type FramePlan = {
  readonly request: FrameRequest;
  /** Index in the herd; null for an empty frame and for a stranger. */
  readonly cow: number | null;
  readonly stranger: boolean;
};

export type CameraFrame = FramePlan & {
  readonly number: number;
  /** Microseconds since 1970. */
  readonly capturedAt: number;
  readonly jpeg: Buffer;
  readonly truth: FrameTruth;
};

export class SceneCamera {
  readonly #options: SceneCameraOptions;

  constructor(options: SceneCameraOptions) {
    const { rate, frames } = options;
    if (rate !== null && !(rate > 0)) throw new RangeError(`${rate} frames a second is no rate`);
    if (frames !== null && !(frames >= 0)) throw new RangeError(`${frames} is no number of frames`);
    this.#options = options;
  }

  /** What frame `number` shows; the same for the same seed, herd and shares. */
  planOf(number: number): FramePlan {
    const { seed, herd, emptyShare = 0.3, strangerShare = 0.1, hardShare = 0.25 } = this.#options;
    const index = number % seedFieldSize;
    const frameSeed = frameSeedFor('stranger', index, seed);
    const random = new Random(frameSeedFor('herd', index, seed));
    const difficulty: Difficulty = random.chance(hardShare) ? 'hard' : 'ordinary';
    const kind = random.between(0, 1);
    if (kind < emptyShare || (herd.length === 0 && kind >= emptyShare + strangerShare)) {
      return { request: { cowSeed: null, frameSeed, difficulty }, cow: null, stranger: false };
    }
    if (kind < emptyShare + strangerShare) {
      const cowSeed = cowSeedFor('stranger', random.integer(0, seedFieldSize - 1), seed);
      return { request: { cowSeed, frameSeed, difficulty }, cow: null, stranger: true };
    }
    const cow = random.integer(0, herd.length - 1);
    const cowSeed = herd[cow] ?? null;
    return { request: { cowSeed, frameSeed, difficulty }, cow, stranger: false };
  }

  async *frames(signal: AbortSignal | null = null): AsyncGenerator<CameraFrame, void, void> {
    const { rate, firstNumber = 0, now, sleep } = this.#options;
    const framesMax = this.#options.frames ?? Infinity;
    const startedAt = now();
    for (let taken = 0; taken < framesMax; taken++) {
      if (rate !== null) {
        const dueInMs = (startedAt + (taken * 1e6) / rate - now()) / 1000;
        if (dueInMs > 0) await sleep(dueInMs, signal);
      }
      if (signal?.aborted === true) return;
      const number = firstNumber + taken;
      const plan = this.planOf(number);
      const capturedAt = now();
      const { jpeg, truth } = await renderFrame(plan.request);
      yield { ...plan, number, capturedAt, jpeg, truth };
    }
  }
}
