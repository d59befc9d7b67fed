import type { Job } from '../check.ts';
import { durability } from '../main-job/durability.ts';
import { cpuHogs } from './cpu-hogs.ts';
import { decidedByTests } from './decided-by-tests.ts';
import { figures } from './figures.ts';
import { nativeCore } from './native-core.ts';
import { brokenRules, brokenSeeds, seeds } from './seeds.ts';

/** The replication core: every line of it that a command can decide. */
export const replication: Job = {
  name: 'replication',
  checks: [durability, nativeCore, ...decidedByTests, ...figures, seeds, cpuHogs],
  sabotages: new Map(brokenRules.map((rule) => [rule, brokenSeeds(rule)])),
};
