import { blackMaskOf, coatOf } from './coat.ts';
import type { Coat } from './coat.ts';
import type { FrameRequest } from './render.ts';
import { cowSeedFor, frameSeedFor } from './seeds.ts';

export type HerdCow = { readonly cowSeed: number; readonly coat: Coat };

/** Two coats that differ on less than this share of trunk and neck are look-alikes. */
const differenceMin = 0.08;

/** A farmer can name no more cows apart than this, and a gallery stays small. */
export const herdSizeMax = 512;

/**
 * The cows of a demo herd: the first of the herd's range, without one that looks like a cow that
 * is in it already (two nearly black ones, say), so that people and nets can tell them apart.
 *
 * @param draw takes another herd
 */
export function herdOf(count: number, draw = 0): HerdCow[] {
  if (!Number.isInteger(count) || count < 0 || count > herdSizeMax) {
    throw new RangeError(`a herd has 0 to ${herdSizeMax} cows, not ${count}`);
  }
  const herd: HerdCow[] = [];
  const masks: Uint8Array[] = [];
  for (let index = 0; herd.length < count; index++) {
    const cowSeed = cowSeedFor('herd', index, draw);
    const coat = coatOf(cowSeed);
    const mask = blackMaskOf(coat);
    if (masks.some((known) => differenceOf(known, mask) < differenceMin)) continue;
    herd.push({ cowSeed, coat });
    masks.push(mask);
  }
  return herd;
}

/** How many pictures enrol a cow. */
export const enrolmentPictures = 3;

/** What to render to enrol a cow: ordinary pictures that no camera of the demo takes again. */
export function enrolmentRequests(cowSeed: number): FrameRequest[] {
  const index = cowSeed % 2 ** 22;
  return Array.from({ length: enrolmentPictures }, (_, picture) => ({
    cowSeed,
    frameSeed: frameSeedFor('herd', index * enrolmentPictures + picture),
    difficulty: 'ordinary',
  }));
}

function differenceOf(a: Uint8Array, b: Uint8Array): number {
  let differing = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) differing += 1;
  return differing / a.length;
}
