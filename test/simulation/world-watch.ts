/** Watchers of persistent shards at every process: each is told every version once, in order. */
import { FreshetError, messageOf } from '../../platform/base/mod.ts';
import type { ClusterShards } from '../../platform/store/cluster-shards.ts';
import type { FeedEvent } from '../../platform/store/shard-access.ts';

/** As many records as one turn takes. */
const batch = 64;

/** What watchers of the whole cluster were told. What is persisted is never undone. */
export class WatchedHistories {
  readonly #told = new Map<string, string>();
  readonly #newest = new Map<number, number>();
  readonly #ends = new Map<string, number>();
  #skips: number;

  /** `skipsEvery`: a canary leaves out one event of so many. */
  constructor(skipsEvery = Infinity) {
    this.#skips = skipsEvery;
  }

  /** What is wrong with what a watcher is told next; null: nothing. */
  take(node: number, shard: number, event: FeedEvent): string | null {
    const { version, epoch, time, key, meta } = event.object;
    const watcher = `${String(node)}/${String(shard)}`;
    const where = `shard ${String(shard)}, version ${String(version)} watched at node ${String(node)}`;
    if (--this.#skips === 0) return null;
    const expected = (this.#ends.get(watcher) ?? 0) + 1;
    if (version !== expected) return `${where}: ${String(expected)} is due`;
    this.#ends.set(watcher, version);
    this.#newest.set(shard, Math.max(version, this.#newest.get(shard) ?? 0));
    const place = `${String(shard)}/${String(version)}`;
    const mark = JSON.stringify([epoch, time, key, meta]);
    const known = this.#told.get(place);
    this.#told.set(place, known ?? mark);
    return known === undefined || known === mark ? null : `${where}: another record than before`;
  }

  /** A process begins: it watches from the first version on. */
  begin(node: number, shard: number): void {
    this.#ends.set(`${String(node)}/${String(shard)}`, 0);
  }

  /** At rest: everything that is there was told to everyone. */
  missing(node: number, shard: number, persisted: number): string | null {
    const end = this.#ends.get(`${String(node)}/${String(shard)}`) ?? 0;
    const due = Math.max(persisted, this.#newest.get(shard) ?? 0);
    return end === due
      ? null
      : `shard ${String(shard)}: node ${String(node)} was told up to version ${String(end)} of ${String(due)}`;
  }
}

export interface WatchOptions {
  readonly shards: ClusterShards;
  readonly histories: WatchedHistories;
  readonly node: number;
  readonly shard: number;
  readonly isAlive: () => boolean;
  /** Takes what is wrong. */
  readonly tell: (text: string) => void;
}

/** Until its process ends. */
export async function watchShard(options: WatchOptions): Promise<void> {
  const { shards, histories, node, shard, isAlive, tell } = options;
  histories.begin(node, shard);
  const feed = shards(shard).feed({ prefix: '', from: 1, frontier: 'persisted' });
  try {
    while (isAlive()) {
      for (const event of await feed.next(batch)) {
        const wrong = isAlive() ? histories.take(node, shard, event) : null;
        if (wrong !== null) tell(wrong);
      }
    }
  } catch (caught) {
    const isEnd = caught instanceof FreshetError && caught.code === 'CLOSED';
    if (isAlive() && !isEnd) tell(`watching shard ${String(shard)} ended: ${messageOf(caught)}`);
  }
}
