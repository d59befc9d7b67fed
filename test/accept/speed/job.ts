import type { Job } from '../check.ts';
import { decidedByTests } from './decided-by-tests.ts';
import { figures } from './figures.ts';
import { peers } from './peers.ts';

/** Ahead of the field on two cores: what of it a command decides so far. */
export const speed: Job = {
  name: 'speed',
  checks: [...decidedByTests, ...figures, peers],
  sabotages: new Map(),
};
