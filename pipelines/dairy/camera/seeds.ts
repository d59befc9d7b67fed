/**
 * Which seed belongs to what. A seed is one safe integer of three fields: 5 bits of range, 24 bits
 * of draw, 24 bits of index. Two ranges can share no seed, whatever the draw and the index, so
 * that a cow drawn for a test is by construction no cow that training saw.
 */
const rangeCodes = {
  /** Cows and frames that the models learn from. */
  train: 1,
  /** Cows that choose thresholds. */
  validation: 2,
  /** Cows that are enrolled in an evaluation. */
  test: 3,
  /** Cows that an evaluation never enrols. */
  unknown: 4,
  /** The demo's own herd. */
  herd: 5,
  /** Visitors of the demo, in no herd. */
  stranger: 6,
  /** Cows of which only an end is seen at the edge of a frame without a cow. */
  passing: 7,
} as const;

export type SeedRange = keyof typeof rangeCodes;

export const seedRanges = Object.keys(rangeCodes) as readonly SeedRange[];

/** One more than the highest draw, and than the highest index. */
export const seedFieldSize = 2 ** 24;

/** The cow seed at `index` of a range; `draw` takes another set of cows from the same range. */
export function cowSeedFor(range: SeedRange, index: number, draw = 0): number {
  return packed(range, index, draw);
}

/** The frame seed at `index` of a range; frame and cow seeds are used apart and may be equal. */
export function frameSeedFor(range: SeedRange, index: number, draw = 0): number {
  return packed(range, index, draw);
}

/** The range that a seed lies in, or null for a number that is no seed of any range. */
export function seedRangeOf(seed: number): SeedRange | null {
  const code = Math.floor(seed / seedFieldSize / seedFieldSize);
  return seedRanges.find((range) => rangeCodes[range] === code) ?? null;
}

function packed(range: SeedRange, index: number, draw: number): number {
  checkField('index', index);
  checkField('draw', draw);
  return (rangeCodes[range] * seedFieldSize + draw) * seedFieldSize + index;
}

function checkField(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value < seedFieldSize) return;
  throw new RangeError(`${name} ${value} is outside 0..${seedFieldSize - 1}`);
}
