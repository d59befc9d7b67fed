/**
 * The events of one shard, from now on, through any member of it: the connection that tells them
 * may be lost, and another takes over where the last event was.
 *
 * Thread: event loop.
 * Invariants
 *  1. Every matching version from `position` on is handed out once, in order, or next() rejects:
 *     COMPACTED where one may be left out; UNREACHABLE where others can go on.
 *  2. What a member may send ahead is bounded, in events and about in bytes.
 */
import { type FeedEvent, FreshetError, type ShardFeed } from '../../base/mod.ts';
import { recordKinds } from '../../bridge/mod.ts';
import type { DoorConnection, DoorWatch, OpenWatch } from './door-connection.ts';
import { watchFrontiers } from './door-frames.ts';
import type { FramedObject } from './frame-reader.ts';
import { toObjectRecord } from './read-call.ts';

export interface NativeFeedOptions {
  readonly shard: number;
  readonly prefix: string;
  /** Only what is on every disk. */
  readonly persisted: boolean;
  /** The native table. */
  readonly statusNames: readonly string[];
  /** Whom to ask next; `failed`: not that node, if there is another. Rejects: there is nobody. */
  readonly route: (failed: number | null) => Promise<DoorConnection>;
}

/** Events that may be sent ahead. */
const aheadMax = 1024;
const aheadMin = 4;
/** Before the size of events is known. */
const aheadFirst = 128;
const aheadBytes = 16 * 1024 * 1024;
/** Members that are tried in a row without an event of theirs. */
const triesMax = 8;

export class NativeFeed implements ShardFeed {
  readonly #options: NativeFeedOptions;
  #source: OpenWatch | null = null;
  #node: number | null = null;
  #queue: FeedEvent[] = [];
  /** null: not known yet. */
  #next: number | null = null;
  #epochBefore = 0;
  /** Of the newest that came, handed out or not: where another member goes on. */
  #told: { next: number; epoch: number } | null = null;
  #taken = 0;
  #allowed = 0;
  #averageBytes = aheadBytes / aheadFirst;
  #tries = 0;
  #failure: FreshetError | null = null;
  #isClosed = false;
  #wakes: (() => void)[] = [];

  constructor(options: NativeFeedOptions) {
    this.#options = options;
  }

  get position(): number {
    return this.#next ?? 0;
  }

  get epochBefore(): number {
    return this.#epochBefore;
  }

  async start(): Promise<void> {
    await this.#open();
    while (this.#next === null) await this.#wait();
  }

  async next(max: number): Promise<readonly FeedEvent[]> {
    while (this.#queue.length === 0) await this.#wait();
    const events = this.#queue.length <= max ? this.#queue : this.#queue.slice(0, max);
    this.#queue = events === this.#queue ? [] : this.#queue.slice(max);
    const last = events.at(-1);
    if (last !== undefined) {
      this.#next = last.object.version + 1;
      this.#epochBefore = last.object.epoch;
    }
    this.#taken += events.length;
    this.#renew();
    return events;
  }

  close(): void {
    this.#isClosed = true;
    this.#source?.close();
    this.#source = null;
    this.#awake();
  }

  /** Until something has come, or failed; throws what failed once nothing waits any more. */
  async #wait(): Promise<void> {
    if (this.#isClosed) throw new FreshetError('CLOSED', 'The watch was closed');
    if (this.#failure !== null) throw this.#failure;
    await new Promise<void>((resolve) => {
      this.#wakes.push(resolve);
    });
  }

  async #open(): Promise<void> {
    const { shard, prefix, persisted, route } = this.#options;
    const connection = await route(this.#node);
    if (this.#isClosed) return;
    this.#node = connection.nodeId;
    // What waits here is from the one before.
    this.#taken = -this.#queue.length;
    this.#allowed = this.#ahead();
    const frontier = persisted ? watchFrontiers.persisted : watchFrontiers.delivered;
    const from = this.#told?.next ?? NaN;
    const place = { from, epoch: this.#told?.epoch ?? 0 };
    const watch: DoorWatch = this.#watch(() => this.#source === source);
    const frame = { shard, prefix, frontier, ...place, credit: this.#allowed };
    const source = connection.watch(frame, watch);
    this.#source = source;
  }

  #watch(isCurrent: () => boolean): DoorWatch {
    return {
      onWatching: (version) => {
        if (!isCurrent()) return;
        this.#next ??= version;
        this.#told ??= { next: version, epoch: 0 };
        this.#awake();
      },
      onEvent: (kind, key, object, value) => {
        if (isCurrent()) this.#onEvent(kind, key, object, value);
      },
      onEnded: (status) => {
        if (isCurrent()) this.#onEnded(status);
      },
    };
  }

  #onEvent(kind: number, key: string, object: FramedObject, value: Uint8Array): void {
    const { version, epoch } = object;
    this.#tries = 0;
    if (epoch === 0) {
      this.#fail(this.#compacted());
      return;
    }
    this.#averageBytes += (value.byteLength + key.length - this.#averageBytes) / 16;
    this.#told = { next: version + 1, epoch };
    this.#queue.push(toEvent(kind, key, object, value));
    this.#awake();
  }

  /** Without a connection it goes on at another member, from where this one was. */
  #onEnded(status: number | null): void {
    this.#source = null;
    const { shard, statusNames } = this.#options;
    if (status !== null && statusNames[status] === 'COMPACTED') {
      this.#fail(this.#compacted());
      return;
    }
    const text = `The watch of shard ${String(shard)} ended at member ${String(this.#node)}`;
    const ended = new FreshetError('UNREACHABLE', text, { details: { shard, status } });
    this.#tries++;
    if (status !== null || this.#tries > triesMax) {
      this.#fail(ended);
      return;
    }
    this.#open().catch((caught: unknown) => {
      this.#fail(caught instanceof FreshetError ? caught : ended);
    });
  }

  /** A change may have been left out: pruned before it was told, or of another history. */
  #compacted(): FreshetError {
    const { shard } = this.#options;
    const version = this.#told?.next ?? 0;
    const message = `Version ${String(version)} of shard ${String(shard)} is no longer kept`;
    return new FreshetError('COMPACTED', message, { details: { shard, version } });
  }

  #fail(failure: FreshetError): void {
    this.#source?.close();
    this.#source = null;
    this.#failure ??= failure;
    this.#awake();
  }

  /** Half of what may be ahead was taken: as much is allowed again. */
  #renew(): void {
    const ahead = this.#ahead();
    if (this.#source === null || this.#allowed - this.#taken > ahead / 2) return;
    this.#allowed = this.#taken + ahead;
    this.#source.allow(this.#allowed);
  }

  #ahead(): number {
    const fitting = Math.floor(aheadBytes / Math.max(1, this.#averageBytes));
    return Math.max(aheadMin, Math.min(aheadMax, fitting));
  }

  #awake(): void {
    const wakes = this.#wakes;
    this.#wakes = [];
    for (const wake of wakes) wake();
  }
}

function toEvent(kind: number, key: string, framed: FramedObject, value: Uint8Array): FeedEvent {
  if (kind === recordKinds.trigger) {
    const object = toObjectRecord(key, { ...framed, previousVersionOfKey: 0 }, false, value);
    return { kind: 'trigger', object };
  }
  const removed = kind === recordKinds.remove;
  return {
    kind: removed ? 'remove' : 'put',
    object: toObjectRecord(key, framed, removed, value),
  };
}
