/** What the thread of a member's agent is at (native/core/work_meter.h). */
export const agentWork = ['protocol', 'copy', 'system', 'idle'] as const;

export type AgentWork = (typeof agentWork)[number];

/** The counter of a member that has its nanoseconds. */
export function counterOfWork(work: AgentWork): string {
  return `${work}Nanos`;
}
