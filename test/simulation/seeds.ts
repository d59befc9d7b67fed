import { worldFaults, worldSteps } from './world-addon.ts';
import { type CatalogCounts, noCounts } from './world-catalog-ledger.ts';
import { type SeedOptions, type SeedResult, Simulation } from './world.ts';

/** More empty cells than these are counted, not named. */
const namedCellsMax = 30;

/** After so many rounds of all cells of the table none may be empty; test/README.md has counts. */
const roundsOfFullTable = 3;

/** After one round a few may be; a step that nothing met has more. */
const emptyInRoundMax = 10;

/** How often a long run says how far it is. */
const progressSeconds = 60;

export interface SeedsOptions extends Omit<SeedOptions, 'seed'> {
  readonly first: number;
  readonly count: number;
  readonly minutes: number;
}

/** What many seeds did together. */
export class Totals {
  seeds = 0;
  operations = 0;
  answeredInExtras = 0;
  checked = 0;
  reads = 0;
  retries = 0;
  deliveries = 0;
  views = 0;
  restarts = 0;
  undone = 0;
  faults = 0;
  timeMs = 0;
  settledMs = 0;
  rawDelivered = 0;
  rawAnswered = 0;
  accused = 0;
  observed = 0;
  fetchedEnds = 0;
  readonly pools: CatalogCounts = { ...noCounts };
  readonly table = new Uint32Array(worldFaults.length * worldSteps.length);

  add(result: SeedResult): void {
    this.seeds++;
    this.operations += result.operations;
    this.answeredInExtras += result.answeredInExtras;
    this.checked += result.checked;
    this.reads += result.reads;
    this.retries += result.retries;
    this.deliveries += result.deliveries;
    this.views += result.views;
    this.restarts += result.restarts;
    this.undone += result.undone;
    this.faults += result.faults;
    this.timeMs += result.timeMs;
    this.settledMs = Math.max(this.settledMs, result.settledMs);
    this.rawDelivered += result.rawDelivered;
    this.rawAnswered += result.rawAnswered;
    this.accused += result.accused;
    this.observed += result.observed;
    this.fetchedEnds += result.fetchedEnds;
    this.pools.made += result.pools.made;
    this.pools.removed += result.pools.removed;
    this.pools.settings += result.pools.settings;
    this.pools.values += result.pools.values;
    this.pools.keys += result.pools.keys;
    this.pools.refused += result.pools.refused;
    result.table.forEach((count, cell) => {
      this.table[cell] = (this.table[cell] ?? 0) + count;
    });
  }

  /** Faults that met no member in a step. */
  get emptyCells(): string[] {
    return worldFaults.flatMap((fault, row) =>
      worldSteps.flatMap((step, column) =>
        this.table[row * worldSteps.length + column] === 0 ? [`${fault} while ${step}`] : [],
      ),
    );
  }

  /** A line a step, a column a fault. */
  tableText(): string {
    const width = Math.max(...worldFaults.map(({ length }) => length)) + 1;
    const head = ['', ...worldFaults].map((name) => name.padStart(width)).join('');
    const lines = worldSteps.map((step, column) => {
      const counts = worldFaults.map((_, row) =>
        String(this.table[row * worldSteps.length + column]).padStart(width),
      );
      return step.padEnd(width) + counts.join('');
    });
    return [head, ...lines].join('\n');
  }
}

/**
 * Runs seeds until one fails, so many have run, the time is up or it is interrupted; the exit code.
 */
export async function runSeeds(options: SeedsOptions): Promise<number> {
  const simulation = new Simulation({ withCanaries: options.canary !== 'none' });
  const totals = new Totals();
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const interruption = new AbortController();
  process.once('SIGINT', () => {
    interruption.abort();
  });
  let saidAt = 0;
  for (let nth = 0; nth < options.count && seconds() < options.minutes * 60; nth++) {
    if (interruption.signal.aborted) break;
    const seed = options.first + nth;
    const result = await simulation.run({ ...options, seed });
    totals.add(result);
    if (seconds() - saidAt >= progressSeconds) {
      saidAt = seconds();
      process.stderr.write(`${String(totals.seeds)} seeds in ${saidAt.toFixed(0)} s\n`);
    }
    if (options.count === 1) {
      process.stdout.write(`trace ${result.trace}\n`);
    }
    if (result.violations !== '') {
      process.stdout.write(`seed ${String(seed)} fails:\n${result.violations}`);
      process.stdout.write(`again: ${replay(options, seed)}\n`);
      return 1;
    }
  }
  process.stdout.write(`${totals.tableText()}\n${summary(totals, seconds())}\n`);
  if (!hasGaps(options, totals)) return 0;
  process.stdout.write('After so many seeds more faults have to have met a member in each step\n');
  return 1;
}

/** A run of seeds that draw everything has to go through the table, a round of it through most. */
export function hasGaps(options: SeedsOptions, { seeds, table, emptyCells }: Totals): boolean {
  const { members, shards, faults, moves, canary } = options;
  const drawn = [members, shards, faults, moves].every((given) => given === null);
  const rounds = seeds / table.length;
  if (!drawn || canary !== 'none' || rounds < 1) return false;
  return emptyCells.length > (rounds < roundsOfFullTable ? emptyInRoundMax : 0);
}

function summary(totals: Totals, seconds: number): string {
  const { seeds, operations, checked, reads, retries, deliveries } = totals;
  const { views, restarts, undone, pools } = totals;
  return [
    `${String(seeds)} seeds, clean, ${(seeds / seconds).toFixed(2)} a second:`,
    `${String(Math.round(totals.timeMs / 1000))} s simulated, ${String(totals.faults)} faults,`,
    `${String(operations)} operations (${String(checked)} in linearizable histories,`,
    `${String(reads)} reads, ${String(retries)} sent again), ${String(deliveries)} versions,`,
    `${String(totals.rawAnswered)} raw messages (${String(totals.rawDelivered)} arrivals),`,
    `${String(totals.answeredInExtras)} operations in subgroups that come and go,`,
    `${String(pools.made)} pools made, ${String(pools.removed)} removed, ${String(pools.values)} values`,
    `found in them, ${String(pools.keys)} keys removed from them,`,
    `${String(pools.settings)} settings, ${String(pools.refused)} such calls refused,`,
    `${String(totals.accused)} slow members, ${String(totals.observed)} shards observed by them,`,
    `${String(totals.fetchedEnds)} ends of epochs fetched by who had missed them,`,
    `${String(views)} views, ${String(restarts)} starts, ${String(undone)} versions undone by them,`,
    `at rest after ${(totals.settledMs / 1000).toFixed(1)} s at most;`,
    `${String(totals.emptyCells.length)} cells empty${namesOf(totals.emptyCells)}`,
  ].join(' ');
}

/** Of a few. */
function namesOf(cells: readonly string[]): string {
  return cells.length === 0 || cells.length > namedCellsMax ? '' : `: ${cells.join(', ')}`;
}

/** The command that runs one seed again. */
export function replay(options: SeedsOptions, seed: number): string {
  const given = [
    ['--members', options.members],
    ['--shards', options.shards],
    ['--faults', options.faults],
    ['--operations', options.operations],
    ['--seconds', options.seconds],
  ] as const;
  const parts = given.flatMap(([name, value]) => (value === null ? [] : [name, String(value)]));
  const canary = options.canary === 'none' ? [] : ['--canary', options.canary];
  const catalog = options.catalog === true ? ['--catalog'] : [];
  return ['npm run sim --', '--seed', String(seed), ...parts, ...canary, ...catalog].join(' ');
}
