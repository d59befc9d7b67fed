/** What the agents were at during measured puts: the adapter leaves it in a file for the bench. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentsWork } from '../agents-work.ts';

/** Shares of the agents' time in the load that was last of its system and size. */
export async function writePutWork(
  base: string,
  kind: string,
  size: number,
  work: AgentsWork,
): Promise<void> {
  await writeFile(fileOf(base, kind, size), JSON.stringify(work));
}

export async function readPutWork(base: string, kind: string, size: number): Promise<AgentsWork> {
  return JSON.parse(await readFile(fileOf(base, kind, size), 'utf8')) as AgentsWork;
}

function fileOf(base: string, kind: string, size: number): string {
  return join(base, `agents-${kind}-${String(size)}.json`);
}
