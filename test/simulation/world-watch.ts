/**
 * Watchers of all shards at every process. Of what is persisted each is told every version once, in
 * order. What is only delivered may be undone, a volatile shard may be begun anew, and it forgets:
 * then a watcher is told that it cannot go on, and watches from there on what there is.
 */
import { FreshetError, isFreshetError, messageOf } from '../../platform/base/mod.ts';
import type { ClusterShards } from '../../platform/store/cluster-shards.ts';
import type { FeedEvent, FeedOptions, ShardFeed } from '../../platform/store/shard-access.ts';
import type { WorldAddon } from './world-addon.ts';

/** As many records as one turn takes. */
const batch = 64;

/** Before a watch that was ended is begun again. */
const pauseMs = 20;

export interface Watcher {
  readonly node: number;
  readonly shard: number;
  readonly frontier: FeedOptions['frontier'];
}

/** What a watcher was told last; epoch 0: nothing since it began. */
interface Told {
  readonly version: number;
  readonly epoch: number;
}

export interface HistoriesOptions {
  readonly addon: Pick<WorldAddon, 'newestOf' | 'epochOf'>;
  /** A canary leaves out one event of so many. */
  readonly skipsEvery: number;
  /** Volatile shards do: a watcher may be too slow for them. */
  readonly forgets: boolean;
  /** False: a canary does not say that a watcher was told that it cannot go on. */
  readonly tellsGaps: boolean;
}

/** What watchers of the whole cluster were told. */
export class WatchedHistories {
  readonly #options: HistoriesOptions;
  readonly #records = new Map<string, string>();
  readonly #told = new Map<string, Told>();
  #skips: number;

  constructor(options: HistoriesOptions) {
    this.#options = options;
    this.#skips = options.skipsEvery;
  }

  /** What is wrong with what a watcher is told next; null: nothing. */
  take(watcher: Watcher, event: FeedEvent): string | null {
    const { version, epoch, time, key, meta } = event.object;
    const { shard } = watcher;
    const where = placeOf(watcher, version);
    if (--this.#skips === 0) return null;
    const last = this.#lastOf(watcher);
    if (version !== last.version + 1) return `${where}: ${String(last.version + 1)} is due`;
    this.#told.set(nameOf(watcher), { version, epoch });
    const { epochOf } = this.#options.addon;
    const isCurrent = epochOf(shard, version) === epoch;
    const isOther = last.epoch > 0 && epochOf(shard, last.version) !== last.epoch;
    if (isCurrent && isOther) return `${where}: of another history than what came before`;
    const place = `${String(shard)}/${String(epoch)}/${String(version)}`;
    const mark = JSON.stringify([time, key, meta]);
    const known = this.#records.get(place);
    this.#records.set(place, known ?? mark);
    return known === undefined || known === mark ? null : `${where}: another record than before`;
  }

  /** A process begins: it watches from the first version on. */
  begin(watcher: Watcher): void {
    this.#told.set(nameOf(watcher), { version: 0, epoch: 0 });
  }

  /** It could not go on, and is told every version behind this one. */
  beginAgain(watcher: Watcher, version: number): void {
    if (this.#options.tellsGaps) this.#told.set(nameOf(watcher), { version, epoch: 0 });
  }

  /** A watcher was told that it cannot go on; what is wrong with that. */
  end(watcher: Watcher, isForgotten: boolean): string | null {
    const { version, epoch } = this.#lastOf(watcher);
    const { addon, forgets } = this.#options;
    const isUndone = epoch === 0 || addon.epochOf(watcher.shard, version) !== epoch;
    if (isUndone || (forgets && isForgotten)) return null;
    return `${placeOf(watcher, version)}: ended, but it is there`;
  }

  /** At rest: everything that is there was told to everyone. */
  missing(watcher: Watcher): string | null {
    const { version, epoch } = this.#lastOf(watcher);
    const { addon } = this.#options;
    const due = addon.newestOf(watcher.shard);
    const isSame = epoch === 0 || epoch === addon.epochOf(watcher.shard, version);
    const what = `was told last, ${String(due)} is the newest`;
    return version === due && isSame ? null : `${placeOf(watcher, version)} ${what}`;
  }

  #lastOf(watcher: Watcher): Told {
    return this.#told.get(nameOf(watcher)) ?? { version: 0, epoch: 0 };
  }
}

function nameOf({ node, shard }: Watcher): string {
  return `${String(node)}/${String(shard)}`;
}

function placeOf({ node, shard }: Watcher, version: number): string {
  return `shard ${String(shard)}, version ${String(version)} watched at node ${String(node)}`;
}

export interface WatchOptions {
  readonly shards: ClusterShards;
  readonly histories: WatchedHistories;
  readonly watcher: Watcher;
  readonly isVolatile: boolean;
  readonly isAlive: () => boolean;
  readonly after: (delayMs: number, run: () => void) => void;
  /** Takes what is wrong. */
  readonly tell: (text: string) => void;
}

/** Until its process ends: from the first version on; once it was ended, from what there is. */
export async function watchShard(options: WatchOptions): Promise<void> {
  const { shards, histories, watcher, isVolatile, isAlive, tell } = options;
  const { shard, frontier } = watcher;
  histories.begin(watcher);
  let feed: ShardFeed | null = shards(shard).feed({ prefix: '', from: 1, frontier });
  while (feed !== null) {
    const caught = await follow(feed, options);
    feed.close();
    if (!isAlive() || isFreshetError(caught, 'CLOSED')) return;
    if (isFreshetError(caught, 'LOG_CORRUPT')) {
      feed = await fromThere(feed, options);
      continue;
    }
    const mayEnd = isVolatile || frontier === 'delivered';
    const isEnded = mayEnd && isFreshetError(caught, 'COMPACTED');
    const wrong = isEnded
      ? histories.end(watcher, isVolatile)
      : `watching shard ${String(shard)} ended: ${messageOf(caught)}`;
    if (wrong !== null) tell(wrong);
    feed = await fromNow(options);
  }
}

/** Returns with what ended it. */
async function follow(feed: ShardFeed, options: WatchOptions): Promise<unknown> {
  const { histories, watcher, isAlive, tell } = options;
  try {
    while (isAlive()) {
      for (const event of await feed.next(batch)) {
        const wrong = isAlive() ? histories.take(watcher, event) : null;
        if (wrong !== null) tell(wrong);
      }
    }
    return new FreshetError('CLOSED', 'The process has ended');
  } catch (caught) {
    return caught;
  }
}

/**
 * A log is damaged, and those who have a good copy are away: no version is left out once they are
 * back.
 */
async function fromThere(ended: ShardFeed, options: WatchOptions): Promise<ShardFeed> {
  const { shards, watcher, after } = options;
  const { shard, frontier } = watcher;
  const { position: from, epochBefore } = ended;
  await pause(after);
  return shards(shard).feed({ prefix: '', from, epochBefore, frontier });
}

/** Null: the process has ended. */
async function fromNow(options: WatchOptions): Promise<ShardFeed | null> {
  const { shards, histories, watcher, isAlive, after } = options;
  const { shard, frontier } = watcher;
  while (isAlive()) {
    const feed = shards(shard).feed({ prefix: '', from: null, frontier });
    try {
      await feed.start();
      histories.beginAgain(watcher, feed.position - 1);
      return feed;
    } catch {
      feed.close();
      await pause(after);
    }
  }
  return null;
}

function pause(after: WatchOptions['after']): Promise<void> {
  return new Promise((resolve) => {
    after(pauseMs, resolve);
  });
}
