import { rows } from '../../bench/rows/all.ts';
import { type FigureSummary, runRow } from '../../bench/run-rows.ts';
import { atLeast, atMost, type Check, type CheckContext, holds, type Line } from '../check.ts';

interface Bar {
  readonly row: string;
  readonly figure: string;
  readonly judge: (name: string, figure: FigureSummary) => Line;
}

const least =
  (bound: number, unit: string) =>
  (name: string, { summary }: FigureSummary) =>
    atLeast(name, bound, summary.median, unit);
const most =
  (bound: number, unit: string) =>
  (name: string, { summary }: FigureSummary) =>
    atMost(name, bound, summary.median, unit);

const bars: readonly Bar[] = [
  { row: 'core-volatile-100', figure: 'core-volatile-100', judge: least(300_000, ' puts/s') },
  { row: 'core-volatile-10k', figure: 'core-volatile-10k', judge: least(30_000, ' puts/s') },
  { row: 'core-persisted-100', figure: 'core-persisted-100', judge: least(100_000, ' puts/s') },
  {
    row: 'member-put',
    figure: 'member-put p50',
    judge: (name, { ratio }) => atMost(name, 3, ratio ?? Number.NaN, ' × sleeping ping-pong'),
  },
  // A share under 2 %, so 1.99... is the most.
  { row: 'idle', figure: 'idle', judge: most(1.99, ' % of one core') },
  { row: 'first-line', figure: 'first-line p50', judge: most(999, ' µs') },
  {
    row: 'dairy-frames',
    figure: 'dairy-frames',
    judge: (name, { ratio }) => atLeast(name, 0.6, ratio ?? Number.NaN, ' × bare loop'),
  },
];

/** The figures of the issue, by the rows of the bench, medians of the runs. */
export const figures: readonly Check[] = bars.map(({ row, figure, judge }) => ({
  point: 'figures',
  name: `figure-${row}`,
  run: (context) => measure(context, row, figure, judge),
}));

async function measure(
  context: CheckContext,
  rowName: string,
  figureName: string,
  judge: Bar['judge'],
): Promise<readonly Line[]> {
  const row = rows.find(({ name }) => name === rowName);
  if (row === undefined) throw new Error(`the bench has no row ${rowName}`);
  const { figures: measured, failure } = await runRow(row, context.runs, context);
  const figure = measured.find(({ name }) => name === figureName);
  if (failure !== null || figure === undefined) {
    return [holds(figureName, 'measured', false, failure ?? 'no figure')];
  }
  const line = judge(figureName, figure);
  return [{ ...line, measured: `${line.measured}${spreadOf(figure)}` }];
}

function spreadOf({ summary, raw, unit }: FigureSummary): string {
  const number = (value: number): string => value.toPrecision(4);
  const beside = raw === null ? '' : `, ${raw.name} ${number(raw.summary.median)}`;
  return ` (${number(summary.min)} to ${number(summary.max)} ${unit}${beside})`;
}
