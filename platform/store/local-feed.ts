/**
 * The records of a shard that this member holds, in version order, as they come under the frontier.
 * The native side says which versions match; the records are read when they are asked for. What it
 * says ahead is bounded: when the reader is too far behind, the subscription ends and begins anew
 * where the reader is, from memory or (persistent) from disk.
 *
 * Thread: event loop.
 * Invariants
 *  1. Every matching version from `from` on is handed out once, in order, or next() rejects; one who
 *     `passesGaps` goes without what was pruned before anybody could tell whether it matches.
 *  2. What is handed out is of the history that has the version before it.
 *  3. At most `limits.watchEvents` versions wait here.
 */
import { FreshetError, isFreshetError, limits } from '../base/mod.ts';
import {
  acks,
  frontierColumns,
  frontierWidth,
  headColumns,
  readFloors,
  readPoints,
  recordKinds,
} from '../bridge/mod.ts';
import type { EventShare, MemberCore, PackedRecord, ShardLayout } from '../group/mod.ts';
import { readRecord, readRecords } from '../group/mod.ts';
import { toObjectRecord } from './object-record.ts';
import { readOne, readVersionBytes } from './read-one.ts';
import { readScanPage } from './scan-page.ts';
import type { FeedEvent, FeedOptions, ShardFeed } from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

type State = 'idle' | 'subscribing' | 'subscribed' | 'closed';

export interface LocalFeedRules {
  /** Resolves once what was acknowledged before the call is shown here. */
  readonly whenCurrent: () => Promise<void>;
  readonly passesGaps: boolean;
  /** Large values are those that others read too (`readOne`). */
  readonly shares: boolean;
}

export class LocalFeed implements ShardFeed {
  readonly #core: MemberCore;
  readonly #layout: ShardLayout;
  readonly #prefix: string;
  readonly #frontier: number;
  readonly #share: EventShare | null;
  readonly #whenCurrent: () => Promise<void>;
  readonly #passesGaps: boolean;
  readonly #shares: boolean;
  #fromNow: boolean;
  /** Versions that the native side named, not handed out yet. */
  #named: number[] = [];
  #next: number;
  /** The version handed out last, or before the first one; epoch 0: of any history. */
  #last: { readonly version: number; readonly epoch: number };
  /** What came after the named versions is no longer kept up to this one. */
  #gapTo: number | null = null;
  /** Read from disk, not handed out yet. */
  #behind: FeedEvent[] = [];
  /** A scan of what is not in memory, under way. */
  #catchUp: { from: number; to: number; resume: Uint8Array | null } | null = null;
  #subscribeFrom = 0;
  #state: State = 'idle';
  #subscription = 0;
  #averageBytes = 1024;
  #wake: (() => void) | null = null;
  #failure: FreshetError | null = null;

  constructor(
    core: MemberCore,
    layout: ShardLayout,
    options: FeedOptions,
    { whenCurrent, passesGaps, shares }: LocalFeedRules,
  ) {
    this.#whenCurrent = whenCurrent;
    this.#passesGaps = passesGaps;
    this.#shares = shares;
    this.#fromNow = options.from === null;
    this.#core = core;
    this.#layout = layout;
    this.#prefix = options.prefix;
    this.#share = options.share ?? null;
    const persisted = layout.persistent && options.frontier === 'persisted';
    this.#frontier = persisted ? acks.persisted : acks.delivered;
    this.#next = options.from ?? this.#newest() + 1;
    this.#last = { version: this.#next - 1, epoch: options.epochBefore ?? 0 };
  }

  get position(): number {
    return this.#next;
  }

  get epochBefore(): number {
    return this.#last.epoch;
  }

  /** From now on: behind everything that was acknowledged anywhere before. */
  async start(): Promise<void> {
    if (!this.#fromNow) {
      return;
    }
    try {
      await this.#whenCurrent();
    } catch (caught) {
      // While it stands still nothing is acknowledged: what is shown here has to do.
      const stands = isFreshetError(caught, 'SHARD_STOPPED') || isFreshetError(caught, 'TIMEOUT');
      if (!stands) throw caught;
    }
    this.#fromNow = false;
    this.#next = Math.max(this.#next, this.#newest() + 1);
    const version = this.#next - 1;
    this.#last = { version, epoch: this.#epochAt(version) };
  }

  async next(max: number): Promise<readonly FeedEvent[]> {
    for (;;) {
      if (this.#failure !== null) {
        throw this.#failure;
      }
      if (this.#state === 'closed') {
        throw new FreshetError('CLOSED', 'The watch was closed');
      }
      if (this.#behind.length > 0) {
        return this.#handOut(this.#behind.splice(0, max));
      }
      if (this.#catchUp !== null) {
        await this.#readBehind();
      } else if (this.#named.length > 0) {
        const events = await this.#readNamed(max);
        if (events.length > 0) {
          return this.#handOut(events);
        }
      } else if (this.#gapTo !== null) {
        this.#passGap(this.#gapTo);
      } else if (this.#state === 'idle') {
        await this.#subscribe();
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  close(): void {
    if (this.#state === 'subscribed' || this.#state === 'subscribing') {
      this.#core.unsubscribe(this.#layout.shard, this.#subscription);
    }
    this.#state = 'closed';
    this.#named = [];
    this.#behind = [];
    this.#awake();
  }

  #newest(): number {
    return newestShown(this.#core, this.#layout.shard, this.#frontier === acks.persisted);
  }

  #handOut(events: readonly FeedEvent[]): readonly FeedEvent[] {
    const last = events.at(-1)?.object;
    if (last !== undefined) {
      this.#next = Math.max(this.#next, last.version + 1);
      this.#last = { version: last.version, epoch: last.epoch };
    }
    return events;
  }

  async #subscribe(): Promise<void> {
    const { shard, persistent } = this.#layout;
    this.#state = 'subscribing';
    this.#next = Math.max(this.#next, this.#subscribeFrom);
    const { id, started } = this.#core.subscribe(
      shard,
      this.#prefix,
      this.#next,
      this.#frontier,
      this.#share,
      (_shard, epoch, version) => {
        if (epoch === 0) this.#onGap(version);
        else this.#onVersion(version);
      },
      () => {
        this.#onEnd();
      },
    );
    this.#subscription = id;
    const { status, bytes } = await started;
    if (this.#isClosed()) {
      return;
    }
    if (!this.#continues()) {
      if (status === 0) this.#core.unsubscribe(shard, id);
      await this.#lookAgain();
      return;
    }
    if (status === 0) {
      this.#state = 'subscribed';
      return;
    }
    this.#state = 'idle';
    if (this.#core.statusName(status) !== 'COMPACTED') {
      this.#failure = this.#core.error(status, `Watching shard ${String(shard)}`, { shard });
      return;
    }
    if (!persistent) {
      this.#failure = this.#compacted();
      return;
    }
    const to = scanFirst(bytes, newestShown(this.#core, shard, true));
    if (to < this.#next) {
      this.#failure = this.#compacted();
      return;
    }
    this.#catchUp = { from: this.#next, to, resume: null };
  }

  /** Whether the history here has the version before the next one. */
  #continues(): boolean {
    const { version, epoch } = this.#last;
    if (epoch === 0 || this.#epochAt(version) === epoch) return true;
    // What was pruned before it came here is not known, but of one epoch there is one history.
    return this.#epochAt(version + 1) === epoch;
  }

  /** It may be behind, or about to be filled; else it is of another history. */
  async #lookAgain(): Promise<void> {
    this.#named = [];
    this.#gapTo = null;
    await this.#whenCurrent();
    if (this.#isClosed()) return;
    this.#state = 'idle';
    if (!this.#continues()) this.#failure = this.#compacted();
  }

  #epochAt(version: number): number {
    return this.#core.addon.epochAt(this.#core.handle, this.#layout.shard, version);
  }

  #onEnd(): void {
    const { shard } = this.#layout;
    const text = `Shard ${String(shard)} is read anew from disk at this member`;
    this.#failure = new FreshetError('SHARD_STOPPED', text, { details: { shard } });
    this.#awake();
  }

  #onVersion(version: number): void {
    if (this.#isClosed() || version < this.#next) {
      return;
    }
    if (this.#named.length >= limits.watchEvents) {
      // Too far behind: what comes now is asked for again once the reader is there.
      this.#core.unsubscribe(this.#layout.shard, this.#subscription);
      this.#state = 'idle';
      return;
    }
    this.#named.push(version);
    this.#awake();
  }

  /** What may have matched before this version was pruned before it could be named. */
  #onGap(version: number): void {
    if (this.#isClosed()) return;
    if (!this.#passesGaps) this.#core.unsubscribe(this.#layout.shard, this.#subscription);
    this.#gapTo = version;
    this.#awake();
  }

  /** Nothing behind it tells whoever passes gaps that there was one. */
  #passGap(to: number): void {
    this.#gapTo = null;
    const isLast = to > this.#newest();
    if (isLast || !this.#passesGaps) this.#failure = this.#compacted();
  }

  /** Reads the next named versions from memory; those no longer there from disk. */
  async #readNamed(max: number): Promise<FeedEvent[]> {
    const { shard, persistent } = this.#layout;
    const fitting = Math.ceil(storeLimits.feedBatchBytes / this.#averageBytes);
    const count = Math.max(1, Math.min(max, storeLimits.feedBatchRecords, fitting));
    const versions = this.#named.splice(0, count);
    const bytes = this.#core.addon.getVersions(
      this.#core.handle,
      shard,
      Float64Array.from(versions),
      versions.length,
      storeLimits.sharedRecordBytes - 1,
    );
    this.#averageBytes = Math.max(64, bytes.byteLength / versions.length);
    const found = new Map<number, PackedRecord>();
    for (const record of readRecords(bytes)) {
      found.set(record.head.version, record);
    }
    for (const version of versions.filter((one) => !found.has(one))) {
      const large = readOne(this.#core, shard, version, this.#shares);
      if (large !== null) found.set(version, readRecord(large, 0));
    }
    const missing = versions.filter((version) => !found.has(version));
    if (missing.length > 0 && !persistent) {
      this.#failure = this.#compacted();
      return [];
    }
    for (const version of missing) {
      for (const record of await this.#readColdVersion(version)) {
        found.set(version, record);
      }
    }
    this.#next = Math.max(this.#next, (versions.at(-1) ?? 0) + 1);
    return this.#toEvents(versions.flatMap((version) => found.get(version) ?? []));
  }

  /** Who shares what is read gets long values too, which no scan brings. */
  async #toEvents(records: readonly PackedRecord[]): Promise<FeedEvent[]> {
    const events: FeedEvent[] = [];
    for (const record of records) {
      const isLeftOut = record.value === null && this.#shares;
      events.push(this.#toEvent(isLeftOut ? await this.#readLong(record) : record));
    }
    return events;
  }

  /** As it was, if it was pruned meanwhile. */
  async #readLong(record: PackedRecord): Promise<PackedRecord> {
    const { shard } = this.#layout;
    const { version } = record.head;
    const shared = readOne(this.#core, shard, version, true);
    const found = shared === null ? record : readRecord(shared, 0);
    if (found.value !== null) return found;
    try {
      const bytes = await readVersionBytes(this.#core, shard, version, 0, Infinity);
      return bytes === null ? record : readRecord(bytes, 0);
    } catch (caught) {
      if (isFreshetError(caught, 'COMPACTED')) return record;
      throw caught;
    }
  }

  async #readColdVersion(version: number): Promise<readonly PackedRecord[]> {
    const bytes = await this.#core.scan({
      ...this.#scanOptions(),
      fromVersion: version,
      toVersion: version,
    });
    return bytes === null ? [] : readScanPage(bytes).records;
  }

  /** One step of reading what the native side has no longer in memory. */
  async #readBehind(): Promise<void> {
    const step = this.#catchUp;
    if (step === null) {
      return;
    }
    const bytes = await this.#core.scan({
      ...this.#scanOptions(),
      fromVersion: step.from,
      toVersion: step.to,
      resume: step.resume,
    });
    const page = bytes === null ? null : readScanPage(bytes);
    this.#behind = await this.#toEvents(page?.records ?? []);
    step.resume = page?.resume ?? null;
    if (step.resume === null) {
      // The subscription goes on after it; what is in `behind` is handed out before.
      this.#catchUp = null;
      this.#subscribeFrom = step.to + 1;
    }
  }

  #scanOptions(): Parameters<MemberCore['scan']>[0] {
    return {
      shard: this.#layout.shard,
      kind: 'versions',
      prefix: this.#prefix,
      fromVersion: 0,
      toVersion: Infinity,
      floor: this.#frontier === acks.persisted ? readFloors.stable : readFloors.local,
      fromTime: -Infinity,
      toTime: Infinity,
      reverse: false,
      limit: Infinity,
      wantValues: true,
      wantRemoved: true,
      program: null,
      batchBytes: storeLimits.scanBatchBytes,
      resume: null,
    };
  }

  #toEvent(record: PackedRecord): FeedEvent {
    const { kind, version } = record.head;
    const { shard } = this.#layout;
    if (kind === recordKinds.trigger) {
      return { kind: 'trigger', object: toObjectRecord(record, null, true) };
    }
    this.#core.get(shard, record.key, readPoints.exactVersion, version, readFloors.local, false);
    const previous = this.#core.head[headColumns.previousVersionOfKey] as number;
    const object = toObjectRecord(record, previous > 0 ? previous : null, true);
    return { kind: object.removed ? 'remove' : 'put', object };
  }

  #compacted(): FreshetError {
    const { shard } = this.#layout;
    const message = `Version ${String(this.#next)} of shard ${String(shard)} is no longer kept`;
    return new FreshetError('COMPACTED', message, { details: { shard, version: this.#next } });
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

/** The newest version that a frontier shows at this member; 0: none. */
export function newestShown(core: MemberCore, shard: number, persisted: boolean): number {
  const frontiers = new Float64Array(frontierWidth);
  core.addon.frontiers(core.handle, shard, frontiers);
  const column = persisted ? frontierColumns.persistedVersion : frontierColumns.deliveredVersion;
  return frontiers[column] as number;
}

/** The version up to which a COMPACTED subscription wants a scan first. */
function scanFirst(bytes: Buffer | null, otherwise: number): number {
  if (bytes === null || bytes.byteLength === 0) {
    return otherwise;
  }
  const told: unknown = JSON.parse(bytes.toString('utf8'));
  const version =
    typeof told === 'object' && told !== null && 'version' in told ? told.version : told;
  return typeof version === 'number' ? version : otherwise;
}
