import { type Bar, figureChecks, most } from '../figure-checks.ts';
import type { Check } from '../check.ts';

const row = 'stalled-loops';

const bars: readonly Bar[] = [
  { row, figure: 'stalled-loops put p99', judge: most(5, ' ms') },
  { row, figure: 'stalled-loops get p99', judge: most(5, ' ms') },
  { row, figure: 'stalled-loops watch p99', judge: most(5, ' ms') },
];

/** The figures of the issue, by the rows of the bench. */
export const figures: readonly Check[] = figureChecks(bars);
