import type { Machine } from './machine.ts';
import type { RowResult } from './run-rows.ts';
import { shownNumber } from './statistics.ts';
import { type Column, tableLines } from './table.ts';

const columns: readonly Column[] = [
  { title: 'figure', side: 'left' },
  { title: 'median', side: 'right' },
  { title: 'unit', side: 'left' },
  { title: 'min - max', side: 'right' },
  { title: 'raw block', side: 'right' },
  { title: 'ratio', side: 'right' },
  { title: 'which raw block', side: 'left' },
];

/** The bench as people read it. */
export function reportLines(
  machine: Machine,
  runs: number,
  results: readonly RowResult[],
): readonly string[] {
  const cells = results.flatMap(({ name, figures, failure }) => [
    ...figures.map(({ name: figure, unit, summary, raw, ratio }) => [
      figure,
      shownNumber(summary.median),
      unit,
      `${shownNumber(summary.min)} - ${shownNumber(summary.max)}`,
      raw === null ? '' : shownNumber(raw.summary.median),
      ratio === null ? '' : shownNumber(ratio),
      raw?.name ?? '',
    ]),
    ...(failure === null ? [] : [[name, 'FAILED', '', '', '', '', failure.split('\n')[0] ?? '']]),
  ]);
  return [...machineLines(machine, runs), '', ...tableLines(columns, cells), ''];
}

export function machineLines(machine: Machine, runs: number): readonly string[] {
  const { commit, node, processor, cores, allowedCores, loadBefore, platform } = machine;
  const load = shownNumber(loadBefore);
  return [
    `commit ${commit}, Node ${node}, ${platform}, ${processor}, ${String(cores)} cores`,
    `medians of ${String(runs)}; nothing pinned (cores ${allowedCores} allowed); native core ` +
      `spins 0 µs, members as they choose; load before ${load}`,
  ];
}
