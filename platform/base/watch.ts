/**
 * Changes of several shards as one stream. Each shard is read ahead by one bounded step; the stream
 * takes from the shards in turn. Order holds within a shard.
 *
 * Thread: event loop.
 * Invariants
 *  1. A token names, for every shard, the last event that was handed out with or before it.
 *  2. At most one step of each shard waits to be handed out.
 */
import { FreshetError, toFreshetError } from './errors.ts';
import { limits } from './limits.ts';
import type { WatchEvent } from './object.ts';
import { encodeToken, type Position } from './resume-token.ts';
import type { FeedEvent, ShardFeed } from './shard-feed.ts';

interface Source {
  readonly shard: number;
  readonly feed: ShardFeed;
  ready: FeedEvent[];
  asking: boolean;
}

export interface MergeOptions {
  readonly feeds: ReadonlyMap<number, ShardFeed>;
  /** Where each shard starts; shards without one are not in the token until an event came. */
  readonly positions: ReadonlyMap<number, Position>;
  /** Which keys are wanted, beyond the prefix. */
  readonly wants: (key: string) => boolean;
  readonly signal: AbortSignal | null;
}

export class Watch implements AsyncIterableIterator<WatchEvent> {
  readonly #sources: Source[];
  readonly #positions: Map<number, Position>;
  readonly #wants: (key: string) => boolean;
  readonly #signal: AbortSignal | null;
  readonly #onAbort = (): void => {
    this.#fail(new FreshetError('CANCELLED', 'The watch was given up'));
  };
  #turn = 0;
  #failure: FreshetError | null = null;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(options: MergeOptions) {
    this.#sources = [...options.feeds].map(([shard, feed]) => ({
      shard,
      feed,
      ready: [],
      asking: false,
    }));
    this.#positions = new Map(options.positions);
    this.#wants = options.wants;
    this.#signal = options.signal;
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal?.aborted === true) {
      this.#onAbort();
    }
  }

  /** Where to resume after the events handed out so far. */
  get token(): string {
    return encodeToken(this.#positions);
  }

  async next(): Promise<IteratorResult<WatchEvent, undefined>> {
    for (;;) {
      if (this.#closed) {
        return { value: undefined, done: true };
      }
      const event = this.#takeReady();
      if (event !== null) {
        return { value: event, done: false };
      }
      if (this.#failure !== null) {
        this.#end();
        throw this.#failure;
      }
      for (const source of this.#sources) {
        this.#ask(source);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #takeReady(): WatchEvent | null {
    for (let tried = 0; tried < this.#sources.length; tried++) {
      const source = this.#sources[this.#turn] as Source;
      this.#turn = (this.#turn + 1) % this.#sources.length;
      for (let event = source.ready.shift(); event !== undefined; event = source.ready.shift()) {
        const { kind, object } = event;
        this.#positions.set(source.shard, { epoch: object.epoch, version: object.version });
        if (this.#wants(object.key)) {
          return { kind, object, token: this.token };
        }
      }
    }
    return null;
  }

  #ask(source: Source): void {
    if (source.asking || source.ready.length > 0) {
      return;
    }
    source.asking = true;
    source.feed.next(limits.watchStepEvents).then(
      (events) => {
        source.asking = false;
        source.ready = [...events];
        this.#awake();
      },
      (caught: unknown) => {
        source.asking = false;
        this.#fail(toFreshetError(caught));
      },
    );
  }

  #fail(failure: FreshetError): void {
    this.#failure ??= failure;
    this.#awake();
  }

  #end(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    for (const { feed } of this.#sources) {
      feed.close();
    }
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
