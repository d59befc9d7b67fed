/** Frames for measuring the dairy pipeline, all from seeds: the cows are those of an evaluation. */
import {
  cowSeedFor,
  type Difficulty,
  enrolmentPictures,
  type FrameRequest,
  frameSeedFor,
  type FrameTruth,
  renderFrame,
} from '../../../pipelines/dairy/camera/mod.ts';
import type { EnrolmentPicture } from './dairy-rig.ts';

export interface EvaluationFrame {
  /** As the camera calls it. */
  readonly name: string;
  readonly kind: 'enrolled' | 'stranger' | 'empty';
  /** The name of the enrolled cow; null for strangers and empty frames. */
  readonly cow: string | null;
  readonly difficulty: Difficulty;
  readonly cowSeed: number | null;
  readonly frameSeed: number;
}

export interface EvaluationPlan {
  /** Which cows are drawn; strangers are those of the seed + 1. */
  readonly seed: number;
  /** How many are enrolled, and as many are not. */
  readonly cows: number;
  readonly framesPerCow: number;
  /** For each difficulty. */
  readonly emptyFrames: number;
}

/** Frame numbers of a cow: enrolment below 100, ordinary from 100, hard from 200. */
const framesOfDifficulty = 100;
const framesOfCow = 1000;
const firstEmptyFrame = 10_000_000;
const emptyFramesOfDifficulty = 1_000_000;

export const difficulties = ['ordinary', 'hard'] as const;

export function cowName(cow: number): string {
  return `cow_${String(cow)}`;
}

/** Every frame that is asked about; none is one that enrols a cow. */
export function plannedFrames(plan: EvaluationPlan): readonly EvaluationFrame[] {
  const { seed, cows, framesPerCow, emptyFrames } = plan;
  const frames: EvaluationFrame[] = [];
  for (const [at, difficulty] of difficulties.entries()) {
    for (let cow = 0; cow < cows; cow++) {
      for (let nth = 0; nth < framesPerCow; nth++) {
        const index = cow * framesOfCow + framesOfDifficulty * (at + 1) + nth;
        const name = `${difficulty}/${String(cow)}-${String(nth)}`;
        frames.push({
          name: `enrolled/${name}`,
          kind: 'enrolled',
          cow: cowName(cow),
          difficulty,
          cowSeed: cowSeedFor('test', cow, seed),
          frameSeed: frameSeedFor('test', index, seed),
        });
        frames.push({
          name: `stranger/${name}`,
          kind: 'stranger',
          cow: null,
          difficulty,
          cowSeed: cowSeedFor('unknown', cow, seed + 1),
          frameSeed: frameSeedFor('unknown', index, seed + 1),
        });
      }
    }
    for (let nth = 0; nth < emptyFrames; nth++) {
      const index = firstEmptyFrame + at * emptyFramesOfDifficulty + nth;
      const frameSeed = frameSeedFor('test', index, seed);
      const name = `empty/${difficulty}/${String(nth)}`;
      frames.push({ name, kind: 'empty', cow: null, difficulty, cowSeed: null, frameSeed });
    }
  }
  return frames;
}

export async function rendered(
  frame: EvaluationFrame,
): Promise<{ readonly jpeg: Buffer; readonly truth: FrameTruth }> {
  const { cowSeed, frameSeed, difficulty } = frame;
  return renderFrame({ cowSeed, frameSeed, difficulty });
}

/** What enrols the first cows of a seed, cow by cow. */
export function enrolmentFrames(
  seed: number,
  cows: number,
): readonly { readonly cow: number; readonly nth: number; readonly request: FrameRequest }[] {
  return Array.from({ length: cows * enrolmentPictures }, (_, at) => {
    const cow = Math.floor(at / enrolmentPictures);
    const nth = at % enrolmentPictures;
    const cowSeed = cowSeedFor('test', cow, seed);
    const frameSeed = frameSeedFor('test', cow * framesOfCow + nth, seed);
    return { cow, nth, request: { cowSeed, frameSeed, difficulty: 'ordinary' } };
  });
}

/** The pictures that enrol the first cows of a seed. */
export async function enrolment(seed: number, cows: number): Promise<readonly EnrolmentPicture[]> {
  const pictures: EnrolmentPicture[] = [];
  for (const { cow, nth, request } of enrolmentFrames(seed, cows)) {
    const { jpeg } = await renderFrame(request);
    pictures.push({ cow: cowName(cow), name: String(nth), jpeg });
  }
  return pictures;
}
