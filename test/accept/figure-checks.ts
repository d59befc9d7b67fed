/** Figures of an issue, by the rows of the bench: each is measured beside its reference. */
import { rows } from '../bench/rows/all.ts';
import { type FigureSummary, runRow } from '../bench/run-rows.ts';
import { enclosureProblem } from '../support/enclosure.ts';
import {
  atLeast,
  atMost,
  type Check,
  type CheckContext,
  holds,
  type Line,
  undecided,
} from './check.ts';

export interface Bar {
  /** Of the bench. */
  readonly row: string;
  readonly figure: string;
  readonly judge: (name: string, figure: FigureSummary) => Line;
}

/** The median is at least this. */
export const least =
  (bound: number, unit: string) =>
  (name: string, { summary }: FigureSummary) =>
    atLeast(name, bound, summary.median, unit);
/** The median is at most this. */
export const most =
  (bound: number, unit: string) =>
  (name: string, { summary }: FigureSummary) =>
    atMost(name, bound, summary.median, unit);

/** The worst run is at most this. */
export const never =
  (bound: number, unit: string) =>
  (name: string, { summary }: FigureSummary) =>
    atMost(`${name}, worst`, bound, summary.max, unit);

/** The median of what it is beside its reference is at most this. */
export const ratioAtMost =
  (bound: number, unit: string) =>
  (name: string, { ratio }: FigureSummary) =>
    atMost(name, bound, ratio ?? Number.NaN, unit);

/** The median of what it is beside its reference is at least this. */
export const ratioAtLeast =
  (bound: number, unit: string) =>
  (name: string, { ratio }: FigureSummary) =>
    atLeast(name, bound, ratio ?? Number.NaN, unit);

/** A row is run once, for all its bars. */
export function figureChecks(bars: readonly Bar[]): readonly Check[] {
  const names = [...new Set(bars.map(({ row }) => row))];
  return names.map((row) => ({
    point: 'figures',
    name: `figure-${row}`,
    run: (context) =>
      measure(
        context,
        row,
        bars.filter((bar) => bar.row === row),
      ),
  }));
}

async function measure(
  context: CheckContext,
  rowName: string,
  bars: readonly Bar[],
): Promise<readonly Line[]> {
  const row = rows.find(({ name }) => name === rowName);
  if (row === undefined) throw new Error(`the bench has no row ${rowName}`);
  const problem = row.isEnclosed === true ? enclosureProblem() : null;
  if (problem !== null) return bars.map(({ figure }) => undecided(figure, 'measured', problem));
  const { figures: measured, failure } = await runRow(row, context.runs, context);
  return bars.map(({ figure: figureName, judge }) => {
    const figure = measured.find(({ name }) => name === figureName);
    if (failure !== null || figure === undefined) {
      return holds(figureName, 'measured', false, failure ?? 'no figure');
    }
    const line = judge(figureName, figure);
    return { ...line, measured: `${line.measured}${spreadOf(figure)}` };
  });
}

function spreadOf({ summary, raw, unit }: FigureSummary): string {
  const number = (value: number): string => value.toPrecision(4);
  const beside = raw === null ? '' : `, ${raw.name} ${number(raw.summary.median)}`;
  return ` (${number(summary.min)} to ${number(summary.max)} ${unit}${beside})`;
}
