import {
  findKeyProblem,
  FreshetError,
  limits,
  type ObjectRecord,
  timeoutOf,
} from '../../base/mod.ts';
import type { Door } from '../door.ts';
import { digestOf, type LocalFile, readLocal, readTree } from './local-tree.ts';
import {
  digestMeta,
  forEachBounded,
  refuseProblems,
  type SyncOptions,
  type SyncProblem,
  type SyncProgress,
  SyncTally,
} from './sync-options.ts';

const contentTypes: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  gif: 'image/gif',
  html: 'text/html',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  json: 'application/json',
  md: 'text/markdown',
  mp4: 'video/mp4',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain',
  webp: 'image/webp',
};

/**
 * Puts the files of a folder under a prefix, those that are there already left out: equal by their
 * SHA-256, which is kept in each object's meta. An object's event time is when its file was changed.
 *
 * Throws INVALID_ARGUMENT, before anything is put, if something cannot be copied, and what a put is
 * refused with, naming the file. What was copied by then stays: the next run goes on.
 */
export async function pushFolder(door: Door, options: SyncOptions): Promise<SyncProgress> {
  const { folder, prefix, signal } = options;
  const tree = await readTree(folder);
  const files = [...tree.files.values()];
  const pool = (await door.pools()).find(({ name }) => `${prefix}/`.startsWith(`${name}/`));
  const most = pool?.maxValueBytes ?? limits.valueBytesMax;
  const unfit = files.flatMap((file) => problemOf(prefix, file, most));
  refuseProblems(folder, [...tree.problems, ...unfit]);
  const tally = new SyncTally(options, files.length);
  await forEachBounded(
    files,
    ({ size }) => size,
    signal,
    async (file) => {
      await push(door, prefix, file, tally);
    },
  );
  if (options.remove === true) await removeRest(door, options, tree.files, tally);
  return tally.progress;
}

/** `most`: bytes of a value of the pool. */
function problemOf(prefix: string, { path, size }: LocalFile, most: number): SyncProblem[] {
  const problem = findKeyProblem(`${prefix}/${path}`);
  if (problem !== null) return [{ path, reason: `has a key that ${problem.reason}` }];
  if (size <= most) return [];
  const shown = most < 2 ** 20 ? `${String(most)} bytes` : `${String(most / 2 ** 20)} MiB`;
  return [{ path, reason: `has ${String(size)} bytes, more than ${shown} of its pool` }];
}

async function push(door: Door, prefix: string, file: LocalFile, tally: SyncTally): Promise<void> {
  const key = `${prefix}/${file.path}`;
  const bytes = await readLocal(file);
  const digest = digestOf(bytes);
  const there = await door.stat({ key });
  if (there !== null && (await isEqual(door, there, bytes, digest))) {
    tally.unchanged();
    return;
  }
  if (tally.begins('copy', file.path)) {
    const meta = { 'content-type': typeOf(file.path), [digestMeta]: digest };
    const put = { key, value: bytes, meta, eventTime: file.modified };
    await named(file.path, () => door.put({ ...put, timeoutMs: timeoutOf(bytes.byteLength) }));
  }
  tally.copied(bytes.byteLength);
}

function typeOf(path: string): string {
  const extension = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  return contentTypes[extension] ?? 'application/octet-stream';
}

async function isEqual(
  door: Door,
  { key, size, meta }: ObjectRecord,
  bytes: Buffer,
  digest: string,
): Promise<boolean> {
  if (size !== bytes.byteLength) return false;
  const told = meta[digestMeta];
  if (told !== undefined) return told === digest;
  const value = (await door.get({ key, timeoutMs: timeoutOf(size) }))?.value ?? null;
  return value !== null && bytes.equals(value);
}

async function removeRest(
  door: Door,
  options: SyncOptions,
  files: ReadonlyMap<string, LocalFile>,
  tally: SyncTally,
): Promise<void> {
  const { prefix, signal } = options;
  const extra: string[] = [];
  for await (const key of door.list({ prefix: `${prefix}/`, ...(signal ? { signal } : {}) })) {
    const path = key.slice(prefix.length + 1);
    if (!files.has(path)) extra.push(path);
  }
  await forEachBounded(
    extra,
    () => 0,
    signal,
    async (path) => {
      if (tally.begins('remove', path)) {
        await named(path, () => door.remove({ key: `${prefix}/${path}` }));
      }
      tally.removed();
    },
  );
}

async function named<Result>(path: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (caught) {
    if (!(caught instanceof FreshetError)) throw caught;
    const { code, message, mend, details } = caught;
    throw new FreshetError(code, `${path}: ${message}`, { mend, details, cause: caught });
  }
}
