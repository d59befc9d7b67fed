import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePorts } from '../../platform/local-cluster.ts';

/** A folder that is removed with all it holds. */
export interface TemporaryFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** A fresh empty folder, removed when the running test ends. Returns its absolute path. */
export async function tempFolder(name = 'test'): Promise<string> {
  const folder = await makeTempFolder(name);
  onTestFinished(() => folder.remove());
  return folder.path;
}

/** The same for hooks: the caller removes it. */
export async function makeTempFolder(name = 'test'): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), `freshet-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/**
 * A TCP port of 127.0.0.1 that was free a moment ago. Prefer port 0 where the program tells what it
 * got: between this and the use another program may take it.
 */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}
