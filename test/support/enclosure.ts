/**
 * An enclosure: a program with a network, mounts and process numbers of its own. Whatever it makes
 * of these (hosts, cables, disks, members) the kernel takes away with its first process, however
 * that ends. Needs root, or a machine on which users may make namespaces.
 */
import { spawnSync } from 'node:child_process';
import { requireThat, requireTool, type Skippable } from './requirements.ts';

const flag = 'FRESHET_ENCLOSED';
const isRoot = process.getuid?.() === 0;

/** The words before a command that runs it in an enclosure, with `enclosedEnv` around it. */
export const enclosing: readonly string[] = [
  'unshare',
  ...(isRoot ? [] : ['--user', '--map-root-user']),
  ...['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
];

export function enclosedEnv(): NodeJS.ProcessEnv {
  return { ...process.env, [flag]: '1' };
}

/** Whether this program runs in an enclosure: its network and mounts are its own affair. */
export function isEnclosed(): boolean {
  return process.env[flag] === '1';
}

/** null: programs can be enclosed here; otherwise why not. */
export function enclosureProblem(): string | null {
  const [command = '', ...args] = enclosing;
  const tried = spawnSync(command, [...args, 'true'], { encoding: 'utf8' });
  if (tried.status === 0) return null;
  const why = tried.error?.message ?? tried.stderr.trim();
  return `no namespaces can be made here (${why})`;
}

/** Skips a test, with the reason, where programs cannot be enclosed. */
export function requireEnclosure(context: Skippable): void {
  for (const tool of ['ip', 'unshare'] as const) requireTool(context, tool);
  const problem = enclosureProblem();
  requireThat(context, problem === null, problem ?? '', 'sudo npm test');
}
