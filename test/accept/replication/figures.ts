import { type Bar, figureChecks, most, never, ratioAtMost } from '../figure-checks.ts';
import type { Check } from '../check.ts';

/** How long the core's leases are, in ms; `lease` of native/agent/agent.h. */
const lease = 400;

const bars: readonly Bar[] = [
  { row: 'view-change', figure: 'view-change kill -9', judge: most(lease + 100, ' ms') },
  {
    row: 'view-change',
    figure: 'view-change kill -9 of the leader',
    judge: most(lease + 100, ' ms'),
  },
  { row: 'view-change', figure: 'view-change SIGSTOP', judge: never(2000, ' ms') },
  { row: 'view-change', figure: 'view-change back after SIGCONT', judge: never(2000, ' ms') },
  { row: 'cut-cable', figure: 'cut-cable', judge: never(2000, ' ms') },
  { row: 'cut-cable', figure: 'cut-cable back after healing', judge: never(2000, ' ms') },
  {
    row: 'unaffected-shard',
    figure: 'unaffected-shard longest put',
    judge: ratioAtMost(1.5, ' × a control run'),
  },
  { row: 'join-state', figure: 'join-state back after SIGCONT', judge: never(2000, ' ms') },
  { row: 'join-state', figure: 'join-state longest put', judge: never(200, ' ms') },
  {
    row: 'restart-log',
    figure: 'restart-log',
    judge: ratioAtMost(2, ' × reading and checksumming'),
  },
];

/** The figures of the issue, by the rows of the bench. */
export const figures: readonly Check[] = figureChecks(bars);
