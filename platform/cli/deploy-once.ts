/** Deploys the pipeline of a local cluster, and bundles it only when a file of it is another. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { GrpcDoor } from '../client/grpc/mod.ts';
import { packageRoot } from '../base/mod.ts';
import {
  describeChange,
  type DeployedPipeline,
  preparePipeline,
  type PreparedPipeline,
} from '../lambda/mod.ts';

/** What identifies a prepared pipeline: its bundles and assets are named by their hashes. */
type Outline = Pick<PreparedPipeline, 'name' | 'nodes' | 'assets'>;

/** What a file was made into the last time. */
interface Memo {
  /** SHA-256 of every file it was made from, by absolute path. */
  readonly sources: Readonly<Record<string, string>>;
  readonly outline: Outline;
}

/**
 * Deploys the pipeline described by `file` unless the very same one is in force.
 *
 * @param memoFile remembers from one start to the next what the file comes to; bundling takes a
 *   second, reading this takes none
 */
export async function deployOnce(door: GrpcDoor, file: string, memoFile: string): Promise<void> {
  const running = (await door.pipelines()) as readonly DeployedPipeline[];
  const remembered = await recall(memoFile);
  if (remembered !== null && isInForce(running, remembered)) return;
  const prepared = await preparePipeline(file);
  const { name, pools, nodes, assets, bundles, files, sources } = prepared;
  if (!isInForce(running, prepared)) {
    const document = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
    await door.deploy({ name, document, bundles, assets: files });
  }
  const memo: Memo = { sources: await hashes(sources), outline: { name, nodes, assets } };
  await writeFile(memoFile, JSON.stringify(memo));
}

function isInForce(running: readonly DeployedPipeline[], wanted: Outline): boolean {
  const before = running.find(({ name }) => name === wanted.name);
  return (
    before !== undefined &&
    describeChange(before, wanted).length === 0 &&
    JSON.stringify(before.assets) === JSON.stringify(wanted.assets)
  );
}

/** What was made the last time, if every file is still what it was; else null. */
async function recall(memoFile: string): Promise<Outline | null> {
  try {
    const { sources, outline } = JSON.parse(await readFile(memoFile, 'utf8')) as Memo;
    const now = await hashes(Object.keys(sources));
    return JSON.stringify(now) === JSON.stringify(sources) ? outline : null;
  } catch {
    // None yet, or a file is gone: it is made anew, which tells what is wrong.
    return null;
  }
}

/** The bundler and what the platform supplies to bundles count as sources too. */
async function hashes(sources: readonly string[]): Promise<Record<string, string>> {
  const files = new Set([...sources, path.join(packageRoot(), 'package-lock.json')]);
  const sums: Record<string, string> = {};
  for (const file of files) {
    sums[file] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  }
  return sums;
}
