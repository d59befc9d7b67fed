/**
 * Who is told what the native side delivers, by the number of the subscription.
 *
 * Thread: event loop.
 */
import type { SubscriptionHandler } from './core-types.ts';

interface Subscription {
  readonly shard: number;
  readonly onVersion: SubscriptionHandler;
  readonly onEnd: () => void;
}

export class CoreSubscriptions {
  readonly #open = new Map<number, Subscription>();
  #next = 1;

  add(shard: number, onVersion: SubscriptionHandler, onEnd: () => void): number {
    const id = this.#next++;
    this.#open.set(id, { shard, onVersion, onEnd });
    return id;
  }

  /** False: there is none of this number any more. */
  remove(id: number): boolean {
    return this.#open.delete(id);
  }

  find(id: number): SubscriptionHandler | undefined {
    return this.#open.get(id)?.onVersion;
  }

  /** Ends all of a shard; `endNative` is called for each. */
  end(shard: number, endNative: (id: number) => void): void {
    const ended = [...this.#open].filter(([, one]) => one.shard === shard);
    for (const [id, { onEnd }] of ended) {
      this.#open.delete(id);
      endNative(id);
      onEnd();
    }
  }

  clear(): void {
    this.#open.clear();
  }
}
