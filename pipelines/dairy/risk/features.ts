/**
 * What is known of a cow on a day, as the numbers that the risk model weighs. Fitting and
 * predicting both come through here, so that they cannot differ.
 *
 * Only levels and ages are used, no trend from record to record: the tables of the fit hold one
 * test day a month, a herd with its own meters one record a day, and a trend would mean two
 * different things.
 */

export interface CowDay {
  /** Whole days from the last insemination to the day in question, from 0. */
  readonly daysSinceInsemination: number;
  /** Calvings so far; 0 is a heifer. */
  readonly parity: number;
  /** Whole days since she last calved; null for a heifer, or when it is not known. */
  readonly daysSinceCalving: number | null;
  /** What her milk was when it was last recorded in this lactation; null when it never was. */
  readonly milk: LastMilk | null;
}

export interface LastMilk {
  /** Whole days from the last record to the day in question; over 45 or so, she is dry. */
  readonly daysSinceRecord: number;
  /** kg a day, mean of the records of the ten days that end with the last one. */
  readonly yield: number;
  /** %, likewise; null when it was not measured. */
  readonly fat: number | null;
  readonly protein: number | null;
}

/** Mean fat and protein of the tables, where a record lacks them. */
const typicalFat = 4.1;
const typicalProtein = 3.4;

/** Days since insemination where a straight line may bend. */
export const gestationKnots = [
  220, 250, 262, 268, 272, 275, 278, 281, 284, 287, 290, 295, 302, 315, 330,
] as const;
/** Days since the last milk record, likewise. */
const recordKnots = [0, 10, 25, 40, 55, 70, 90, 120] as const;

/**
 * The days since insemination for which the model was fitted; before them the risk is taken as
 * that of the table, which is next to nothing, after them as that of its last row.
 */
export const gestationSpan = { first: gestationKnots[0], last: 330 } as const;

/**
 * A cow that has calved and has no record of milk cannot be told from one that was never milked.
 */
export function canUseModel(day: CowDay): boolean {
  return day.parity === 0 || (day.milk !== null && day.daysSinceCalving !== null);
}

export const featureNames: readonly string[] = [
  ...gestationKnots.map((knot) => `gestation_${knot}`),
  'heifer',
  'heifer_gestation',
  'parity_3_or_more',
  'parity_3_or_more_gestation',
  ...recordKnots.slice(1).map((knot) => `record_${knot}`),
  'yield',
  'yield_recent',
  'yield_dry',
  'fat',
  'protein',
  'calving_late',
  'milked_gestation',
];

/** The numbers in the order of `featureNames`; without milk those that speak of it are 0. */
export function featuresOf(day: CowDay): Float64Array {
  const days = clamp(day.daysSinceInsemination, gestationSpan.first, gestationSpan.last);
  const phase = (days - 281) / 10;
  const isHeifer = day.parity === 0 ? 1 : 0;
  const isOld = day.parity >= 3 ? 1 : 0;
  const hats = [...hatsAt(days, gestationKnots), isHeifer, isHeifer * phase, isOld, isOld * phase];
  return Float64Array.from([...hats, ...milkFeatures(day, phase)]);
}

function milkFeatures(day: CowDay, phase: number): number[] {
  const { milk } = day;
  if (milk === null || day.parity === 0) return Array<number>(recordKnots.length + 6).fill(0);
  const since = clamp(milk.daysSinceRecord, 0, 120);
  const litres = (clamp(milk.yield, 0, 60) - 18) / 10;
  const isRecent = since < 45 ? 1 : 0;
  const isDry = since > 75 ? 1 : 0;
  const calving = clamp(day.daysSinceCalving ?? 365, 200, 700);
  return [
    ...hatsAt(since, recordKnots).slice(1),
    litres,
    litres * isRecent,
    litres * isDry,
    clamp(milk.fat ?? typicalFat, 2, 7) - typicalFat,
    clamp(milk.protein ?? typicalProtein, 2, 5) - typicalProtein,
    (calving - 370) / 100,
    isRecent * phase,
  ];
}

/** Straight lines between the knots: each hat is 1 at its knot and 0 at the next ones. */
function hatsAt(at: number, knots: readonly number[]): number[] {
  return knots.map((knot, i) => {
    const left = knots[i - 1] ?? knot;
    const right = knots[i + 1] ?? knot;
    if (at === knot) return 1;
    if (at < knot) return left < knot && at > left ? (at - left) / (knot - left) : 0;
    return right > knot && at < right ? (right - at) / (right - knot) : 0;
  });
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
