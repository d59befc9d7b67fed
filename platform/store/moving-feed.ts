/**
 * A feed that goes on elsewhere when this member no longer runs the shard, and here again when it
 * does: each time from the version after the last one handed out.
 *
 * Thread: event loop.
 */
import { FreshetError } from '../base/mod.ts';
import type { Group } from '../group/mod.ts';
import type { FeedEvent, FeedOptions, ShardFeed } from './shard-access.ts';

export class MovingFeed implements ShardFeed {
  readonly #open: (from: number | null) => ShardFeed;
  readonly #isElsewhere: () => boolean;
  readonly #views: ReturnType<Group['watchView']>;
  #feed: ShardFeed;
  #wasElsewhere: boolean;
  #started: boolean;
  #closed = false;

  /** `open` opens one where the shard is answered now, which `isElsewhere` tells apart. */
  constructor(
    options: FeedOptions,
    open: (from: number | null) => ShardFeed,
    isElsewhere: () => boolean,
    group: Group,
  ) {
    this.#open = open;
    this.#isElsewhere = isElsewhere;
    this.#started = options.from !== null;
    this.#wasElsewhere = isElsewhere();
    this.#feed = open(options.from);
    this.#views = group.watchView();
    void this.#follow();
  }

  get position(): number {
    return this.#feed.position;
  }

  async start(): Promise<void> {
    await this.#feed.start();
    this.#started = true;
  }

  async next(max: number): Promise<readonly FeedEvent[]> {
    for (;;) {
      const feed = this.#feed;
      try {
        const events = await feed.next(max);
        this.#started = true;
        return events;
      } catch (caught) {
        // Closed under the reader, to go on with another one.
        if (this.#closed || feed === this.#feed) throw caught;
      }
    }
  }

  close(): void {
    this.#closed = true;
    void this.#views.return();
    this.#feed.close();
  }

  async #follow(): Promise<void> {
    for await (const view of this.#views) {
      if (view.number > 0 && !this.#closed) this.#move();
    }
  }

  #move(): void {
    const isElsewhere = this.#isElsewhere();
    if (isElsewhere === this.#wasElsewhere) return;
    this.#wasElsewhere = isElsewhere;
    const before = this.#feed;
    try {
      this.#feed = this.#open(this.#started ? before.position : null);
    } catch (caught) {
      if (!(caught instanceof FreshetError)) throw caught;
      return;
    }
    before.close();
  }
}
