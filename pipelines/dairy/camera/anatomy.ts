import type { Point } from './geometry.ts';

/**
 * The standing cow in side view, facing right, in the figure's units: the trunk's middle is the
 * origin, y points down, and the hooves stand at about y = 122. From tail to muzzle it measures
 * about 350 units. Outlines are corners of smooth closed curves.
 */
export const trunkOutline: readonly Point[] = [
  [-121, -50],
  [-98, -62],
  [-55, -60],
  [0, -56],
  [48, -59],
  [80, -64],
  [108, -46],
  [122, -12],
  [114, 28],
  [84, 50],
  [35, 61],
  [-25, 65],
  [-66, 53],
  [-92, 52],
  [-119, 20],
  [-128, -20],
];

/** The corners of the trunk that the belly's depth moves, and how far for a depth of 1. */
export const bellyCorners: readonly (readonly [corner: number, units: number])[] = [
  [9, 3],
  [10, 10],
  [11, 12],
  [12, 9],
];

export const neckOutline: readonly Point[] = [
  [66, -62],
  [100, -74],
  [132, -88],
  [156, -84],
  [160, -58],
  [148, -26],
  [132, 4],
  [114, 26],
  [86, -10],
];

/** The neck turns about this point, the head about that one. */
export const neckJoint: Point = [92, -25];
export const headJoint: Point = [150, -70];

/** The head about its joint, x along the face, before its turn; 44 degrees is at rest. */
export const headAtRestDegrees = 44;
export const headOutline: readonly Point[] = [
  [-17, -12],
  [-5, -24],
  [14, -24],
  [38, -18],
  [62, -15],
  [79, -8],
  [82, 8],
  [70, 18],
  [46, 17],
  [24, 24],
  [0, 22],
  [-16, 10],
];
export const muzzleOutline: readonly Point[] = [
  [60, -14],
  [74, -12],
  [84, -2],
  [82, 11],
  [70, 19],
  [57, 15],
  [54, 0],
];
export const blazeOutline: readonly Point[] = [
  [-8, -22],
  [14, -24],
  [38, -18],
  [58, -15],
  [56, -6],
  [38, -8],
  [14, -12],
  [-6, -12],
];
export const earOutline: readonly Point[] = [
  [-3, -17],
  [-16, -30],
  [-38, -33],
  [-47, -23],
  [-32, -12],
  [-10, -8],
];
export const hornOutline: readonly Point[] = [
  [1, -22],
  [4, -33],
  [12, -39],
  [11, -30],
  [10, -22],
];
export const tagOutline: readonly Point[] = [
  [-36, -24],
  [-25, -22],
  [-27, -7],
  [-38, -9],
];
export const eyeAt: Point = [18, -9];
export const nostrilAt: Point = [77, -2];

/** Where a leg hangs, its upper and lower length, its widths, and the bend of its joint. */
export type LegPlan = {
  readonly hip: Point;
  readonly upper: number;
  readonly lower: number;
  readonly hipWidth: number;
  readonly kneeWidth: number;
  readonly bendDegrees: number;
};

/** Near fore, far fore, near hind, far hind; positive angles swing the hoof backward. */
export const legPlans: readonly [LegPlan, LegPlan, LegPlan, LegPlan] = [
  { hip: [90, 30], upper: 44, lower: 38, hipWidth: 36, kneeWidth: 18, bendDegrees: 0 },
  { hip: [70, 32], upper: 42, lower: 36, hipWidth: 32, kneeWidth: 16, bendDegrees: 0 },
  { hip: [-98, 20], upper: 53, lower: 40, hipWidth: 46, kneeWidth: 19, bendDegrees: 10 },
  { hip: [-78, 22], upper: 50, lower: 39, hipWidth: 42, kneeWidth: 18, bendDegrees: 10 },
];

export const tailRoot: Point = [-121, -48];
export const udderAt: Point = [-60, 60];
