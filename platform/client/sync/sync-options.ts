/** What both directions of a sync take and tell. */
import { FreshetError, limits } from '../../base/mod.ts';

export interface SyncOptions {
  readonly folder: string;
  /** A pool, or a part of one: the file `a/b` is the object `<prefix>/a/b`. */
  readonly prefix: string;
  /** Also remove, at the target, what the source has not got. Default: false. */
  readonly remove?: boolean;
  /** Only tell what would be done. Default: false. */
  readonly dryRun?: boolean;
  /** Before each file is copied or removed. */
  readonly onChange?: (change: SyncChange) => void;
  /** After each file that was looked at. */
  readonly onProgress?: (progress: SyncProgress) => void;
  readonly signal?: AbortSignal;
}

export interface SyncChange {
  readonly kind: 'copy' | 'remove';
  /** From the folder or the prefix on, `/` between its parts. */
  readonly path: string;
}

export interface SyncProgress {
  readonly files: number;
  readonly filesAll: number;
  readonly copied: number;
  readonly copiedBytes: number;
  readonly unchanged: number;
  readonly removed: number;
}

/** What a path cannot be copied for. */
export interface SyncProblem {
  readonly path: string;
  /** To follow the path: "is a named pipe". */
  readonly reason: string;
}

/** SHA-256 of a value, in hex, in the meta of what was put from a file. */
export const digestMeta = 'sha256';

/** Files under way at once, and what they may hold in memory together. */
const filesAtOnce = 8;
const bytesAtOnce = limits.valueBytesWhole;
const problemsShown = 10;

/** Throws INVALID_ARGUMENT that names them; nothing has been copied by then. */
export function refuseProblems(where: string, problems: readonly SyncProblem[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, problemsShown);
  const named = shown.map(({ path, reason }) => `${JSON.stringify(path)} ${reason}`);
  const rest = problems.length - named.length;
  const more = rest === 0 ? '' : `; and ${String(rest)} more`;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `${where} is not copied, as not all of it can be: ${named.join('; ')}${more}`,
    { mend: 'Move or rename what is named, or sync a part without it' },
  );
}

/** Runs `work` for each item, several at once as long as what they hold in memory is bounded. */
export async function forEachBounded<Item>(
  items: readonly Item[],
  bytesOf: (item: Item) => number,
  signal: AbortSignal | undefined,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let held = 0;
  const failures: unknown[] = [];
  for (const item of items) {
    const bytes = bytesOf(item);
    while (running.size > 0 && (running.size >= filesAtOnce || held + bytes > bytesAtOnce)) {
      await Promise.race(running);
    }
    if (failures.length > 0 || signal?.aborted === true) break;
    held += bytes;
    const run = work(item)
      .catch((error: unknown) => {
        failures.push(error);
      })
      .finally(() => {
        held -= bytes;
        running.delete(run);
      });
    running.add(run);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  if (signal?.aborted === true) throw new FreshetError('CANCELLED', 'The sync was cancelled');
}

/** Counts what was done, and tells. */
export class SyncTally {
  readonly #options: SyncOptions;
  #progress: SyncProgress;

  constructor(options: SyncOptions, filesAll: number) {
    this.#options = options;
    const none = { files: 0, copied: 0, copiedBytes: 0, unchanged: 0, removed: 0 };
    this.#progress = { ...none, filesAll };
  }

  get progress(): SyncProgress {
    return this.#progress;
  }

  /** Whether to do it. */
  begins(kind: SyncChange['kind'], path: string): boolean {
    this.#options.onChange?.({ kind, path });
    return this.#options.dryRun !== true;
  }

  copied(bytes: number): void {
    const { copied, copiedBytes } = this.#progress;
    this.#looked({ copied: copied + 1, copiedBytes: copiedBytes + bytes });
  }

  unchanged(): void {
    this.#looked({ unchanged: this.#progress.unchanged + 1 });
  }

  removed(): void {
    this.#progress = { ...this.#progress, removed: this.#progress.removed + 1 };
    this.#options.onProgress?.(this.#progress);
  }

  #looked(change: Partial<SyncProgress>): void {
    this.#progress = { ...this.#progress, ...change, files: this.#progress.files + 1 };
    this.#options.onProgress?.(this.#progress);
  }
}
