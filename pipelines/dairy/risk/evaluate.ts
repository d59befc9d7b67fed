/**
 * How good the risk is on herds that the fit never saw, beside the table on the same days.
 */
import { Random } from '../camera/random.ts';
import { calvesWithin } from './cow-days.ts';
import type { LabelledDay } from './cow-days.ts';
import { featureNames, featuresOf } from './features.ts';
import { fitTable, lookUp } from './insemination-table.ts';
import type { InseminationTable } from './insemination-table.ts';
import { dotAt, fitLogistic, logistic } from './logistic.ts';

/** The rows in the form that the fit takes, with what tells them apart. */
export interface RiskRows {
  readonly days: readonly LabelledDay[];
  readonly features: Float64Array;
  readonly labels: Uint8Array;
}

export interface HeldOut {
  readonly herd: string;
  readonly day: LabelledDay;
  readonly isCalving: boolean;
  readonly model: number;
  readonly table: number;
}

export interface FittedRisk {
  readonly weights: Float64Array;
  readonly table: InseminationTable;
}

/** In rows: weak beside tens of thousands of days, enough to keep rare features calm. */
const ridge = 1;

export function toRows(days: readonly LabelledDay[], horizon: number): RiskRows {
  const width = featureNames.length;
  const features = new Float64Array(days.length * width);
  days.forEach((day, row) => features.set(featuresOf(day), row * width));
  const labels = Uint8Array.from(days, (day) => (calvesWithin(day, horizon) ? 1 : 0));
  return { days, features, labels };
}

export function fitRisk({ days, features, labels }: RiskRows): FittedRisk {
  const weights = fitLogistic({ features, labels, width: featureNames.length }, ridge);
  const table = fitTable(
    days.map(({ daysSinceInsemination }, row) => ({
      daysSinceInsemination,
      isCalving: labels[row] === 1,
    })),
  );
  return { weights, table };
}

export function selectRows(rows: RiskRows, isWanted: (day: LabelledDay) => boolean): RiskRows {
  const width = featureNames.length;
  const picked = rows.days.flatMap((day, row) => (isWanted(day) ? [row] : []));
  const features = new Float64Array(picked.length * width);
  picked.forEach((row, to) =>
    features.set(rows.features.subarray(row * width, (row + 1) * width), to * width),
  );
  return {
    days: picked.map((row) => rows.days[row] as LabelledDay),
    features,
    labels: Uint8Array.from(picked, (row) => rows.labels[row] ?? 0),
  };
}

/** Every herd is held out once: fitted on the other folds, asked on its own. */
export function crossValidate(rows: RiskRows, folds: number, seed: number): HeldOut[][] {
  const herds = shuffled([...new Set(rows.days.map(({ herd }) => herd))].sort(), seed);
  return Array.from({ length: folds }, (_, fold) => {
    const out = new Set(herds.filter((_herd, i) => i % folds === fold));
    const fitted = fitRisk(selectRows(rows, ({ herd }) => !out.has(herd)));
    return ask(
      selectRows(rows, ({ herd }) => out.has(herd)),
      fitted,
    );
  });
}

function ask({ days, features, labels }: RiskRows, { weights, table }: FittedRisk): HeldOut[] {
  return days.map((day, row) => ({
    herd: day.herd,
    day,
    isCalving: labels[row] === 1,
    model: logistic(dotAt(features, row * weights.length, weights)),
    table: lookUp(table, day.daysSinceInsemination),
  }));
}

function shuffled<T>(items: T[], seed: number): T[] {
  const random = new Random(seed);
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = random.integer(0, i);
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}

/** Mean squared distance of the probability from what happened (Brier, 1950). */
export function brier(rows: readonly HeldOut[], by: 'model' | 'table'): number {
  return mean(rows.map((row) => ((row.isCalving ? 1 : 0) - row[by]) ** 2));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation of a sample. */
export function deviation(values: readonly number[]): number {
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly days: number;
  readonly predicted: number;
  readonly observed: number;
}

/** Predicted beside observed share of calvings, in bins of the predicted probability. */
export function calibration(rows: readonly HeldOut[], edges: readonly number[]): CalibrationBin[] {
  return edges.slice(1).flatMap((to, i) => {
    const from = edges[i] ?? 0;
    const inside = rows.filter(({ model }) => model >= from && (model < to || to === 1));
    if (inside.length === 0) return [];
    const predicted = mean(inside.map(({ model }) => model));
    const observed = mean(inside.map(({ isCalving }) => (isCalving ? 1 : 0)));
    return [{ from, to, days: inside.length, predicted, observed }];
  });
}
