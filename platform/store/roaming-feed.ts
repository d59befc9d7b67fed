/**
 * The records of a shard in version order, wherever the shard runs: from this member, or through
 * another, and on from there when that changes.
 *
 * Thread: event loop.
 * Invariant: what was handed out is not handed out again, and nothing after it is left out; where
 * the shard goes on without it, or from anew, next() rejects COMPACTED.
 */
import { type Clock, FreshetError, toFreshetError } from '../base/mod.ts';
import type { RoamingShard } from './roaming-shard.ts';
import type { FeedEvent, FeedOptions, ShardAccess, ShardFeed } from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

/** The member that was asked has left the shard, is lost, or stands still. */
const goesOn: ReadonlySet<string> = new Set([
  'NOT_A_MEMBER',
  'UNREACHABLE',
  'SHARD_STOPPED',
  'TIMEOUT',
  'OVERLOADED',
]);

export class RoamingFeed implements ShardFeed {
  readonly #shard: RoamingShard;
  readonly #clock: Clock;
  readonly #options: FeedOptions;
  readonly #onClose: () => void;
  #source: ShardAccess;
  #feed: ShardFeed;
  /** Null: not known before it has started. */
  #position: number | null;
  #epochBefore: number;
  #isMoved = false;
  #isClosed = false;

  constructor(shard: RoamingShard, clock: Clock, options: FeedOptions, onClose: () => void) {
    this.#shard = shard;
    this.#clock = clock;
    this.#options = options;
    this.#onClose = onClose;
    this.#position = options.from;
    this.#epochBefore = options.epochBefore ?? 0;
    this.#source = shard.current;
    this.#feed = this.#source.feed(options);
  }

  get position(): number {
    return this.#position ?? this.#feed.position;
  }

  get epochBefore(): number {
    return this.#epochBefore;
  }

  /** The shard may run elsewhere now. */
  onView(): void {
    if (this.#isClosed || this.#isAt(this.#source)) return;
    this.#isMoved = true;
    // Whoever waits for the next record hears of it.
    this.#feed.close();
  }

  /** Rejects when the shard is not reached; once started, the feed waits for it. */
  async start(): Promise<void> {
    await this.#following(new Set(), async () => {
      await this.#feed.start();
      if (this.#position !== null) return;
      this.#position = this.#feed.position;
      this.#epochBefore = this.#feed.epochBefore;
    });
  }

  async next(max: number): Promise<readonly FeedEvent[]> {
    return this.#following(goesOn, async () => {
      const events = await this.#feed.next(max);
      const last = events.at(-1)?.object;
      this.#position = last === undefined ? this.#feed.position : last.version + 1;
      this.#epochBefore = last?.epoch ?? this.#feed.epochBefore;
      return events;
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#feed.close();
    this.#onClose();
  }

  /** `waitedOut`: codes of failures that pass. */
  async #following<Result>(
    waitedOut: ReadonlySet<string>,
    run: () => Promise<Result>,
  ): Promise<Result> {
    for (;;) {
      if (this.#isClosed) throw new FreshetError('CLOSED', 'The watch was closed');
      if (this.#isMoved) this.#open();
      try {
        return await run();
      } catch (caught) {
        if (this.#hasEnded()) throw caught;
        if (this.#hasMoved()) continue;
        const error = toFreshetError(caught);
        if (!waitedOut.has(error.code)) throw error;
        await this.#pause();
        this.#isMoved = true;
      }
    }
  }

  /** What was taken away is nowhere: whoever waits is told when it is opened. */
  #isAt(source: ShardAccess): boolean {
    try {
      return this.#shard.current === source;
    } catch {
      return false;
    }
  }

  /** Throws UNKNOWN_POOL: the shard was taken away. */
  #open(): void {
    this.#feed.close();
    this.#source = this.#shard.current;
    this.#isMoved = false;
    const place = { from: this.#position, epochBefore: this.#epochBefore };
    this.#feed = this.#source.feed({ ...this.#options, ...place });
  }

  /** Both may change while something is awaited. */
  #hasEnded(): boolean {
    return this.#isClosed;
  }

  #hasMoved(): boolean {
    return this.#isMoved;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(storeLimits.stoppedPauseMs, resolve);
    });
  }
}
