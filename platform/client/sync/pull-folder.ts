import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type GetRequest, type ObjectRecord, timeoutOf } from '../../base/mod.ts';
import type { Door } from '../door.ts';
import {
  digestOf,
  type LocalFile,
  type LocalTree,
  obstacleAt,
  readLocal,
  readTree,
  removeLocal,
  rootOf,
  writeLocal,
} from './local-tree.ts';
import {
  digestMeta,
  forEachBounded,
  refuseProblems,
  type SyncOptions,
  type SyncProblem,
  type SyncProgress,
  SyncTally,
} from './sync-options.ts';

export interface PullOptions extends SyncOptions {
  /** As of this moment, µs. Default: what there is now. */
  readonly at?: number;
}

const nameBytesMax = 255;

interface Wanted {
  readonly path: string;
  readonly object: ObjectRecord;
}

/**
 * Writes the objects under a prefix as files, each whole or not at all, into a folder that is made
 * if it is not there; those that are equal are left alone. A file's time of change is its object's event
 * time, if it has one. Links below the folder are followed as long as they stay there, and replaced
 * where a file belongs.
 *
 * Throws INVALID_ARGUMENT, before anything is written, if a key would not be a file below the
 * folder, or what is there cannot make way.
 */
export async function pullFolder(door: Door, options: PullOptions): Promise<SyncProgress> {
  const { folder, prefix, signal } = options;
  const paths = await list(door, options);
  refuseProblems(prefix, problemsOf(paths));
  const isDry = options.dryRun === true;
  const tree = isDry && !(await isThere(folder)) ? null : await treeAt(folder, !isDry);
  if (tree !== null) refuseProblems(prefix, await obstaclesOf(tree.root, paths));
  const wanted = await look(door, options, paths);
  const tally = new SyncTally(options, wanted.length);
  const bytesOf = ({ object }: Wanted): number => object.size;
  await forEachBounded(wanted, bytesOf, signal, async (one) => {
    const { path, object } = one;
    if (await isEqual(tree?.files.get(path), object)) {
      tally.unchanged();
      return;
    }
    if (tally.begins('copy', path) && tree !== null) {
      await write(door, options, tree.root, one);
    }
    tally.copied(object.size);
  });
  if (options.remove === true && tree !== null) await removeRest(tree, new Set(paths), tally);
  return tally.progress;
}

function pointOf({ at, signal }: PullOptions): Pick<GetRequest, 'at' | 'signal'> {
  return { ...(at === undefined ? {} : { at }), ...(signal === undefined ? {} : { signal }) };
}

async function list(door: Door, options: PullOptions): Promise<string[]> {
  const { prefix } = options;
  const paths: string[] = [];
  for await (const key of door.list({ prefix: `${prefix}/`, ...pointOf(options) })) {
    paths.push(key.slice(prefix.length + 1));
  }
  return paths;
}

/** What is still there, without its bytes. */
async function look(
  door: Door,
  options: PullOptions,
  paths: readonly string[],
): Promise<readonly Wanted[]> {
  const found = new Map<string, ObjectRecord>();
  await forEachBounded(
    paths,
    () => 0,
    options.signal,
    async (path) => {
      const object = await door.stat({ key: `${options.prefix}/${path}`, ...pointOf(options) });
      if (object !== null) found.set(path, object);
    },
  );
  return paths.flatMap((path) => {
    const object = found.get(path);
    return object === undefined ? [] : [{ path, object }];
  });
}

/** Whatever the keys say, nothing is written elsewhere, and nothing in place of something else. */
function problemsOf(paths: readonly string[]): SyncProblem[] {
  const folders = new Set(
    paths.flatMap((path) => {
      const parts = path.split('/');
      return parts.slice(1).map((_, nth) => parts.slice(0, nth + 1).join('/'));
    }),
  );
  return paths.flatMap((path): SyncProblem[] => {
    const parts = path.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))) {
      return [{ path, reason: 'leads out of the folder' }];
    }
    if (parts.some((part) => Buffer.byteLength(part) > nameBytesMax)) {
      return [{ path, reason: `has a name of more than ${String(nameBytesMax)} bytes` }];
    }
    return folders.has(path) ? [{ path, reason: 'would be a file and a folder' }] : [];
  });
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}

/** What cannot be read of a folder that is written to is nobody's concern. */
async function treeAt(folder: string, makes: boolean): Promise<LocalTree> {
  return readTree(await rootOf(folder, makes));
}

async function obstaclesOf(root: string, paths: readonly string[]): Promise<SyncProblem[]> {
  const problems: SyncProblem[] = [];
  for (const path of paths) {
    const reason = await obstacleAt(root, path);
    if (reason !== null) problems.push({ path, reason });
  }
  return problems;
}

async function isEqual(file: LocalFile | undefined, object: ObjectRecord): Promise<boolean> {
  if (file?.size !== object.size) return false;
  const told = object.meta[digestMeta];
  return told !== undefined && told === digestOf(await readLocal(file));
}

async function write(
  door: Door,
  options: PullOptions,
  root: string,
  { path, object: { key, size } }: Wanted,
): Promise<void> {
  const object = await door.get({ key, ...pointOf(options), timeoutMs: timeoutOf(size) });
  // Removed since it was looked at.
  if (object === null || object.value === null) return;
  await writeLocal(root, path, object.value, object.eventTime);
}

/** What lies behind a link belongs to where that leads. */
async function removeRest(
  { root, files }: LocalTree,
  wanted: ReadonlySet<string>,
  tally: SyncTally,
): Promise<void> {
  for (const { path, file } of files.values()) {
    if (wanted.has(path) || file !== join(root, path)) continue;
    if (tally.begins('remove', path)) await removeLocal(root, path);
    tally.removed();
  }
}
