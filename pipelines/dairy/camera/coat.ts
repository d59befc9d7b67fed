import { blob, boundsOf, isInside, sampledCurve } from './geometry.ts';
import type { Box, Point } from './geometry.ts';
import { Random } from './random.ts';
import { neckOutline, trunkOutline } from './anatomy.ts';

export type CoatColour = 'white' | 'black';

/** What a cow is known by: everything here follows from the cow seed alone. */
export type Coat = {
  /** The colour of more than half of trunk and neck. */
  readonly colour: CoatColour;
  /** Share of trunk and neck that is black, measured on the standing figure: 0..1. */
  readonly blackShare: number;
  /** The colour under the patches; the patches have the other one. */
  readonly ground: CoatColour;
  /** Corners of the patches, in the figure's units. */
  readonly patches: readonly (readonly Point[])[];
  readonly neckPatches: readonly (readonly Point[])[];
  readonly head: CoatColour;
  /** A stripe on the face, 0 (none) to 1 (the whole face), of the colour that the head is not. */
  readonly blaze: number;
  readonly ear: CoatColour;
  readonly darkMuzzle: boolean;
  /** Near fore, far fore, near hind, far hind. */
  readonly legs: readonly [LegCoat, LegCoat, LegCoat, LegCoat];
  readonly tail: CoatColour;
  readonly tuft: CoatColour;
};

export type LegCoat = {
  readonly upper: CoatColour;
  /** How much of the lower leg is white: 0..1. */
  readonly sock: number;
};

/** Between these shares of black a coat is neither white nor black, and no cow has one. */
export const undecidedShare = { low: 0.45, high: 0.55 } as const;

/** Less than this share of patches tells no cow from the next, and no cow has so little. */
const patchShareMin = 0.06;

/** A draw that never fits is a bug in the drawing rules, not bad luck. */
const drawsMax = 200;

/** The trunk is drawn over the neck, so it owns the points that both hold. */
const trunkGrid = gridInside(trunkOutline, null);
const neckGrid = gridInside(neckOutline, trunkOutline);

/** The coat of a cow; its colour is white or black with equal chance. */
export function coatOf(cowSeed: number): Coat {
  const random = new Random(cowSeed);
  const colour: CoatColour = random.chance(0.5) ? 'white' : 'black';
  const isPatched = random.chance(0.62);
  for (let draw = 0; draw < drawsMax; draw++) {
    const patches = isPatched ? largePatches(random) : smallPatches(random);
    const neckPatches = neckBlobs(random);
    const patchShare = shareOf(patches, neckPatches);
    // A patch colour that covers more than half decides, so the ground may be the other colour.
    const ground = patchShare > 0.5 ? other(colour) : colour;
    const blackShare = ground === 'white' ? patchShare : 1 - patchShare;
    const isDecided = blackShare < undecidedShare.low || blackShare > undecidedShare.high;
    if (!isDecided || patchShare < patchShareMin || patchShare > 1 - patchShareMin) continue;
    return { colour, blackShare, ground, patches, neckPatches, ...extremities(random, colour) };
  }
  throw new Error(`no coat for cow seed ${cowSeed} in ${drawsMax} draws`);
}

export function other(colour: CoatColour): CoatColour {
  return colour === 'white' ? 'black' : 'white';
}

function largePatches(random: Random): Point[][] {
  const patches: Point[][] = [];
  const count = random.integer(3, 7);
  for (let i = 0; i < count; i++) {
    const centre: Point = [random.between(-115, 105), random.between(-55, 45)];
    patches.push(blob(random, centre, random.between(14, 46), random.between(14, 38)));
  }
  return patches;
}

function smallPatches(random: Random): Point[][] {
  const patches: Point[][] = [];
  const count = random.integer(3, 6);
  for (let i = 0; i < count; i++) {
    const centre: Point = [random.between(-105, 100), random.between(-46, 40)];
    patches.push(blob(random, centre, random.between(10, 24), random.between(9, 22)));
  }
  return patches;
}

function neckBlobs(random: Random): Point[][] {
  if (random.chance(0.4)) return [];
  const centre: Point = [random.between(88, 138), random.between(-85, -20)];
  return [blob(random, centre, random.between(12, 30), random.between(12, 32))];
}

function extremities(random: Random, colour: CoatColour) {
  const mostly = (share: number): CoatColour => (random.chance(share) ? colour : other(colour));
  const leg = (): LegCoat => ({
    upper: mostly(0.75),
    sock: random.chance(0.6) ? random.between(0.25, 1) : 0,
  });
  return {
    head: mostly(0.65),
    blaze: random.chance(0.6) ? random.between(0.2, 0.8) : 0,
    ear: mostly(0.6),
    darkMuzzle: random.chance(0.5),
    legs: [leg(), leg(), leg(), leg()] as const,
    tail: mostly(0.7),
    tuft: random.chance(0.5) ? ('white' as const) : ('black' as const),
  };
}

/** The share of trunk and neck that the patches cover, counted on a grid of 4 by 4 units. */
function shareOf(patches: Coat['patches'], neckPatches: Coat['patches']): number {
  const covered = countInside(trunkGrid, patches) + countInside(neckGrid, neckPatches);
  return covered / (trunkGrid.length + neckGrid.length);
}

/** For each grid point of trunk and neck whether it is black (1) on the standing figure. */
export function blackMaskOf(coat: Coat): Uint8Array {
  const covered = [...coverage(trunkGrid, coat.patches), ...coverage(neckGrid, coat.neckPatches)];
  return Uint8Array.from(covered, (isPatch) => Number(isPatch === (coat.ground === 'white')));
}

function countInside(grid: readonly Point[], patches: Coat['patches']): number {
  return coverage(grid, patches).filter(Boolean).length;
}

function coverage(grid: readonly Point[], patches: Coat['patches']): boolean[] {
  const areas = patches.map((patch) => {
    const edge = sampledCurve(patch, 4);
    return { edge, bounds: boundsOf(edge) };
  });
  return grid.map((point) =>
    areas.some(({ edge, bounds }) => isWithin(bounds, point) && isInside(edge, point)),
  );
}

function isWithin(box: Box, [x, y]: Point): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

function gridInside(outline: readonly Point[], except: readonly Point[] | null): Point[] {
  const edge = sampledCurve(outline, 4);
  const hole = except === null ? null : sampledCurve(except, 4);
  const bounds = boundsOf(edge);
  const grid: Point[] = [];
  for (let y = bounds.y; y <= bounds.y + bounds.height; y += 4) {
    for (let x = bounds.x; x <= bounds.x + bounds.width; x += 4) {
      const point: Point = [x, y];
      if (isInside(edge, point) && (hole === null || !isInside(hole, point))) grid.push(point);
    }
  }
  return grid;
}
