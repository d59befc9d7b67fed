/**
 * Logs of shards that this member left are kept for a while, should it get one again, and then
 * removed from its disk: once a view is installed in which it has no place in the shard, and as
 * many others run it as the layout wants, or its subgroup was taken away. How long ago a shard was
 * left outlives the process.
 *
 * Thread: event loop.
 * Invariant: nothing is removed of a shard that is open here, or may be needed here in a moment.
 */
import { type CancelTimer, type Clock, type Logger, messageOf } from '../base/mod.ts';
import type { RecordFiles } from './record-files.ts';

/** The folders of shards on this member's disk. */
export interface ShardFolders {
  /** Shards that have one. */
  list(): Promise<readonly number[]>;
  /** With all that is in it, for good once it resolves. */
  remove(shard: number): Promise<void>;
}

export interface LeftLogsOptions {
  readonly folders: ShardFolders;
  readonly recordFiles: RecordFiles;
  readonly keepMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** It is known, closed here, and not this member's in the view that is installed. */
  readonly isLeft: (shard: number) => boolean;
  /** All members that are to have it run it, as many as the layout wants. */
  readonly isWhole: (shard: number) => boolean;
  /** Beside no step of a restart or a join. */
  readonly run: (work: () => Promise<void>) => void;
}

const recordFile = 'left-shards';
const lookEveryMs = { least: 500, most: 60_000 };

export class LeftLogs {
  readonly #options: LeftLogsOptions;
  /** shard → when it was first seen as left, ms since 1970. Null: not read yet. */
  #since: Map<number, number> | null = null;
  #cancel: CancelTimer | null = null;
  #ended = false;

  constructor(options: LeftLogsOptions) {
    this.#options = options;
  }

  begin(): void {
    const { clock, keepMs, run } = this.#options;
    if (this.#ended) return;
    const pauseMs = Math.min(lookEveryMs.most, Math.max(lookEveryMs.least, keepMs / 10));
    this.#cancel = clock.after(pauseMs, () => {
      run(async () => {
        await this.#lookSafely();
        this.begin();
      });
    });
  }

  end(): void {
    this.#ended = true;
    this.#cancel?.();
  }

  async #lookSafely(): Promise<void> {
    try {
      await this.#look();
    } catch (caught) {
      this.#options.log.warn({ error: messageOf(caught) }, 'left logs were not looked after');
    }
  }

  async #look(): Promise<void> {
    const { folders, isLeft, isWhole, keepMs, clock } = this.#options;
    this.#since ??= await this.#read();
    const nowMs = clock.wallUs() / 1000;
    const left = (await folders.list()).filter(isLeft);
    const before = [...this.#since].join();
    // A clock that was set back lets no log be kept for longer than asked.
    const sinceOf = (shard: number): number => Math.min(nowMs, this.#since?.get(shard) ?? nowMs);
    this.#since = new Map(left.map((shard) => [shard, sinceOf(shard)]));
    for (const [shard, sinceMs] of [...this.#since]) {
      if (nowMs - sinceMs < keepMs || !isWhole(shard) || this.#ended) continue;
      await this.#remove(shard, sinceMs);
    }
    if ([...this.#since].join() !== before) await this.#write();
  }

  async #remove(shard: number, sinceMs: number): Promise<void> {
    const { folders, log } = this.#options;
    await folders.remove(shard);
    this.#since?.delete(shard);
    const since = new Date(sinceMs).toISOString();
    log.info({ shard, since }, 'the log of a shard that this member left was removed');
  }

  async #read(): Promise<Map<number, number>> {
    const bytes = await this.#options.recordFiles.read(recordFile);
    try {
      const entries = Object.entries(JSON.parse(bytes?.toString('utf8') ?? '{}') as object);
      const known = entries.filter((entry): entry is [string, number] => {
        return Number.isFinite(entry[1]);
      });
      return new Map(known.map(([shard, sinceMs]) => [Number(shard), sinceMs]));
    } catch {
      // Then they are kept for longer.
      return new Map();
    }
  }

  async #write(): Promise<void> {
    const entries = Object.fromEntries(this.#since ?? []);
    await this.#options.recordFiles.replace(recordFile, Buffer.from(JSON.stringify(entries)));
  }
}
