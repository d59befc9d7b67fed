import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { FreshetError } from '../base/mod.ts';

/** What `format.json` of a data folder says; written once, when the folder is first used. */
const FormatSchema = Type.Object({
  format: Type.Integer({ minimum: 1 }),
  cluster: Type.String(),
  node: Type.Integer({ minimum: 1 }),
  /** Random: a folder that was wiped is another disk. */
  disk: Type.String(),
});

export type FolderFormat = Static<typeof FormatSchema>;

export interface DataFolder extends FolderFormat {
  readonly path: string;
}

const formatNow = 1;

/**
 * Opens a member's folder, making it when it is not there. Throws DATA_UNWRITABLE, NEWER_FORMAT,
 * WRONG_CLUSTER, DATA_IN_USE (another member's folder) or LOG_CORRUPT, each with the mend.
 */
export async function openDataFolder(
  folder: string,
  cluster: string,
  node: number,
): Promise<DataFolder> {
  const absolute = path.resolve(folder);
  await makeWritable(absolute);
  const file = path.join(absolute, 'format.json');
  const text = await readText(file);
  if (text === null) {
    const format: FolderFormat = { format: formatNow, cluster, node, disk: randomUUID() };
    await writeFormat(absolute, file, format);
    return { ...format, path: absolute };
  }
  return { ...checkFormat(file, text, cluster, node), path: absolute };
}

async function makeWritable(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (caught) {
    throw unwritable(folder, caught);
  }
}

/** Node's own recursive mkdir never ends in a folder that answers ENOENT to it, as /proc does. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (caught) {
    const { code } = caught as { readonly code?: unknown };
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT') throw caught;
    await makeFolder(path.dirname(folder));
    await mkdir(folder);
  }
}

async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (caught) {
    if ((caught as { readonly code?: unknown }).code === 'ENOENT') {
      return null;
    }
    throw unwritable(file, caught);
  }
}

async function writeFormat(folder: string, file: string, format: FolderFormat): Promise<void> {
  try {
    const beside = `${file}.new`;
    const handle = await open(beside, 'w');
    try {
      await handle.writeFile(`${JSON.stringify(format)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (caught) {
    throw unwritable(folder, caught);
  }
}

function checkFormat(file: string, text: string, cluster: string, node: number): FolderFormat {
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Told below, with what is no format either.
  }
  if (!Value.Check(FormatSchema, parsed)) {
    throw new FreshetError('LOG_CORRUPT', `${file} is not the description of a data folder`, {
      mend: 'Restore the file, or choose another dataFolder and let the other members fill it',
    });
  }
  if (parsed.format > formatNow) {
    const message = `${file} says format ${String(parsed.format)}, this is ${String(formatNow)}`;
    throw new FreshetError('NEWER_FORMAT', message);
  }
  if (parsed.cluster !== cluster) {
    throw new FreshetError('WRONG_CLUSTER', `${file} belongs to the cluster ${parsed.cluster}`, {
      mend: `Choose another dataFolder, or set cluster.name to ${parsed.cluster}`,
    });
  }
  if (parsed.node !== node) {
    throw new FreshetError('DATA_IN_USE', `${file} belongs to member ${String(parsed.node)}`, {
      mend: `Choose another dataFolder for member ${String(node)}`,
    });
  }
  return parsed;
}

function unwritable(what: string, cause: unknown): FreshetError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FreshetError('DATA_UNWRITABLE', `${what} cannot be read and written: ${reason}`, {
    mend: 'Give this user the right to write there, or set another dataFolder',
    cause,
  });
}
