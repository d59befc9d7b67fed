import {
  type Bar,
  figureChecks,
  least,
  most,
  ratioAtLeast,
  ratioAtMost,
} from '../figure-checks.ts';
import type { Check } from '../check.ts';

const bars: readonly Bar[] = [
  { row: 'core-volatile-100', figure: 'core-volatile-100', judge: least(300_000, ' puts/s') },
  { row: 'core-volatile-10k', figure: 'core-volatile-10k', judge: least(30_000, ' puts/s') },
  { row: 'core-persisted-100', figure: 'core-persisted-100', judge: least(100_000, ' puts/s') },
  {
    row: 'member-put',
    figure: 'member-put p50',
    judge: ratioAtMost(3, ' × sleeping ping-pong'),
  },
  // A share under 2 %, so 1.99... is the most.
  { row: 'idle', figure: 'idle', judge: most(1.99, ' % of one core') },
  { row: 'first-line', figure: 'first-line p50', judge: most(999, ' µs') },
  { row: 'dairy-frames', figure: 'dairy-frames', judge: ratioAtLeast(0.6, ' × bare loop') },
];

/** The figures of the issue, by the rows of the bench, medians of the runs. */
export const figures: readonly Check[] = figureChecks(bars);
