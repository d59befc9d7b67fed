/** Rules that are broken on purpose, one at a time; a checker has to notice. */

/** Of the core, in a build of its own; by the numbers of CoreCanary (native/core/canary.h). */
export const coreRules = [
  'none',
  'minority',
  'no-gate',
  'no-lease',
  'prepare-early',
  'commit-early',
  'no-thaw',
  'no-hold',
  'late-unwedged',
  'drop-alive',
  'ungated',
  'wedge-all',
  'unpromised',
  'no-trim',
  'skip',
  'persist-early',
  'read-at-once',
  'no-nulls',
  'one-time',
  'forget-sessions',
  'stale-keys',
  'raw-twice',
  'open-pools',
] as const;

/** Of what the world gives its members, and of the clients. */
const worldRules = [
  'lying-disks',
  'forgotten-wakes',
  'forgotten-views',
  'early-stable',
  'reused-values',
  'unstamped-calls',
  'skipped-event',
  'untold-gap',
  'short-history',
  'unpinned-scan',
  'untold-removal',
  'split-batch',
  'unconditional-pool',
  'stale-catalog',
  'early-pool',
  'unswept-pool',
  'hasty-removal',
  'forgotten-removal',
  'unclosed-subgroup',
  'uncoded-refusal',
  'unanswered-pool',
] as const;

export const canaries = [...coreRules, ...worldRules] as const;

export type Canary = (typeof canaries)[number];

/** What `breakRule` of the canaries' build takes; 0: the core keeps all its rules. */
export function coreRuleOf(canary: Canary): number {
  return Math.max(0, (coreRules as readonly Canary[]).indexOf(canary));
}
