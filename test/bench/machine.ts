/** Where and of what the figures were taken. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';

export interface Machine {
  /** Short hash; `+` when the working tree differs from it. */
  readonly commit: string;
  readonly node: string;
  readonly processor: string;
  readonly cores: number;
  /** The cores that this process and its children may use; nothing is pinned to one of them. */
  readonly allowedCores: string;
  /** Load average of the last minute when the bench began: above 0.5 others were at work. */
  readonly loadBefore: number;
  readonly platform: string;
}

export function describeMachine(root: string): Machine {
  return {
    commit: commitOf(root),
    node: process.version,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    allowedCores: allowedCores(),
    loadBefore: loadavg()[0] ?? 0,
    platform: `${process.platform}-${process.arch}`,
  };
}

export function commitOf(root: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
        .toString()
        .trim();
    const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', '--short=12', 'HEAD') + (isChanged ? '+' : '');
  } catch {
    // An unpacked archive has no history.
    return 'unknown';
  }
}

function allowedCores(): string {
  const status = readFileSync('/proc/self/status', 'utf8');
  return /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? 'unknown';
}
