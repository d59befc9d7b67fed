/** What the thread of a member's agent is at (native/core/work_meter.h). */
export const agentWork = ['protocol', 'copy', 'system', 'idle'] as const;

export type AgentWork = (typeof agentWork)[number];

/** The counter of a member that has its nanoseconds. */
export function counterOfWork(work: AgentWork): string {
  return `${work}Nanos`;
}

/** Threads whose copies of records and values are counted, and the counter that has the bytes. */
export const copyCounters = Object.freeze({
  agent: 'copiedBytes',
  loop: 'loopCopiedBytes',
  job: 'jobCopiedBytes',
  lambda: 'lambdaCopiedBytes',
});
