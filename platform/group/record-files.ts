import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { FreshetError } from '../base/mod.ts';

/** Where the records of views lie. A file is replaced whole and durably, or not at all. */
export interface RecordFiles {
  /** Names them in errors. */
  readonly folder: string;
  /** Null: there is none. Rejects DISK_FAILED. */
  read(name: string): Promise<Buffer | null>;
  /** Durable when it resolves. Rejects DISK_FAILED. */
  replace(name: string, bytes: Uint8Array): Promise<void>;
}

/** The files of a folder of this machine. */
export function folderFiles(folder: string): RecordFiles {
  return {
    folder,
    read: (name) => readOrNull(path.join(folder, name)),
    replace: (name, bytes) => replaceFile(folder, name, bytes),
  };
}

/** Written beside, synced, renamed, folder synced. */
async function replaceFile(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const file = path.join(folder, name);
  const beside = `${file}.new`;
  try {
    await withHandle(beside, 'w', async (handle) => {
      await handle.writeFile(bytes);
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

async function readOrNull(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (caught) {
    if ((caught as { readonly code?: unknown } | null)?.code === 'ENOENT') {
      return null;
    }
    throw new FreshetError('DISK_FAILED', `${file} cannot be read`, { cause: caught });
  }
}
