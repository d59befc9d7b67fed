/** Processor time of other processes, from /proc. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Clock ticks a second, as the kernel counts them in /proc. */
export function ticksPerSecond(): number {
  return Number(execFileSync('getconf', ['CLK_TCK']).toString());
}

/** User and system time of a process with all its threads, in ticks. */
export function ticksOf(pid: number): number {
  return ticksInStat(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
}

/** The program's name may hold blanks and brackets; the fields are counted after its last one. */
export function ticksInStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Share of one core that the processes took together over a time in which this one sleeps. */
export async function coreShareOf(pids: readonly number[], durationMs: number): Promise<number> {
  const total = (): number => pids.reduce((sum, pid) => sum + ticksOf(pid), 0);
  const [before, begin] = [total(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, durationMs));
  const seconds = (performance.now() - begin) / 1000;
  return (total() - before) / ticksPerSecond() / seconds;
}
