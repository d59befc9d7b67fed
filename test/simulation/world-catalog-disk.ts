/**
 * What `level` gives the catalog, on the simulated disk of a node: one file, that is replaced. A
 * batch is there or not as a whole. Half of the processes are told of it at once, as `level` tells
 * before anything is synced: what they wrote last may go with them, the others wait for the disk.
 */
import { decode, encode } from '@msgpack/msgpack';
import type { CatalogDisk } from '../../platform/store/catalog-disk.ts';
import type { RecordFiles } from '../../platform/group/record-files.ts';

const fileName = 'catalog';

/** Of the catalog itself; see catalog.ts. */
const appliedKey = 'applied';

type Content = ReadonlyMap<string, Uint8Array>;

export interface WorldCatalogDiskOptions {
  readonly files: RecordFiles;
  readonly isLazy: boolean;
  /** A canary keeps the applied position without the entries of its batch. */
  readonly splits: boolean;
}

export async function openWorldCatalogDisk(options: WorldCatalogDiskOptions): Promise<CatalogDisk> {
  const { files, isLazy, splits } = options;
  const bytes = await files.read(fileName);
  let content: Content = new Map(
    bytes === null ? [] : (decode(bytes) as (readonly [string, Uint8Array])[]),
  );
  let due: Content | null = null;
  let isSaving = false;
  const saveLater = async (): Promise<void> => {
    if (isSaving) return;
    isSaving = true;
    while (due !== null) {
      const saved: Content = due;
      due = null;
      // What cannot be written comes with the next batch, or never.
      await files.replace(fileName, encode([...saved])).catch(() => undefined);
    }
    isSaving = false;
  };
  const save = async (next: Content, onDisk: Content): Promise<void> => {
    if (isLazy) {
      due = onDisk;
      void saveLater();
    } else {
      await files.replace(fileName, encode([...onDisk]));
    }
    content = next;
  };
  return {
    entries: async function* () {
      await Promise.resolve();
      yield* content;
    },
    get: (key) => Promise.resolve(content.get(key) ?? null),
    write: (changes) => {
      const next = new Map(content);
      for (const [key, value] of changes) {
        if (value === null) next.delete(key);
        else next.set(key, value);
      }
      const applied = changes.get(appliedKey);
      const isSplit = splits && applied !== null && applied !== undefined;
      return save(next, isSplit ? new Map([...content, [appliedKey, applied]]) : next);
    },
    clear: () => save(new Map(), new Map()),
    close: () => Promise.resolve(),
  };
}
