/**
 * What a member does whose disk failed. It goes from its view, so that nobody waits for it; then,
 * again and again with longer pauses, it reads the logs that failed anew and writes a file. Once
 * all of that succeeds it may be let in again, and the others give it what it lacks.
 *
 * Thread: event loop.
 */
import { type CancelTimer, type Clock, FreshetError, type Logger, messageOf } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { RecordFiles } from './record-files.ts';

export interface DiskRecoveryOptions {
  readonly recordFiles: RecordFiles;
  readonly clock: Clock;
  readonly log: Logger;
  /** Shards with a log that are open here. */
  readonly logs: () => readonly number[];
  /** Reads the log of one anew, if it failed. */
  readonly reopen: (shard: number) => Promise<void>;
  readonly isDiskFull: () => boolean;
  /** Between two steps of the group. */
  readonly run: (work: () => Promise<void>) => void;
  /** All of it can be written again. */
  readonly onWell: () => void;
}

/** Nobody reads it: that it is written and synced is what is asked. */
const probeFile = 'disk-probe';
const probeBytes = 4096;

export class DiskRecovery {
  readonly #options: DiskRecoveryOptions;
  #pauseMs = groupLimits.diskRetryMs;
  #wellAtMs = -Infinity;
  /** How often the disk failed: what was found before says nothing of the next failure. */
  #failures = 0;
  #isTrying = false;
  #cancel: CancelTimer | null = null;
  #ended = false;

  constructor(options: DiskRecoveryOptions) {
    this.#options = options;
  }

  /** The disk failed. One that was well for a moment alone is waited for longer than before. */
  begin(): void {
    const { clock } = this.#options;
    this.#failures++;
    if (this.#isTrying || this.#cancel !== null) return;
    const wellMs = clock.monotonicMs() - this.#wellAtMs;
    if (wellMs >= groupLimits.diskRetryMsMax) this.#pauseMs = groupLimits.diskRetryMs;
    this.#tryLater();
  }

  end(): void {
    this.#ended = true;
    this.#cancel?.();
  }

  #tryLater(): void {
    if (this.#ended) return;
    this.#cancel = this.#options.clock.after(this.#pauseMs, () => {
      this.#cancel = null;
      this.#options.run(() => this.#try());
    });
    this.#pauseMs = Math.min(2 * this.#pauseMs, groupLimits.diskRetryMsMax);
  }

  async #try(): Promise<void> {
    const { clock, log, onWell } = this.#options;
    const failures = this.#failures;
    this.#isTrying = true;
    try {
      await this.#writeAgain();
      if (failures !== this.#failures) throw new FreshetError('DISK_FAILED', 'It failed meanwhile');
    } catch (caught) {
      this.#isTrying = false;
      if (this.#ended) return;
      log.warn({ error: messageOf(caught), nextMs: this.#pauseMs }, 'the disk still fails');
      this.#tryLater();
      return;
    }
    this.#isTrying = false;
    this.#wellAtMs = clock.monotonicMs();
    log.info('the disk can be written again');
    onWell();
  }

  async #writeAgain(): Promise<void> {
    const { logs, reopen, recordFiles, isDiskFull } = this.#options;
    if (isDiskFull()) throw new FreshetError('DISK_FULL', 'The disk has no room');
    await recordFiles.replace(probeFile, new Uint8Array(probeBytes));
    for (const shard of logs()) await reopen(shard);
  }
}
