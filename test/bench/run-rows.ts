/** Runs rows one after the other and sums up the figures of their runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isEnclosed } from '../support/enclosure.ts';
import { runEnclosed } from './enclosed/run.ts';
import type { Figure, Row, RowContext } from './row.ts';
import { median, type Summary, summaryOf } from './statistics.ts';

export interface FigureSummary {
  readonly row: string;
  readonly name: string;
  readonly unit: string;
  readonly summary: Summary;
  readonly raw: { readonly name: string; readonly summary: Summary } | null;
  /** Median over the runs of figure / raw of the same run; null without a raw block. */
  readonly ratio: number | null;
}

export interface RowResult {
  readonly name: string;
  readonly method: string;
  readonly figures: readonly FigureSummary[];
  /** Why there are no figures, or fewer than asked for. */
  readonly failure: string | null;
}

/** Measures one row `runs` times. A failing run ends the row; what was measured before stays. */
export async function runRow(
  row: Row,
  runs: number,
  context: Omit<RowContext, 'folder'>,
): Promise<RowResult> {
  const { name, method } = row;
  if (row.isEnclosed === true && !isEnclosed()) {
    try {
      return await runEnclosed(name, runs, context);
    } catch (error) {
      return { name, method, figures: [], failure: reasonOf(error) };
    }
  }
  const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
  const measured: (readonly Figure[])[] = [];
  let failure: string | null = null;
  try {
    const open = await row.open({ ...context, folder });
    try {
      for (let nth = 0; nth < runs; nth++) {
        context.say(`${name}: run ${String(nth + 1)} of ${String(runs)}`);
        measured.push(await open.run());
      }
    } finally {
      await open.close();
    }
  } catch (error) {
    failure = reasonOf(error);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return { name, method, figures: summarised(name, measured), failure };
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One summary for each name that any run gave, in the order of the first run. */
export function summarised(
  row: string,
  runs: readonly (readonly Figure[])[],
): readonly FigureSummary[] {
  const names = new Set(runs.flatMap((run) => run.map(({ name }) => name)));
  return [...names].flatMap((name) => {
    const figures = runs.flatMap((run) => run.filter((figure) => figure.name === name));
    const [first] = figures;
    if (first === undefined) return [];
    const raws = figures.flatMap(({ raw }) => (raw === null ? [] : [raw.value]));
    const ratios = figures.flatMap(({ value, raw }) => (raw === null ? [] : [value / raw.value]));
    const summary = summaryOf(figures.map(({ value }) => value));
    const raw = first.raw === null ? null : { name: first.raw.name, summary: summaryOf(raws) };
    const ratio = raw === null ? null : median(ratios);
    return [{ row, name, unit: first.unit, summary, raw, ratio }];
  });
}
