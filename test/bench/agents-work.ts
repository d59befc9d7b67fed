/** Where the time of agents goes: of a running cluster's, as figures and as text. */
import { type AgentWork, agentWork, counterOfWork } from '../../platform/base/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { CoreBenchResult } from './core-bench.ts';
import type { Figure } from './row.ts';

/** Of all agents together: nanoseconds, or shares from 0 to 1. */
export type AgentsWork = Readonly<Record<AgentWork, number>>;

/** Nanoseconds since the members began, up to the last heartbeat of each. */
export async function agentsNanos(cluster: LocalCluster): Promise<AgentsWork> {
  const counters = (await Promise.all(
    cluster.members.map(({ id }) => cluster.call(id, 'counters')),
  )) as readonly Readonly<Record<string, number>>[];
  return workBy((kind) => counters.reduce((sum, of) => sum + (of[counterOfWork(kind)] ?? 0), 0));
}

export function sharesOf(before: AgentsWork, now: AgentsWork): AgentsWork {
  const all = agentWork.reduce((sum, kind) => sum + now[kind] - before[kind], 0);
  return workBy((kind) => (now[kind] - before[kind]) / Math.max(1, all));
}

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

function workBy(of: (kind: AgentWork) => number): AgentsWork {
  return { protocol: of('protocol'), copy: of('copy'), system: of('system'), idle: of('idle') };
}
