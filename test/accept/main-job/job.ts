import type { Job } from '../check.ts';
import { noFdatasync } from '../sabotage/no-fdatasync.ts';
import { zeroWeights } from '../sabotage/zero-weights.ts';
import { cowQuery } from './cow-query.ts';
import { dairyBrokenFrame } from './dairy-broken-frame.ts';
import { dairyFigures } from './dairy-figures.ts';
import { dairyRisk } from './dairy-risk.ts';
import { decidedByTests } from './decided-by-tests.ts';
import { doors } from './doors.ts';
import { durability } from './durability.ts';
import { figures } from './figures.ts';
import { firstStart } from './first-start.ts';
import { hostileBytes } from './hostile-bytes.ts';
import { nativeCore } from './native-core.ts';
import { startAgain } from './start-again.ts';
import { startFrames } from './start-frames.ts';
import { startRefusals } from './start-refusals.ts';

/** The main job, end to end: every line that a command can decide. */
export const mainJob: Job = {
  name: 'main-job',
  checks: [
    startFrames,
    startAgain,
    startRefusals,
    firstStart,
    durability,
    nativeCore,
    cowQuery,
    dairyFigures,
    dairyRisk,
    doors,
    dairyBrokenFrame,
    hostileBytes,
    ...decidedByTests,
    ...figures,
  ],
  sabotages: new Map([
    ['zero-weights', zeroWeights],
    ['no-fdatasync', noFdatasync],
  ]),
};
