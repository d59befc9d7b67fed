import { Level } from 'level';
import { FreshetError } from '../base/mod.ts';

/** Where a member keeps what the catalog holds. What is written outlives the process as a rule. */
export interface CatalogDisk {
  /** All that is there, in no order. */
  entries(): AsyncIterable<readonly [string, Uint8Array]>;
  /** Null: there is none. */
  get(key: string): Promise<Uint8Array | null>;
  /** All of it or nothing, and nothing that was written later without it; null: it goes. */
  write(changes: ReadonlyMap<string, Uint8Array | null>): Promise<void>;
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** In `level`. Throws DATA_IN_USE when another process has it open, DISK_FAILED. */
export async function openCatalogDisk(folder: string): Promise<CatalogDisk> {
  const level = new Level<string, Uint8Array>(folder, { valueEncoding: 'view' });
  try {
    await level.open();
  } catch (caught) {
    const cause = (caught as { readonly cause?: { readonly code?: unknown } }).cause;
    const code = cause?.code === 'LEVEL_LOCKED' ? 'DATA_IN_USE' : 'DISK_FAILED';
    throw new FreshetError(code, `The catalog ${folder} cannot be opened`, { cause: caught });
  }
  return {
    entries: () => level.iterator(),
    get: async (key) => {
      // The types of level say that it is always there; it is not.
      const found = (await level.get(key)) as Uint8Array | undefined;
      return found ?? null;
    },
    write: async (changes) => {
      const batch = level.batch();
      for (const [key, value] of changes) {
        if (value === null) batch.del(key);
        else batch.put(key, value);
      }
      await batch.write();
    },
    clear: () => level.clear(),
    close: () => level.close(),
  };
}
