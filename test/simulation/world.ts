import v8 from 'node:v8';
import vm from 'node:vm';
import { type Logger, SeededRandom, silentLogger } from '../../platform/base/mod.ts';
import { Layout } from '../../platform/group/layout.ts';
import type { SubgroupOptions } from '../../platform/group/layout-options.ts';
import {
  loadWorldAddon,
  loopEvents,
  type WorldAddon,
  worldFaults,
  type WorldResult,
  type WorldStep,
  worldSteps,
} from './world-addon.ts';
import { type MemberPlace, WorldMember } from './world-member.ts';

/** Rules that are broken on purpose; a checker has to notice. By MembershipCanary's numbers. */
export const canaries = [
  'none',
  'minority',
  'no-gate',
  'no-lease',
  'prepare-early',
  'commit-early',
  'no-thaw',
  'no-hold',
  'late-unwedged',
  'lying-disks',
  'forgotten-wakes',
  'stale-keys',
  'forgotten-views',
  'forgotten-sessions',
] as const;

export type Canary = (typeof canaries)[number];

/** What a script does; see world_script.h. `without`: expects the view to have lost the node. */
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
  readonly operations: number;
  readonly seconds: number;
  readonly canary: Canary;
  readonly trace: boolean;
  /** Instead of faults by chance; empty: by chance. */
  readonly script: readonly Act[];
}

export const seedDefaults: Omit<SeedOptions, 'seed'> = Object.freeze({
  members: null,
  shards: null,
  faults: null,
  operations: 5000,
  seconds: 60,
  canary: 'none',
  trace: false,
  script: [],
});

/** Runs whole clusters, one after the other. */
export class Simulation {
  readonly #addon: WorldAddon = loadWorldAddon();
  readonly #event = new Float64Array(3);
  readonly #settle = microtasks();

  /** Out of a fresh turn of this program's own loop, so that nothing else is under way in it. */
  run(options: SeedOptions): Promise<WorldResult> {
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

  #run(options: SeedOptions): WorldResult {
    const random = new SeededRandom(options.seed);
    const layout = layoutOf(options, random);
    const replaceAfterMs = random.chance(0.3) ? 1500 : 10_000;
    const changes = changesOf(options, layout, random);
    const members = new Map<number, WorldMember>();
    this.#addon.beginWorld(settingsOf(options, { layout, changes }, random));
    try {
      this.#step(options, { layout, replaceAfterMs }, changes, members);
      return this.#addon.resultOf();
    } finally {
      this.#addon.endWorld();
      for (const member of members.values()) member.end();
    }
  }

  #step(
    options: SeedOptions,
    cluster: Pick<MemberPlace, 'layout' | 'replaceAfterMs'>,
    changes: readonly Layout[],
    members: Map<number, WorldMember>,
  ): void {
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
        const log = options.trace ? tracing(this.#addon, node) : silentLogger();
        const seed = options.seed * 1000 + processes;
        const forgetsViews = options.canary === 'forgotten-views';
        const place = { ...cluster, node, log, seed, forgetsViews };
        members.set(node, new WorldMember(this.#addon, place));
      }
      const member = members.get(node);
      if (kind === loopEvents.start) member?.start();
      else if (kind === loopEvents.wake) member?.wake();
      else if (kind === loopEvents.layout) member?.changeLayout(changes[id]?.options ?? []);
      else if (kind === loopEvents.move) member?.move(id, value >> 8, value & 0xff);
      else member?.waits.end(id, value);
      this.#settle();
      member?.tellStep();
    }
  }
}

/** Two to five members as a rule, and a few shards of each kind. */
function layoutOf({ members, shards }: SeedOptions, random: SeededRandom): Layout {
  const count = members ?? (random.chance(0.6) ? 3 : 2 + random.below(4));
  const drawn = shards ?? 2 + random.below(3);
  const nodes = Array.from({ length: count }, (_, at) => at + 1);
  const volatile = Math.max(1, Math.floor(drawn / 2));
  const subgroups: readonly SubgroupOptions[] = [
    {
      name: 'volatile',
      kind: 'volatile',
      shards: volatile,
      replicas: random.chance(0.7) ? null : Math.min(2, count),
    },
    {
      name: 'persistent',
      kind: 'persistent',
      shards: Math.max(1, drawn - volatile - 1),
      replicas: random.chance(0.7) ? null : Math.min(2, count),
    },
  ];
  return new Layout(nodes, subgroups);
}

/** Other numbers of copies, which somebody asks for while the cluster runs. */
function changesOf(
  { faults, script }: SeedOptions,
  layout: Layout,
  random: SeededRandom,
): Layout[] {
  const count = layout.members.length;
  if (faults === 0 || script.length > 0 || count < 3 || !random.chance(0.3)) return [];
  return Array.from({ length: 1 + random.below(3) }, () => {
    const subgroups = layout.options.map((subgroup) => ({
      ...subgroup,
      replicas: random.chance(0.5) ? null : 2 + random.below(count - 1),
    }));
    return new Layout(layout.members, subgroups);
  });
}

/** As world_addon.cc reads them. */
function settingsOf(
  options: SeedOptions,
  { layout, changes }: { readonly layout: Layout; readonly changes: readonly Layout[] },
  random: SeededRandom,
): Float64Array {
  const cell = options.seed % (worldFaults.length * worldSteps.length);
  const shards = layout.shards.flatMap(({ shard, persistent, members }) => [
    shard,
    persistent ? 1 : 0,
    members.reduce((mask, node) => mask + 2 ** node, 0),
    Math.min(...[layout, ...changes].map((each) => each.shard(shard).members.length)),
  ]);
  const broken = canaries.indexOf(options.canary);
  const ofMembership = broken <= canaries.indexOf('late-unwedged');
  return Float64Array.from([
    options.seed,
    layout.members.length,
    options.operations,
    options.seconds * 1000,
    options.faults ?? 3 + random.below(4),
    8,
    random.chance(0.25) ? 10 : 2,
    random.chance(0.3) ? 10 : 0,
    cell % worldFaults.length,
    Math.floor(cell / worldFaults.length),
    ofMembership ? broken : 0,
    options.canary === 'lying-disks' ? 1 : 0,
    options.canary === 'forgotten-wakes' ? 1 : 0,
    options.trace ? 1 : 0,
    layout.shards.length,
    options.canary === 'stale-keys' ? 1 : 0,
    options.script.length,
    options.canary === 'forgotten-sessions' ? 1 : 0,
    options.faults === 0 || random.chance(0.5) ? 0 : 1 + random.below(4),
    changes.length,
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
