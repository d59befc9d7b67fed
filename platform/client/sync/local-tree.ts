/**
 * The files of a folder, and what of it cannot be copied: special files, links that lead out of it
 * or in a circle, names that no key can have. Reading and writing again look where a path leads.
 */
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { createHash, randomBytes } from 'node:crypto';
import { FreshetError, messageOf } from '../../base/mod.ts';
import type { SyncProblem } from './sync-options.ts';

export interface LocalFile {
  /** From the folder on, `/` between its parts. */
  readonly path: string;
  /** Where its bytes lie, links followed. */
  readonly file: string;
  readonly size: number;
  /** µs. */
  readonly modified: number;
}

export interface LocalTree {
  /** The folder, links followed. */
  readonly root: string;
  /** By path, in byte order. */
  readonly files: ReadonlyMap<string, LocalFile>;
  readonly problems: readonly SyncProblem[];
}

const partialFile = /^\.freshet-[0-9a-f]{16}\.part$/;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const specialKinds: readonly (readonly [(stats: Stats) => boolean, string])[] = [
  [(stats) => stats.isFIFO(), 'is a named pipe'],
  [(stats) => stats.isSocket(), 'is a socket'],
  [(stats) => stats.isBlockDevice() || stats.isCharacterDevice(), 'is a device'],
];

/** All files below `folder`. Throws INVALID_ARGUMENT where that is no folder. */
export async function readTree(folder: string): Promise<LocalTree> {
  const root = await rootOf(folder);
  const files: LocalFile[] = [];
  const problems: SyncProblem[] = [];
  // With the folders that lead to each, links followed.
  const left: { path: string; folder: string; above: readonly string[] }[] = [
    { path: '', folder: root, above: [root] },
  ];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    for (const bytes of await readdir(at.folder, { encoding: 'buffer' })) {
      const name = nameOf(bytes);
      const path = `${at.path}${name ?? bytes.toString('utf8')}`;
      if (name === null) {
        problems.push({ path, reason: 'has a name that is not UTF-8' });
        continue;
      }
      if (partialFile.test(name)) continue;
      const found = await entryAt(root, join(at.folder, name));
      if ('reason' in found) {
        problems.push({ path, reason: found.reason });
      } else if (found.stats.isFile()) {
        const { size, mtimeMs } = found.stats;
        files.push({ path, file: found.file, size, modified: Math.round(mtimeMs * 1000) });
      } else if (at.above.includes(found.file)) {
        problems.push({ path, reason: 'is a link to a folder that it lies in' });
      } else {
        left.push({ path: `${path}/`, folder: found.file, above: [...at.above, found.file] });
      }
    }
  }
  files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { root, files: new Map(files.map((file) => [file.path, file])), problems };
}

/** The folder with links followed; made where it is not there and `makes`. */
export async function rootOf(folder: string, makes = false): Promise<string> {
  try {
    if (makes) await mkdir(folder, { recursive: true });
    const root = await realpath(folder);
    if ((await stat(root)).isDirectory()) return root;
  } catch (cause) {
    throw new FreshetError('INVALID_ARGUMENT', `${folder} cannot be used: ${messageOf(cause)}`, {
      mend: 'Name a folder that can be read',
      cause,
    });
  }
  throw new FreshetError('INVALID_ARGUMENT', `${folder} is not a folder`);
}

/** What a path is, links followed as long as they stay below `root`. */
async function entryAt(
  root: string,
  path: string,
): Promise<{ readonly file: string; readonly stats: Stats } | { readonly reason: string }> {
  const own = await lstat(path);
  if (!own.isSymbolicLink()) return { file: path, stats: own, ...specialOf(own) };
  const file = await realpath(path).catch(() => null);
  if (file === null) return { reason: 'is a link that leads nowhere' };
  if (!isWithin(root, file)) return { reason: 'is a link that leads out of the folder' };
  const stats = await lstat(file);
  return { file, stats, ...specialOf(stats) };
}

function specialOf(stats: Stats): { readonly reason: string } | Record<never, never> {
  const found = specialKinds.find(([is]) => is(stats));
  return found === undefined ? {} : { reason: found[1] };
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function nameOf(bytes: Buffer): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The bytes of a file that readTree found; INVALID_ARGUMENT if it is none any more. */
export async function readLocal({ path, file }: LocalFile): Promise<Buffer> {
  // Not to wait for a pipe that has taken its place.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch((cause: unknown) => {
    throw new FreshetError('INVALID_ARGUMENT', `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  });
  try {
    if ((await handle.stat()).isFile()) return await handle.readFile();
    throw new FreshetError('INVALID_ARGUMENT', `${path} is not a file any more`);
  } finally {
    await handle.close();
  }
}

/** What keeps `path` from being written as a file below `root`; null: nothing. */
export async function obstacleAt(root: string, path: string): Promise<string | null> {
  const parts = path.split('/');
  let at = root;
  for (const part of parts.slice(0, -1)) {
    const found = await entryAt(root, join(at, part)).catch(() => null);
    if (found === null) return null;
    if ('reason' in found) return `lies below what ${found.reason}`;
    if (!found.stats.isDirectory()) return 'lies below what is a file here';
    at = found.file;
  }
  const there = await lstat(join(at, parts.at(-1) as string)).catch(() => null);
  if (there === null || there.isFile() || there.isSymbolicLink()) return null;
  if (there.isDirectory()) return 'is a folder here';
  const special = specialOf(there);
  return 'reason' in special ? `${special.reason} here` : 'is no file here';
}

/** Writes a file whole or not at all; what was there is replaced, a link not followed. */
export async function writeLocal(
  root: string,
  path: string,
  bytes: Uint8Array,
  modified: number | null,
): Promise<void> {
  const target = join(root, ...path.split('/'));
  const folder = await folderFor(root, dirname(target), path);
  const partial = join(folder, `.freshet-${randomBytes(8).toString('hex')}.part`);
  const handle = await open(partial, 'wx');
  try {
    try {
      await handle.writeFile(bytes);
      const seconds = modified === null ? null : modified / 1e6;
      if (seconds !== null) await handle.utimes(seconds, seconds);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(partial, join(folder, path.split('/').at(-1) as string));
  } catch (caught) {
    await rm(partial, { force: true });
    throw caught;
  }
}

export async function removeLocal(root: string, path: string): Promise<void> {
  const target = join(root, ...path.split('/'));
  await rm(join(await folderFor(root, dirname(target), path), path.split('/').at(-1) as string));
}

/** Looked at once more: a link may have come since. */
async function folderFor(root: string, folder: string, path: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const real = await realpath(folder);
  if (isWithin(root, real)) return real;
  throw new FreshetError('INVALID_ARGUMENT', `${path} would lie outside of the folder`);
}
