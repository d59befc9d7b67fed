/**
 * abcast of a channel: an ordered trigger of a shard, which takes a version and stores nothing. All
 * members deliver what the shard delivers, in its order.
 *
 * Thread: event loop.
 * Invariant: an abcast that was sent again because a view failed under it is delivered once.
 */
import { type Clock, FreshetError, joinKey, type Logger, toFreshetError } from '../base/mod.ts';
import type { MemberStore } from '../store/mod.ts';
import { decodeRecord, encodeRecord } from './call-record.ts';
import { replicatedLimits } from './replicated-limits.ts';
import { SeqSet } from './seq-set.ts';

export interface AbcastOptions {
  /** The channel's pool. */
  readonly name: string;
  readonly shard: number;
  readonly node: number;
  readonly run: string;
  readonly store: MemberStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onMessage: (from: number, version: number, bytes: Uint8Array) => void;
  /** Some were missed: this member was too slow, or away. */
  readonly onGap: () => void;
}

export class Abcast {
  readonly #options: AbcastOptions;
  readonly #seen = new Map<string, SeqSet>();
  /** Own ones that were not delivered here yet. */
  readonly #waiting = new Map<number, (version: number) => void>();
  #subscription: { close(): void } | null = null;
  #newest: number;
  #seq = 0;
  #closed = false;

  constructor(options: AbcastOptions) {
    this.#options = options;
    this.#newest = options.store.arrivals.newest(options.shard).version;
    this.#subscribe();
  }

  /** Version of the newest one that was delivered here, or before the channel was opened. */
  get newest(): number {
    return this.#newest;
  }

  /** Resolves with its version once it is delivered here. Rejects TIMEOUT: it may come later. */
  async send(bytes: Uint8Array, timeoutMs: number): Promise<number> {
    const { name, node, run, store, clock } = this.#options;
    const seq = ++this.#seq;
    const deadline = clock.monotonicMs() + timeoutMs;
    const delivered = new Promise<number>((resolve) => this.#waiting.set(seq, resolve));
    const key = joinKey(name, 'abcast');
    const value = encodeRecord(node, run, seq, bytes);
    try {
      for (;;) {
        const leftMs = Math.max(1, deadline - clock.monotonicMs());
        const put = store.objects.put({ key, value, store: false, timeoutMs: leftMs });
        try {
          return await Promise.race([delivered, put.then(() => delivered)]);
        } catch (caught) {
          const error = toFreshetError(caught);
          const isOver = clock.monotonicMs() + replicatedLimits.retryPauseMs >= deadline;
          if (!error.retryable || isOver || this.#closed) throw error;
          await new Promise<void>((resolve) => {
            clock.after(replicatedLimits.retryPauseMs, resolve);
          });
        }
      }
    } finally {
      this.#waiting.delete(seq);
    }
  }

  close(): void {
    this.#closed = true;
    this.#subscription?.close();
  }

  #subscribe(): void {
    const { name, shard, store, clock, log, onGap } = this.#options;
    const from = this.#newest + 1;
    this.#subscription = store.arrivals.subscribe(
      { shard, prefix: name, from, eager: true, share: null },
      (arrivals) => {
        for (const { version, bytes } of arrivals) this.#onArrival(version, bytes);
      },
      (error) => {
        if (this.#closed) return;
        // Until the shard is back there is nothing to follow, and nothing to tell.
        if (error.code !== 'NOT_A_MEMBER') {
          log.warn({ channel: name, error: error.toJSON() }, 'abcasts are followed anew');
        }
        if (error.code === 'COMPACTED') {
          this.#newest = store.arrivals.newest(shard).version;
          onGap();
        }
        clock.after(replicatedLimits.retryPauseMs, () => {
          if (!this.#closed) this.#subscribe();
        });
      },
    );
  }

  #onArrival(version: number, bytes: Uint8Array | null): void {
    if (bytes === null) {
      throw new FreshetError('INTERNAL', `The abcast of version ${String(version)} has no bytes`);
    }
    const [node, run, seq, message] = decodeRecord(bytes, 'abcast') as [
      number,
      string,
      number,
      Uint8Array,
    ];
    this.#newest = version;
    const seen = this.#seenOf(`${String(node)}/${run}`);
    if (!seen.has(seq)) {
      seen.add(seq);
      this.#options.onMessage(node, version, message);
    }
    if (node === this.#options.node && run === this.#options.run) {
      this.#waiting.get(seq)?.(version);
    }
  }

  #seenOf(sender: string): SeqSet {
    const seen = this.#seen.get(sender) ?? new SeqSet();
    this.#seen.delete(sender);
    this.#seen.set(sender, seen);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > replicatedLimits.abcastSenders && oldest !== undefined) {
      this.#seen.delete(oldest);
    }
    return seen;
  }
}
