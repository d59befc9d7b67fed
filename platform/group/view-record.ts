import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { FreshetError } from '../base/mod.ts';

/** The newest view of a member, as it lies in `view.json` of its data folder. */
export const ViewRecordSchema = Type.Object({
  format: Type.Literal(1),
  /** Counts views of the cluster. */
  number: Type.Integer({ minimum: 0 }),
  /** False between PREPARE and START: the view may never have begun. */
  committed: Type.Boolean(),
  members: Type.Array(Type.Integer({ minimum: 1 })),
  /** The highest epoch of every shard that this member has ever prepared or seen. */
  epochs: Type.Array(
    Type.Object({ shard: Type.Integer({ minimum: 1 }), epoch: Type.Integer({ minimum: 0 }) }),
  ),
});

export type ViewRecord = Static<typeof ViewRecordSchema>;

export const noView: ViewRecord = Object.freeze({
  format: 1,
  number: 0,
  committed: true,
  members: [],
  epochs: [],
});

const fileName = 'view.json';

/** The record of the folder; `noView` when there is none. Throws LOG_CORRUPT or NEWER_FORMAT. */
export async function readViewRecord(folder: string): Promise<ViewRecord> {
  const file = path.join(folder, fileName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (caught) {
    if (isMissing(caught)) {
      return noView;
    }
    throw new FreshetError('DISK_FAILED', `${file} cannot be read`, { cause: caught });
  }
  const parsed = parseJson(text);
  if (Value.Check(ViewRecordSchema, parsed)) {
    return parsed;
  }
  const format = (parsed as { readonly format?: unknown } | null)?.format;
  if (typeof format === 'number' && format > 1) {
    throw new FreshetError('NEWER_FORMAT', `${file} has format ${String(format)}`);
  }
  throw new FreshetError('LOG_CORRUPT', `${file} is not a view record`, {
    mend: `Remove ${file}; the other members know the view`,
  });
}

/** Durable when it resolves: written beside, synced, renamed, folder synced. */
export async function writeViewRecord(folder: string, record: ViewRecord): Promise<void> {
  const file = path.join(folder, fileName);
  const beside = `${file}.new`;
  try {
    await withHandle(beside, 'w', async (handle) => {
      await handle.writeFile(`${JSON.stringify(record)}\n`);
      await handle.sync();
    });
    await rename(beside, file);
    await withHandle(folder, 'r', (handle) => handle.sync());
  } catch (caught) {
    throw new FreshetError('DISK_FAILED', `${file} cannot be written`, { cause: caught });
  }
}

async function withHandle(
  file: string,
  flags: string,
  run: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(file, flags);
  try {
    await run(handle);
  } finally {
    await handle.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function isMissing(caught: unknown): boolean {
  return (caught as { readonly code?: unknown } | null)?.code === 'ENOENT';
}
