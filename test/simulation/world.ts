import v8 from 'node:v8';
import vm from 'node:vm';
import { type Logger, SeededRandom, silentLogger } from '../../platform/base/mod.ts';
import { Layout } from '../../platform/group/layout.ts';
import type { SlowMember, SubgroupOptions } from '../../platform/group/layout-options.ts';
import {
  type CanariesAddon,
  loadCanariesAddon,
  loadWorldAddon,
  loopEvents,
  type WorldAddon,
  worldFaults,
  type WorldResult,
  type WorldStep,
  worldSteps,
} from './world-addon.ts';
import { type Canary, coreRuleOf } from './world-canaries.ts';
import { type CatalogCounts, CatalogLedger, noCounts } from './world-catalog-ledger.ts';
import { MemberCounts, type MemberPlace, watchersAt, WorldMember } from './world-member.ts';
import { WatchedHistories } from './world-watch.ts';

/**
 * What a script does; see world_script.h. `without`: expects the view to have lost the node.
 * `others`: expects it to change for that node, and shards of other members to go on meanwhile.
 */
const actKinds = [
  'kill',
  'power',
  'wipe',
  'pause',
  'stall',
  'isolate',
  'drop',
  'clock',
  'behead',
  'without',
  'fail-disk',
  'deafen',
  'slow-disk',
  'others',
] as const;

export interface Act {
  readonly atMs: number;
  readonly do: (typeof actKinds)[number];
  readonly node: number | 'all' | 'leader';
  /** How long it lasts, or until the process comes back; of a clock, its step. */
  readonly forMs: number;
  /** Waits for the node, or for any, to be in this step. */
  readonly step?: WorldStep;
}

export interface SeedOptions {
  readonly seed: number;
  /** Null: drawn from the seed. */
  readonly members: number | null;
  readonly shards: number | null;
  readonly faults: number | null;
  /** Of all shards; null: drawn from the seed. */
  readonly replicas: number | null;
  /** Of shards from one member to another. */
  readonly moves: number | null;
  readonly operations: number;
  readonly seconds: number;
  readonly canary: Canary;
  /** Members have the product's catalog; null: in one seed of four. */
  readonly catalog: boolean | null;
  readonly trace: boolean;
  /** Instead of faults by chance; empty: by chance. */
  readonly script: readonly Act[];
}

export type SeedResult = WorldResult & MemberCounts['counts'] & { readonly pools: CatalogCounts };

export const seedDefaults: Omit<SeedOptions, 'seed'> = Object.freeze({
  members: null,
  shards: null,
  replicas: null,
  faults: null,
  moves: null,
  operations: 5000,
  seconds: 60,
  canary: 'none',
  catalog: null,
  trace: false,
  script: [],
});

/** A member that is slow stands still for 100 to 500 ms at a time. */
const slowAfterMs = 250;

/** Runs whole clusters, one after the other, of the product's build or of the one with canaries. */
export class Simulation {
  readonly #addon: WorldAddon;
  readonly #canaries: CanariesAddon | null;
  readonly #event = new Float64Array(3);
  readonly #settle = microtasks();
  readonly #silent = silentLogger();
  #counts = new MemberCounts();

  constructor({ withCanaries = false } = {}) {
    this.#canaries = withCanaries ? loadCanariesAddon() : null;
    this.#addon = this.#canaries ?? loadWorldAddon();
  }

  /** Out of a fresh turn of this program's own loop, so that nothing else is under way in it. */
  run(options: SeedOptions): Promise<SeedResult> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          resolve(this.#run(options));
        } catch (caught) {
          reject(caught instanceof Error ? caught : new Error(String(caught)));
        }
      });
    });
  }

  #run(options: SeedOptions): SeedResult {
    if (this.#canaries === null && options.canary !== 'none') {
      throw new Error(`The product's build breaks no rule, not even ${options.canary}`);
    }
    this.#canaries?.breakRule(coreRuleOf(options.canary));
    const random = new SeededRandom(options.seed);
    const layout = layoutOf(options, random);
    const replaceAfterMs = random.chance(0.3) ? 1500 : 10_000;
    const heartbeatMs = random.chance(0.5) ? 50 : 100;
    const changes = changesOf(options, layout, random);
    const members = new Map<number, WorldMember>();
    this.#counts = new MemberCounts();
    const watched = this.#watchedHistories(options);
    this.#addon.beginWorld(settingsOf(options, { layout, changes }, random));
    // Most errors are answers to clients, and nobody asks where they come from.
    const { stackTraceLimit } = Error;
    if (!options.trace) Error.stackTraceLimit = 0;
    try {
      const surveys = options.seed % rareEvery === 1;
      const pools = hasCatalog(options) ? new CatalogLedger(this.#addon) : null;
      const cluster = { layout, changes, replaceAfterMs, heartbeatMs, watched, surveys, pools };
      this.#step(options, cluster, members);
      if (watched !== null) this.#checkWatchers(layout, watched);
      this.#checkCatalogs(members);
      const counts = pools?.counts ?? noCounts;
      return { ...this.#addon.resultOf(), ...this.#counts.counts, pools: counts };
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
      this.#addon.endWorld();
      for (const member of members.values()) member.end();
    }
  }

  /** At rest, unless something else is wrong. */
  #checkWatchers(layout: Layout, watched: WatchedHistories): void {
    if (this.#addon.resultOf().violations !== '') return;
    for (const watcher of layout.members.flatMap((node) => watchersAt(layout, node))) {
      const wrong = watched.missing(watcher);
      if (wrong !== null) this.#addon.tellViolation(wrong);
    }
  }

  #checkCatalogs(members: ReadonlyMap<number, WorldMember>): void {
    if (this.#addon.resultOf().violations !== '') return;
    for (const member of members.values()) member.checkCatalog();
  }

  /** Canaries leave out an event, and what a watcher is told of gaps. */
  #watchedHistories({ seed, canary }: SeedOptions): WatchedHistories | null {
    if (seed % rareEvery !== 0) return null;
    return new WatchedHistories({
      addon: this.#addon,
      skipsEvery: canary === 'skipped-event' ? 500 : Infinity,
      forgets: keptVersions(seed) > 0,
      tellsGaps: canary !== 'untold-gap',
    });
  }

  #step(options: SeedOptions, cluster: Cluster, members: Map<number, WorldMember>): void {
    let processes = 0;
    for (;;) {
      const kind = this.#addon.runWorld(this.#event);
      const [node, id, value] = this.#event as unknown as [number, number, number];
      if (kind === loopEvents.done) return;
      if (kind === loopEvents.end) {
        members.get(node)?.end();
        members.delete(node);
        continue;
      }
      if (kind === loopEvents.start) {
        processes++;
        const log = options.trace ? tracing(this.#addon, node) : this.#silent;
        const seed = options.seed * 1000 + processes;
        const { canary } = options;
        const place = { ...cluster, node, log, seed, canary, counts: this.#counts };
        members.set(node, new WorldMember(this.#addon, place));
      }
      const member = members.get(node);
      if (kind === loopEvents.start) member?.start();
      else if (kind === loopEvents.wake) member?.wake();
      else if (kind === loopEvents.layout) member?.changeLayout(cluster.changes[id]?.options ?? []);
      else if (kind === loopEvents.move) member?.move(id, value >> 8, value & 0xff);
      else if (kind === loopEvents.read) member?.read(id, value);
      else if (kind === loopEvents.put) member?.put(id);
      else if (kind === loopEvents.catalog) member?.askCatalog(id, value);
      else member?.waits.end(id, value);
      this.#settle();
      member?.tellStep();
    }
  }
}

/** What all members have in common. */
type Cluster = Omit<MemberPlace, 'node' | 'log' | 'seed' | 'canary' | 'counts'>;

/** In one seed of so many every process watches all shards, and in another one the past is read. */
const rareEvery = 4;

/** A script says by itself whether they have. */
function hasCatalog({ seed, catalog, script }: SeedOptions): boolean {
  return catalog ?? (script.length === 0 && seed % rareEvery === 3);
}

/**
 * Of a key in volatile shards; 0: all. In half of the seeds with watchers, more than anybody puts
 * between two looks of the checkers.
 */
function keptVersions(seed: number): number {
  return seed % (2 * rareEvery) === 0 ? 20 : 0;
}

/** One seed in so many has up to 16 members and 64 shards. */
const largeEvery = 250;

/** Two to five members as a rule, and a few shards of each kind, one of raw delivery with them. */
function layoutOf(options: SeedOptions, random: SeededRandom): Layout {
  const { script } = options;
  const { members, shards } = sizesOf(options);
  // A change of view that ends no shard of a member is rare: it takes members with few shards.
  const sparse = worldSteps[cellOf(options).step] === 'acked';
  const usual = sparse ? 5 : 3;
  const count = members ?? (random.chance(0.6) ? usual : 2 + random.below(4));
  const drawnReplicas = () => (random.chance(0.7) ? null : Math.min(2, count));
  const replicas = (): number | null => options.replicas ?? drawnReplicas();
  const drawn = shards ?? 2 + random.below(3);
  const nodes = Array.from({ length: count }, (_, at) => at + 1);
  const volatile = Math.max(1, Math.floor(drawn / 2));
  const subgroups: SubgroupOptions[] = [
    {
      name: 'volatile',
      kind: 'volatile',
      slowMember: slowMemberOf(script, random),
      shards: volatile,
      replicas: replicas(),
    },
    {
      name: 'persistent',
      kind: 'persistent',
      slowMember: slowMemberOf(script, random),
      shards: Math.max(1, drawn - volatile - 1),
      replicas: replicas(),
    },
  ];
  if (script.length === 0 && random.chance(0.4)) {
    subgroups.push({ name: 'raw', kind: 'trigger', delivery: 'raw', shards: 1, replicas: null });
  }
  return new Layout(nodes, script.length > 0 ? subgroups : withRules(options, nodes, subgroups));
}

/** As given; null: `layoutOf` draws it. */
function sizesOf({
  seed,
  members,
  shards,
  script,
}: SeedOptions): Pick<SeedOptions, 'members' | 'shards'> {
  const extras = new SeededRandom(seed * 6421 + 1);
  const isFree = members === null && shards === null && script.length === 0;
  if (!isFree || extras.below(largeEvery) > 0) return { members, shards };
  return { members: 6 + extras.below(11), shards: 5 + extras.below(60) };
}

/**
 * Some subgroups stop with one member alone, and some of their shards are kept for members. Large
 * values go in many blocks, by all algorithms.
 */
function withRules(
  { seed }: SeedOptions,
  nodes: readonly number[],
  subgroups: readonly SubgroupOptions[],
): SubgroupOptions[] {
  // Of its own, so that it draws nothing from what else the seed decides.
  const extras = new SeededRandom(seed * 7907 + 3);
  const blocks = new SeededRandom(seed * 8111 + 7);
  return subgroups.map((subgroup) => {
    const { shards } = subgroup;
    const minReplicas = nodes.length > 1 && extras.chance(0.2) ? 2 : 1;
    const algorithm = blocks.pick(['binomial', 'binomial', 'chain', 'tree', 'sequential'] as const);
    const multicast = { algorithm, blockBytes: 4096 << blocks.below(3) };
    const rules = { minReplicas, multicast };
    if (typeof shards !== 'number' || !extras.chance(0.25)) return { ...subgroup, ...rules };
    const kept = Array.from({ length: shards }, () => {
      const first = extras.below(nodes.length);
      const count = Math.min(nodes.length, 1 + extras.below(2));
      const reserved = [...nodes, ...nodes].slice(first, first + count);
      return extras.chance(0.5) ? { reserved } : { reserved, senders: reserved.slice(0, 1) };
    });
    return { ...subgroup, ...rules, shards: kept };
  });
}

/** What is done about who holds others up: in half of the seeds it is left out of view or shard. */
function slowMemberOf(script: readonly Act[], random: SeededRandom): SlowMember {
  if (script.length > 0 || random.chance(0.5)) return { policy: 'wait', afterMs: slowAfterMs };
  return { policy: random.pick(['suspect', 'demote'] as const), afterMs: slowAfterMs };
}

/** Other numbers of copies, and a subgroup that comes and goes, wanted while the cluster runs. */
function changesOf(options: SeedOptions, layout: Layout, random: SeededRandom): Layout[] {
  const { seed, faults, script } = options;
  const count = layout.members.length;
  const some = hasCatalog(options) ? 0.7 : 0.3;
  if (faults === 0 || script.length > 0 || count < 3 || !random.chance(some)) return [];
  // Of its own, so that it draws nothing from what else the seed decides.
  const extras = new SeededRandom(seed * 7919 + 5);
  const kind = extras.pick(['volatile', 'persistent'] as const);
  const extra = { name: 'extra', kind, shards: 1 + extras.below(2), replicas: null };
  const copies = Array.from({ length: 1 + random.below(3) }, () =>
    layout.options.map((subgroup) => ({
      ...subgroup,
      replicas: random.chance(0.5) ? null : 2 + random.below(count - 1),
    })),
  );
  // At any time, so in any order.
  const often = Array.from({ length: hasCatalog(options) ? 8 : 3 }, () => layout.options);
  const wanted = [...copies, ...often];
  return wanted.map((subgroups, nth) => {
    const isWider = nth % 2 === 0;
    return new Layout(layout.members, isWider ? [...subgroups, extra] : subgroups);
  });
}

/** From the cell that a fault of a seed is meant for to that of the next; prime to their number. */
const cellStride = 71;

/** What the first fault of a seed is, and the step that it is meant for: seeds go through all. */
function cellOf({ seed }: SeedOptions): { readonly fault: number; readonly step: number } {
  const cell = seed % (worldFaults.length * worldSteps.length);
  return { fault: cell % worldFaults.length, step: Math.floor(cell / worldFaults.length) };
}

/** As world_addon.cc reads them. */
function settingsOf(
  options: SeedOptions,
  { layout, changes }: { readonly layout: Layout; readonly changes: readonly Layout[] },
  random: SeededRandom,
): Float64Array {
  const { fault, step } = cellOf(options);
  const shards = layout.shards.flatMap(({ shard, persistent, delivery, members }) => [
    shard,
    delivery === 'raw' ? 2 : persistent ? 1 : 0,
    members.reduce((mask, node) => mask + 2 ** node, 0),
    Math.min(...[layout, ...changes].map((each) => each.shard(shard).members.length)),
  ]);
  return Float64Array.from([
    options.seed,
    layout.members.length,
    options.operations,
    options.seconds * 1000,
    options.faults ?? 3 + random.below(4),
    8,
    random.chance(0.25) ? 10 : 2,
    random.chance(0.3) ? 10 : 0,
    fault,
    step,
    cellStride,
    options.canary === 'lying-disks' ? 1 : 0,
    options.canary === 'forgotten-wakes' ? 1 : 0,
    options.trace ? 1 : 0,
    layout.shards.length,
    options.script.length,
    options.moves ?? (options.faults === 0 || random.chance(0.5) ? 0 : 1 + random.below(4)),
    changes.length,
    options.canary === 'reused-values' ? 1 : 0,
    keptVersions(options.seed),
    hasCatalog(options) ? 1 : 0,
    ...shards,
    ...options.script.flatMap(packed),
  ]);
}

const nodeNumbers = { all: 0, leader: 99 } as const;

function packed({ atMs, do: what, node, forMs, step }: Act): number[] {
  const number = typeof node === 'number' ? node : nodeNumbers[node];
  const awaited = step === undefined ? -1 : worldSteps.indexOf(step);
  return [actKinds.indexOf(what), atMs, number, forMs, awaited];
}

/**
 * Runs what promises of the simulated event loops have left to do; V8 offers it to nobody but its
 * own tests.
 */
function microtasks(): () => void {
  v8.setFlagsFromString('--allow-natives-syntax');
  return vm.runInThisContext('() => %PerformMicrotaskCheckpoint()') as () => void;
}

function tracing(addon: WorldAddon, node: number): Logger {
  const say =
    (level: string) =>
    (...given: unknown[]): void => {
      addon.note(`node ${String(node)} ${level}: ${given.map(worded).join(' ')}`);
    };
  const log: Logger = {
    ...silentLogger(),
    trace: say('trace'),
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    fatal: say('fatal'),
    isLevelEnabled: () => true,
    child: () => log,
  };
  return log;
}

function worded(given: unknown): string {
  return typeof given === 'string' ? given : JSON.stringify(given);
}
