/**
 * The table of the lecture on Derecho: bytes that each member is given a second, by who sends, the
 * size of a message and the number of members, in the order of all beside raw delivery.
 */
import { limits } from '../../platform/base/mod.ts';
import { runCoreBench } from './core-bench.ts';
import type { RowContext } from './row.ts';
import { median, shownNumber } from './statistics.ts';
import { type Column, tableLines } from './table.ts';

const MiB = 2 ** 20;
const memberCounts = [2, 3, 5, 8];
const senderKinds = ['all', 'half', 'one'] as const;
/** Unanswered messages of one sender hold a few MiB, stores that keep four of a key not much. */
const sizes = [
  { name: '10 KiB', size: 10 * 1024, window: 100, keys: 100 },
  { name: '1 MiB', size: MiB, window: 4, keys: 4 },
  {
    name: `${String(limits.valueBytesMax / MiB)} MiB`,
    size: limits.valueBytesMax,
    window: 2,
    keys: 1,
  },
];
const modes = [
  { name: 'ordered', raw: false },
  { name: 'raw', raw: true },
];
const seconds = { full: 3, quick: 0.3 };

type SenderKind = (typeof senderKinds)[number];

const columns: readonly Column[] = [
  { title: 'members', side: 'right' },
  { title: 'senders', side: 'left' },
  ...sizes.flatMap(({ name }) =>
    modes.map((mode): Column => ({ title: `${name} ${mode.name}`, side: 'right' })),
  ),
];

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

/** MiB/s, medians of `runs`. */
export async function matrixLines(context: RowContext, runs: number): Promise<readonly string[]> {
  const program = await context.coreBench();
  const rows: string[][] = [];
  for (const members of memberCounts) {
    for (const kind of senderKinds) {
      const senders = sendersOf(kind, members);
      context.say(`matrix: ${String(members)} members, ${kind} sending`);
      const cells: string[] = [];
      for (const { size, window, keys } of sizes) {
        for (const { raw } of modes) {
          const rates: number[] = [];
          for (let nth = 0; nth < runs; nth++) {
            const { putsPerSecond } = await runCoreBench(program, context.folder, {
              ...{ members, senders, size, window, keys, raw, alone: true },
              seconds: context.quick ? seconds.quick : seconds.full,
            });
            rates.push((putsPerSecond * size) / MiB);
          }
          cells.push(shownNumber(median(rates)));
        }
      }
      rows.push([String(members), `${kind} (${String(senders)})`, ...cells]);
    }
  }
  return tableLines(columns, rows);
}
