/**
 * The pictures that the nets learn from: raw bytes and one line of JSON a picture, for train.py.
 * `frames.bin` holds every frame at the filter's size, `windows.bin` the surroundings of every cow
 * (its box and a margin, from which training cuts ever different crops).
 */
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { coatOf, cowSeedFor, frameSeedFor, renderFrame } from '../camera/mod.ts';
import type { Box, CoatColour, Difficulty } from '../camera/mod.ts';
import { cropped, decoded, frameSize, grownWindow, stretched } from './pixels.ts';

export const windowSize = { width: 160, height: 120 } as const;

/** The margin around a box that a window keeps on each side, as a share of the box. */
const windowGrowth = 0.15;

export type DatasetPlan = {
  /** Takes other cows and frames from the training range. */
  readonly draw: number;
  readonly cowsPerCoat: number;
  readonly ordinaryPerCow: number;
  readonly hardPerCow: number;
  /** Half of them hard. */
  readonly empties: number;
};

export type Shot = {
  /** Index among the cows of its coat, null for a frame without a cow. */
  readonly cow: number | null;
  readonly coat: CoatColour | null;
  readonly blackShare: number | null;
  readonly cowSeed: number | null;
  readonly frameSeed: number;
  readonly difficulty: Difficulty;
};

/** One line of labels: boxes as [left, top, right, bottom], shares of the frame or window. */
type Label = {
  readonly cow: number;
  readonly black: number;
  readonly share: number;
  readonly hard: boolean;
  readonly box: readonly number[] | null;
  readonly inWindow: readonly number[] | null;
};

/** Every picture of a plan, cows and empty frames mixed in a fixed order. */
export function shotsOf(plan: DatasetPlan): Shot[] {
  const shots: Omit<Shot, 'frameSeed'>[] = [];
  for (const { cow, coat, cowSeed, blackShare } of cowsOf(plan)) {
    for (let i = 0; i < plan.ordinaryPerCow + plan.hardPerCow; i++) {
      const difficulty = i < plan.ordinaryPerCow ? 'ordinary' : 'hard';
      shots.push({ cow, coat, blackShare, cowSeed, difficulty });
    }
  }
  for (let i = 0; i < plan.empties; i++) {
    const difficulty = i % 2 === 0 ? 'ordinary' : 'hard';
    shots.push({ cow: null, coat: null, blackShare: null, cowSeed: null, difficulty });
  }
  return shots.map((shot, i) => ({ ...shot, frameSeed: frameSeedFor('train', i, plan.draw) }));
}

/** Renders every `of`-th shot from `shard` on and writes `<folder>/<shard>.{json,bin}` files. */
export async function buildShard(
  plan: DatasetPlan,
  folder: string,
  shard: number,
  of: number,
  onProgress: (done: number, all: number) => void,
): Promise<void> {
  const shots = shotsOf(plan).filter((_, i) => i % of === shard);
  const frames = await open(join(folder, `frames-${shard}.bin`), 'w');
  const windows = await open(join(folder, `windows-${shard}.bin`), 'w');
  const labels: string[] = [];
  try {
    for (const shot of shots) {
      const { frame, window, label } = await take(shot);
      await frames.write(frame);
      if (window !== null) await windows.write(window);
      labels.push(JSON.stringify(label));
      if (labels.length % 200 === 0) onProgress(labels.length, shots.length);
    }
  } finally {
    await frames.close();
    await windows.close();
  }
  await writeFile(join(folder, `labels-${shard}.jsonl`), labels.join('\n') + '\n');
}

type Taken = { readonly frame: Buffer; readonly window: Buffer | null; readonly label: Label };

async function take(shot: Shot): Promise<Taken> {
  const { jpeg, truth } = await renderFrame(shot);
  const picture = await decoded(jpeg);
  const frame = await stretched(picture, frameSize);
  const hard = shot.difficulty === 'hard';
  if (truth.box === null || shot.cow === null || shot.blackShare === null) {
    const label = { cow: -1, black: -1, share: -1, hard, box: null, inWindow: null };
    return { frame, window: null, label };
  }
  const around = grownWindow(truth.box, windowGrowth, picture);
  const window = await cropped(picture, around, windowSize);
  const label = {
    cow: shot.cow,
    black: shot.coat === 'black' ? 1 : 0,
    share: shot.blackShare,
    hard,
    box: sharesOf(truth.box, { x: 0, y: 0, width: picture.width, height: picture.height }),
    inWindow: sharesOf(truth.box, around),
  };
  return { frame, window, label };
}

function sharesOf(box: Box, around: Box): number[] {
  const x = (value: number): number => rounded((value - around.x) / around.width);
  const y = (value: number): number => rounded((value - around.y) / around.height);
  return [x(box.x), y(box.y), x(box.x + box.width), y(box.y + box.height)];
}

function rounded(value: number): number {
  return Math.round(value * 1e5) / 1e5;
}

type PlannedCow = {
  readonly cow: number;
  readonly coat: CoatColour;
  readonly cowSeed: number;
  readonly blackShare: number;
};

/** The first cows of the training range, until each coat has as many as planned. */
function cowsOf(plan: DatasetPlan): PlannedCow[] {
  const cows: PlannedCow[] = [];
  const counts = { white: 0, black: 0 };
  for (let i = 0; counts.white < plan.cowsPerCoat || counts.black < plan.cowsPerCoat; i++) {
    const cowSeed = cowSeedFor('train', i, plan.draw);
    const { colour: coat, blackShare } = coatOf(cowSeed);
    if (counts[coat] >= plan.cowsPerCoat) continue;
    cows.push({ cow: counts[coat], coat, cowSeed, blackShare });
    counts[coat] += 1;
  }
  return cows;
}
