/**
 * What a cow gives on a day of her lactation, before chance.
 *
 * Yield: Wood, "Algebraic model of the lactation curve in cattle", Nature 216 (1967) 164-165,
 * a t^b e^(-c t). Fat and protein: the curve of Wilmink, "Adjustment of test-day milk, fat and
 * protein yield for age, season and stage of lactation", Livestock Production Science 16 (1987)
 * 335-348, a + b e^(-0.05 t) + c t, here for percentages. The parameters are round numbers of the
 * size usual for Holstein cows, not a fit.
 */

interface Wood {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const firstLactation: Wood = { a: 13.2, b: 0.19, c: 0.0028 };
const secondLactation: Wood = { a: 16.5, b: 0.21, c: 0.0038 };
const laterLactations: Wood = { a: 17.5, b: 0.22, c: 0.0042 };

/**
 * @param parity calvings so far, from 1
 * @param day of the lactation, from 1
 * @returns kg a day
 */
export function expectedYield(parity: number, day: number): number {
  const { a, b, c } = parity === 1 ? firstLactation : curveOf(parity);
  return a * day ** b * Math.exp(-c * day);
}

/** Percent of the milk. */
export function expectedFat(day: number): number {
  return 3.55 + 1.1 * Math.exp(-0.05 * day) + 0.0022 * day;
}

/** Percent of the milk. */
export function expectedProtein(day: number): number {
  return 2.95 + 0.75 * Math.exp(-0.05 * day) + 0.0022 * day;
}

function curveOf(parity: number): Wood {
  return parity === 2 ? secondLactation : laterLactations;
}
