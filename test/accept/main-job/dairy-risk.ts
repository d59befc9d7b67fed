import { readCowDays } from '../../../pipelines/dairy/risk/cow-days.ts';
import { brier, crossValidate, toRows } from '../../../pipelines/dairy/risk/evaluate.ts';
import { type Check, holds, undecided } from '../check.ts';
import { outsideData } from '../outside-data.ts';

const horizonDays = 1;
const folds = { full: 5, quick: 2 };
const name = 'calving within 24 h, Brier score on held-out herds';

/** Fitted anew on some herds, scored on the others, beside the table of days since insemination. */
export const dairyRisk: Check = {
  point: '6 dairy',
  name: 'dairy-risk',
  run: async ({ root, quick, seed }) => {
    const target = 'better than the table';
    const folder = outsideData(root, 'tables');
    if (folder === null) return [undecided(name, target, 'outside data tables are absent')];
    const all = await readCowDays(folder, horizonDays);
    const days = quick ? all.filter(({ cow }) => Number(cow.slice(2)) % 4 === 0) : all;
    const count = quick ? folds.quick : folds.full;
    const held = crossValidate(toRows(days, horizonDays), count, seed).flat();
    const [model, table] = [brier(held, 'model'), brier(held, 'table')];
    const measured = `model ${model.toFixed(5)}, table ${table.toFixed(5)}`;
    return [holds(name, target, model < table, `${measured}, ${String(held.length)} days`)];
  },
};
