import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a program whose output is ours. Its exit code; 1 where a signal ended it. */
export async function runInherited(command: string, words: readonly string[]): Promise<number> {
  const child = spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}
