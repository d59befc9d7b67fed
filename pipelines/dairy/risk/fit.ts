/**
 * Fits the calving risk and writes `coefficients.json` and `CARD.md` beside this file. Run by
 * hand, never by a test:
 *
 *   npx tsx pipelines/dairy/risk/fit.ts --tables <folder> [--seeds 1,2,3] [--out <folder>]
 *
 * The same tables and seeds give the same files.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeCard } from './card.ts';
import type { HorizonReport } from './card.ts';
import { readCowDays, tableFiles } from './cow-days.ts';
import type { LabelledDay } from './cow-days.ts';
import { brier, crossValidate, fitRisk, toRows } from './evaluate.ts';
import type { RiskRows } from './evaluate.ts';
import { canUseModel, featureNames, gestationSpan } from './features.ts';
import { parseCoefficients, predictCalving } from './predict.ts';
import type { RiskCoefficients } from './predict.ts';

/** Days, the one in question included. */
const horizons = [1, 7] as const;
const folds = 5;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tables: { type: 'string' },
      seeds: { type: 'string', default: '1,2,3' },
      out: { type: 'string', default: fileURLToPath(new URL('.', import.meta.url)) },
    },
  });
  if (values.tables === undefined) throw new Error('say where the tables are: --tables <folder>');
  const seeds = values.seeds.split(',').map(Number);
  const days = await readCowDays(values.tables, Math.max(...horizons));
  const reports: HorizonReport[] = [];
  const fitted: RiskCoefficients['horizons'] = [];
  for (const horizon of horizons) {
    const rows = toRows(days, horizon);
    const report = evaluate(rows, horizon, seeds);
    reports.push(report);
    fitted.push(fitWhole(rows, horizon, report));
  }
  const coefficients = parseCoefficients({
    format: 1,
    features: [...featureNames],
    span: { ...gestationSpan },
    horizons: fitted,
  });
  const content = {
    ...coefficients,
    source: { files: await digests(values.tables), seeds, folds, cowDays: days.length },
    examples: examplesOf(days, coefficients),
  };
  await mkdir(values.out, { recursive: true });
  await writeFile(join(values.out, 'coefficients.json'), `${JSON.stringify(content, null, 1)}\n`);
  const card = writeCard({ reports, days, seeds, folds, files: content.source.files });
  await writeFile(join(values.out, 'CARD.md'), card);
}

function evaluate(rows: RiskRows, horizon: number, seeds: readonly number[]): HorizonReport {
  const splits = seeds.flatMap((seed) => crossValidate(rows, folds, seed));
  const pooled = splits.slice(0, folds).flat();
  for (const split of splits) {
    const [model, table] = [brier(split, 'model'), brier(split, 'table')];
    process.stdout.write(`${horizon} d: model ${model.toFixed(5)} table ${table.toFixed(5)}\n`);
  }
  return { horizon, splits, pooled };
}

/** On all herds; without weights where the model was no better than the table on most splits. */
function fitWhole(
  rows: RiskRows,
  horizon: number,
  { splits }: HorizonReport,
): RiskCoefficients['horizons'][number] {
  const { weights, table } = fitRisk(rows);
  const better = splits.filter((split) => brier(split, 'model') < brier(split, 'table')).length;
  const isBetter = better > 0.75 * splits.length;
  return {
    days: horizon,
    weights: isBetter ? Array.from(weights, (weight) => rounded(weight, 6)) : null,
    table: table.map((chance) => rounded(chance, 7)),
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Days spread over the whole table with what is answered for them, for the tests. */
function examplesOf(days: readonly LabelledDay[], coefficients: RiskCoefficients): object[] {
  const step = Math.floor(days.length / 24);
  const picked = days.filter((day, i) => i % step === 0 && canUseModel(day)).slice(0, 24);
  return picked.map(({ daysSinceInsemination, parity, daysSinceCalving, milk }) => {
    const day = { daysSinceInsemination, parity, daysSinceCalving, milk };
    const risks = horizons.map((horizon) => predictCalving(day, coefficients, horizon));
    return { day, risks };
  });
}

async function digests(folder: string): Promise<Record<string, string>> {
  const entries = tableFiles.map(async (name) => {
    const bytes = await readFile(join(folder, name));
    return [name, createHash('sha256').update(bytes).digest('hex')];
  });
  return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
}

await main();
