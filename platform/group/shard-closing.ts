/**
 * Closes shards that this member has left for good, some time after: a view without it runs them,
 * with as many members as they need. What it has of them on disk stays there for now, as the log of
 * one that was away for long: should it get the shard again, what is common is not fetched anew
 * (left-logs.ts).
 *
 * Thread: event loop.
 */
import { type CancelTimer, type Clock, type Logger, messageOf } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { LogCare } from './log-care.ts';

export interface ShardClosingOptions {
  readonly care: LogCare;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isWanted: (shard: number) => boolean;
  /** It runs elsewhere with all that it needs. */
  readonly isHealthy: (shard: number) => boolean;
  /** Beside no step of a restart or a join. */
  readonly run: (work: () => Promise<void>) => void;
}

export class ShardClosing {
  readonly #options: ShardClosingOptions;
  #cancel: CancelTimer | null = null;
  #ended = false;

  constructor(options: ShardClosingOptions) {
    this.#options = options;
  }

  /** The view may be another one. */
  look(): void {
    if (this.#ended || this.#cancel !== null || this.#left().length === 0) return;
    this.#cancel = this.#options.clock.after(groupLimits.closeAfterMs, () => {
      this.#cancel = null;
      this.#options.run(() => this.#close());
    });
  }

  end(): void {
    this.#ended = true;
    this.#cancel?.();
  }

  #left(): readonly number[] {
    const { care, isWanted, isHealthy } = this.#options;
    return care.opened.filter((shard) => !isWanted(shard) && isHealthy(shard));
  }

  async #close(): Promise<void> {
    const { care, log } = this.#options;
    for (const shard of this.#left()) {
      try {
        await care.closeShard(shard);
        log.info({ shard }, 'a shard that this member left was closed');
      } catch (caught) {
        log.warn({ shard, error: messageOf(caught) }, 'a shard could not be closed');
      }
    }
  }
}
