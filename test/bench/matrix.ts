/**
 * The table of the lecture on Derecho: bytes that each member is given a second, by who sends, the
 * size of a message and the number of members, in the order of all beside raw delivery; and where
 * the time of the agents went.
 */
import { limits } from '../../platform/base/mod.ts';
import { shownWork, workFigure, workFigures } from './agents-work.ts';
import { type CoreBenchOptions, runCoreBench } from './core-bench.ts';
import type { Figure, RowContext } from './row.ts';
import { reasonOf, type RowResult, summarised } from './run-rows.ts';
import { shownNumber } from './statistics.ts';
import { type Column, tableLines } from './table.ts';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const memberCounts = [2, 3, 5, 8];
const senderKinds = ['all', 'half', 'one'] as const;
const modes = [
  { mode: 'ordered', raw: false },
  { mode: 'raw', raw: true },
] as const;
const seconds = { full: 1, quick: 0.2, largeMost: 120 };

type SenderKind = (typeof senderKinds)[number];

/** Messages of one size, and what puts them. */
interface Load {
  readonly title: string;
  readonly options: (senders: number) => Omit<CoreBenchOptions, 'senders'>;
}

/** What stands beside and below each other in one place of the table. */
interface Cell {
  readonly members: number;
  readonly kind: SenderKind;
  readonly load: Load;
}

const method =
  'MiB/s that each member is given; below it the shares of protocol, copy, system and idle in the ' +
  'time of all agents, in %. Members on loopback share these cores, puts are volatile, spin 0.';

export function sendersOf(kind: SenderKind, members: number): number {
  switch (kind) {
    case 'all':
      return members;
    case 'half':
      return Math.ceil(members / 2);
    case 'one':
      return 1;
  }
}

/**
 * Puts for a while; the unanswered ones of a sender hold a few MiB. Stores keep little, so that
 * what is put soon lies where memory was before.
 */
function timedLoad(
  title: string,
  load: Pick<CoreBenchOptions, 'size' | 'window' | 'memory'>,
  quick: boolean,
): Load {
  const length = quick ? seconds.quick : seconds.full;
  const options = { ...load, keys: load.window, history: 1, seconds: length };
  return { title, options: () => options };
}

/**
 * As many messages as all senders need for some 400 MiB, at least one of each. One that is longer
 * than a value may be is put as several of one length.
 */
export function largeLoad(bytes: number, valueBytesMax: number): Load {
  const values = Math.ceil(bytes / valueBytesMax);
  const size = Math.ceil(bytes / values);
  const whole = `${String(bytes / MiB)} MiB`;
  const split = `${whole} as ${String(values)} × ${String(Math.round(size / MiB))}`;
  return {
    title: values === 1 ? whole : split,
    options: (senders) => ({
      ...{ size, window: values, keys: 1, history: 1, memory: 2 },
      puts: values * Math.ceil(4 / senders),
      seconds: seconds.largeMost,
    }),
  };
}

function loadsOf(quick: boolean): readonly Load[] {
  return [
    timedLoad('10 KiB', { size: 10 * KiB, window: 100, memory: 1 / 16 }, quick),
    timedLoad('1 MiB', { size: MiB, window: 4, memory: 1 / 8 }, quick),
    largeLoad(quick ? 8 * MiB : 100 * MiB, limits.valueBytesMax),
  ];
}

function cellsOf(loads: readonly Load[]): readonly Cell[] {
  return memberCounts.flatMap((members) =>
    senderKinds.flatMap((kind) => loads.map((load) => ({ members, kind, load }))),
  );
}

function nameOf({ members, kind, load }: Cell): string {
  return `matrix: ${String(members)} members, ${kind} sending, ${load.title}`;
}

/** A cell that fails has no figures of that run; the others go on. */
export async function measureMatrix(context: RowContext, runs: number): Promise<RowResult> {
  const program = await context.coreBench();
  const cells = cellsOf(loadsOf(context.quick));
  const measured: (readonly Figure[])[] = [];
  let failure: string | null = null;
  for (let nth = 1; nth <= runs; nth++) {
    for (const [at, cell] of cells.entries()) {
      const place = `${String(at + 1)} of ${String(cells.length)}`;
      context.say(`run ${String(nth)} of ${String(runs)}, ${place}: ${nameOf(cell)}`);
      try {
        measured.push(await figuresOf(program, context.folder, cell));
      } catch (error) {
        failure ??= `${nameOf(cell)}: ${reasonOf(error)}`;
        context.say(`failed: ${reasonOf(error)}`);
      }
    }
  }
  return { name: 'matrix', method, figures: summarised('matrix', measured), failure };
}

async function figuresOf(program: string, folder: string, cell: Cell): Promise<readonly Figure[]> {
  const { members, kind, load } = cell;
  const senders = sendersOf(kind, members);
  const figures: Figure[] = [];
  for (const { mode, raw } of modes) {
    const options = { ...load.options(senders), members, senders, raw, alone: true };
    const result = await runCoreBench(program, folder, options);
    const name = `${nameOf(cell)} ${mode}`;
    const value = (result.putsPerSecond * options.size) / MiB;
    figures.push({ name, unit: 'MiB/s', value, raw: null }, ...workFigures(name, result));
  }
  return figures;
}

/** As people read it: a line of rates, below it one of shares. */
export function matrixLines({ figures, failure }: RowResult, quick: boolean): readonly string[] {
  const medians = new Map(figures.map(({ name, summary }) => [name, summary.median]));
  const medianOf = (name: string): number => medians.get(name) ?? Number.NaN;
  const workOf = (name: string): string => shownWork((kind) => medianOf(workFigure(name, kind)));
  const loads = loadsOf(quick);
  const columns: readonly Column[] = [
    { title: 'members', side: 'right' },
    { title: 'senders', side: 'left' },
    ...loads.flatMap(({ title }) =>
      modes.map(({ mode }): Column => ({ title: `${title} ${mode}`, side: 'right' })),
    ),
  ];
  const rows = memberCounts.flatMap((members) =>
    senderKinds.flatMap((kind) => {
      const names = loads.flatMap((load) =>
        modes.map(({ mode }) => `${nameOf({ members, kind, load })} ${mode}`),
      );
      const senders = `${kind} (${String(sendersOf(kind, members))})`;
      const rates = names.map((name) => shownNumber(medianOf(name)));
      return [
        [String(members), senders, ...rates],
        ['', '', ...names.map(workOf)],
      ];
    }),
  );
  return [method, '', ...tableLines(columns, rows), ...(failure === null ? [] : ['', failure])];
}
