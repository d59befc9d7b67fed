/** Where the time of agents goes, as figures and as text. */
import { type AgentWork, agentWork } from '../../platform/base/mod.ts';
import type { CoreBenchResult } from './core-bench.ts';
import type { Figure } from './row.ts';

/** What waits for a core waits in what it was at. */
export function workFigures(
  name: string,
  { work, copiedPerSecond, putsPerSecond }: CoreBenchResult,
): readonly Figure[] {
  const copied = copiedPerSecond / putsPerSecond;
  return [
    ...agentWork.map((kind) => {
      return { name: workFigure(name, kind), unit: '%', value: 100 * work[kind], raw: null };
    }),
    { name: `${name}: copied by all, a put`, unit: 'B', value: copied, raw: null },
  ];
}

/** What the figure of this share is called, of the load `name`. */
export function workFigure(name: string, kind: AgentWork): string {
  return `${name}: agents, ${kind}`;
}

/** Whole percents in the order of `agentWork`, as cells of a table. */
export function shownWork(percentOf: (kind: AgentWork) => number): string {
  return agentWork.map((kind) => shownPercent(percentOf(kind))).join(' ');
}

function shownPercent(percent: number): string {
  return Number.isFinite(percent) ? percent.toFixed(0) : '-';
}
