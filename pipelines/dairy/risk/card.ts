/**
 * The card of the risk coefficients: what they were fitted on, how good they are, and where they
 * should not be believed. Every figure in it is computed, none is written by hand.
 */
import type { LabelledDay } from './cow-days.ts';
import { brier, calibration, deviation, mean } from './evaluate.ts';
import type { HeldOut } from './evaluate.ts';
import { gestationSpan } from './features.ts';

export interface HorizonReport {
  readonly horizon: number;
  /** The herds held out, fold after fold, seed after seed. */
  readonly splits: readonly (readonly HeldOut[])[];
  /** The folds of the first seed: every day of every herd once. */
  readonly pooled: readonly HeldOut[];
}

export interface CardContent {
  readonly reports: readonly HorizonReport[];
  readonly days: readonly LabelledDay[];
  readonly seeds: readonly number[];
  readonly folds: number;
  readonly files: Readonly<Record<string, string>>;
}

const edges = [0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1];

export function writeCard(content: CardContent): string {
  const { days, reports } = content;
  const herds = new Set(days.map(({ herd }) => herd)).size;
  const cows = new Set(days.map(({ cow }) => cow)).size;
  return [
    '# Calving risk: card',
    '',
    'The chance that a cow calves within the horizon, from the days since her last insemination,',
    'her parity, the days since she last calved and her last milk. Logistic regression per',
    `horizon over day ${gestationSpan.first} to ${gestationSpan.last} after insemination; written`,
    'by `fit.ts`.',
    '',
    '## Data',
    '',
    `${days.length} days of ${cows} cows in ${herds} herds, from DairyHerdData by AurMad (MIT`,
    'licence): real inseminations and monthly test days of French dairy herds, 2006 to 2010.',
    '',
    ...Object.entries(content.files).map(([name, digest]) => `- \`${name}\`, sha256 ${digest}`),
    '',
    'A day looks back only: inseminations, calvings and test days strictly before it. It looks',
    'ahead for its label alone and is taken only where that is certain (the next calving is known,',
    'or a later test day shows none had come), so cows that left before calving are not in the',
    'figures, and heifers are only those that did calve.',
    '',
    '## Held-out herds',
    '',
    `${content.folds} folds over herds, ${content.seeds.length} shuffles (seeds`,
    `${content.seeds.join(', ')}): ${content.folds * content.seeds.length} splits a horizon. A cow`,
    'belongs to one herd. The table is the share of calvings by days since the last insemination,',
    'from the same training herds.',
    '',
    ...reports.flatMap(reportLines),
    '## Where not to believe it',
    '',
    '- Whole days only: no hours, no time of day.',
    '- Test days here are monthly. A herd with daily records was not tried: there the last record is',
    '  fresh as long as she is milked, and a dry spell shows sooner than the model has learnt.',
    '- Within 24 hours the gain over the table is small: the day of calving is mostly chance.',
    '- What separates it from the table is mostly whether she is still milked: a cow that gives',
    '  milk near her term did not conceive. Of heifers it knows no more than the table.',
    '- 20 herds of one country and few breeds. No clinical sign enters; it is no substitute for',
    '  looking at the cow.',
    '',
  ].join('\n');
}

function reportLines({ horizon, splits, pooled }: HorizonReport): string[] {
  const model = splits.map((split) => brier(split, 'model'));
  const table = splits.map((split) => brier(split, 'table'));
  const gains = model.map((value, i) => 1 - value / (table[i] ?? 1));
  const better = gains.filter((gain) => gain > 0).length;
  const herds = [...new Set(pooled.map(({ herd }) => herd))];
  const herdsBetter = herds.filter((name) => {
    const rows = pooled.filter(({ herd }) => herd === name);
    return brier(rows, 'model') < brier(rows, 'table');
  }).length;
  return [
    `### Within ${horizon === 1 ? '24 hours (the day in question)' : `${horizon} days`}`,
    '',
    '| | mean over splits | standard deviation |',
    '| --- | --- | --- |',
    `| Brier score, model | ${spread(model, 5)} |`,
    `| Brier score, table | ${spread(table, 5)} |`,
    `| lower than the table by | ${spread(gains, 4)} |`,
    '',
    `Better than the table on ${better} of ${splits.length} splits and in ${herdsBetter} of`,
    `${herds.length} herds. By kind of day (first shuffle, every herd held out once):`,
    '',
    '| days | count | calving | Brier, model | Brier, table |',
    '| --- | --- | --- | --- | --- |',
    groupLine('all', pooled),
    groupLine(
      'heifers',
      pooled.filter(({ day }) => day.parity === 0),
    ),
    groupLine(
      'cows with milk records',
      pooled.filter(({ day }) => day.parity > 0),
    ),
    groupLine('day 268 to 300', pooled.filter(isNearTerm)),
    '',
    'Calibration on held-out herds:',
    '',
    '| predicted between | days | mean predicted | calved |',
    '| --- | --- | --- | --- |',
    ...calibration(pooled, edges).map(
      ({ from, to, days, predicted, observed }) =>
        `| ${from} and ${to} | ${days} | ${predicted.toFixed(4)} | ${observed.toFixed(4)} |`,
    ),
    '',
  ];
}

function isNearTerm({ day }: HeldOut): boolean {
  return day.daysSinceInsemination >= 268 && day.daysSinceInsemination <= 300;
}

function groupLine(name: string, rows: readonly HeldOut[]): string {
  const rate = mean(rows.map(({ isCalving }) => (isCalving ? 1 : 0)));
  const scores = [brier(rows, 'model'), brier(rows, 'table')].map((score) => score.toFixed(5));
  return `| ${name} | ${rows.length} | ${rate.toFixed(4)} | ${scores.join(' | ')} |`;
}

function spread(values: readonly number[], digits: number): string {
  return `${mean(values).toFixed(digits)} | ${deviation(values).toFixed(digits)}`;
}
