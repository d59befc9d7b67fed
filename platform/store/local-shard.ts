/**
 * One shard that this member holds: changes, point reads, scans and feeds on its native side.
 *
 * Thread: event loop.
 * Invariants
 *  1. `stable` and `linearizable` reads of a persistent shard show persisted versions only.
 *  2. A linearizable read begins after everything received here when it was called is shown.
 */
import {
  type Clock,
  FreshetError,
  limits,
  type ObjectRecord,
  type PutOutcome,
  type PutResult,
  type ReadLevel,
  type ShardFrontier,
} from '../base/mod.ts';
import {
  frontierColumns,
  frontierWidth,
  headColumns,
  readFloors,
  readPoints,
} from '../bridge/mod.ts';
import {
  type Group,
  type MemberCore,
  type PackedRecord,
  readRecord,
  type ShardLayout,
} from '../group/mod.ts';
import { CurrentStore, leftError } from './current-store.ts';
import { LocalChanges } from './local-changes.ts';
import { LocalFeed } from './local-feed.ts';
import { toObjectRecord } from './object-record.ts';
import { readOne, readVersionBytes } from './read-one.ts';
import { Glances } from './glances.ts';
import { lookAgain } from './look-again.ts';
import { readScanPage } from './scan-page.ts';
import {
  type FeedOptions,
  type MadeChange,
  plainScan,
  type ScanPage,
  type ShardAccess,
  type ShardCallLimits,
  type ShardChange,
  type ShardFeed,
  type ShardRead,
  type ShardScan,
  type VersionPlace,
} from './shard-access.ts';
import { storeLimits } from './store-limits.ts';

/** Where a version was found: the native head, copied out. */
interface Head {
  readonly version: number;
  readonly previousVersionOfKey: number | null;
  readonly size: number;
  readonly removed: boolean;
  readonly cold: {
    readonly segment: number;
    readonly offset: number;
    readonly length: number;
  } | null;
}

export class LocalShard implements ShardAccess {
  readonly shard: number;
  readonly #layout: ShardLayout;
  readonly #core: MemberCore;
  readonly #group: Group;
  readonly #changes: LocalChanges;
  readonly #current: CurrentStore;
  readonly #glances: Glances;

  constructor(layout: ShardLayout, core: MemberCore, group: Group, clock: Clock) {
    this.shard = layout.shard;
    this.#layout = layout;
    this.#core = core;
    this.#group = group;
    const previousOf = (key: string, version: number): number | null =>
      this.#headPrevious(key, version);
    this.#changes = new LocalChanges(layout.shard, { core, group, clock, previousOf });
    this.#current = new CurrentStore(layout, core, group, clock);
    this.#glances = new Glances(core);
  }

  put(change: ShardChange, call: ShardCallLimits): Promise<PutResult> {
    return this.#changes.make(change, call);
  }

  putMany(changes: readonly ShardChange[], call: ShardCallLimits): Promise<readonly PutOutcome[]> {
    return this.#changes.makeMany(changes, call);
  }

  begin(changes: readonly MadeChange[]): boolean {
    this.#changes.begin(changes);
    return true;
  }

  glance(key: string, read: ReadLevel): ObjectRecord | null {
    return read === 'stable' ? null : this.#glances.newest(this.shard, key, read !== 'local');
  }

  async read(read: ShardRead, call: ShardCallLimits): Promise<ObjectRecord | null> {
    return lookAgain(read, () => this.#current.look(read.read, call, () => this.#readNow(read)));
  }

  async #readNow(read: ShardRead): Promise<ObjectRecord | null> {
    const head = this.#find(read);
    if (head === null) {
      return null;
    }
    const { key, wantValue, shared = false, maxBytes = Infinity } = read;
    const bytes = Math.max(head.size, head.cold?.length ?? 0);
    const isLeftOut = bytes > maxBytes;
    const large = isLeftOut || (!wantValue && bytes > storeLimits.statCopyBytes);
    let record = large
      ? await this.#readWithoutValue(key, head.version)
      : await this.#readVersion(key, head, shared);
    // On disk the length of its whole record is known first.
    if (isLeftOut && wantValue && record !== null && record.size <= maxBytes) {
      record = await this.#readVersion(key, head, shared);
    }
    if (record === null) {
      return null;
    }
    return toObjectRecord(record, head.previousVersionOfKey, wantValue);
  }

  async readPart(place: VersionPlace, from: number): Promise<Uint8Array> {
    const bytes = await this.#readBytes(place, from, storeLimits.longPartBytes);
    return bytes ?? new Uint8Array();
  }

  async checkVersion(place: VersionPlace): Promise<void> {
    await this.#readBytes(place, 0, Infinity);
  }

  async #readBytes(
    { version, epoch }: VersionPlace,
    from: number,
    bytesMax: number,
  ): Promise<Buffer | null> {
    const { shard } = this;
    if (this.#core.addon.epochAt(this.#core.handle, shard, version) !== epoch) {
      const text = `Version ${String(version)} of epoch ${String(epoch)} is not here`;
      throw new FreshetError('NOT_A_MEMBER', text, { details: { shard } });
    }
    return readVersionBytes(this.#core, shard, version, from, bytesMax);
  }

  async scan(scan: ShardScan, resume: Uint8Array | null, call: ShardCallLimits): Promise<ScanPage> {
    const batchBytes = storeLimits.scanBatchBytes;
    const { withPrevious, read, ...asked } = scan;
    const floor = this.#floorOf(read);
    const request = { ...asked, floor, shard: this.shard, batchBytes, resume };
    const bytes = await this.#current.look(read, call, () => this.#core.scan(request));
    if (bytes === null) {
      return { records: [], previous: [], resume: null };
    }
    const page = readScanPage(bytes);
    const previous = withPrevious
      ? page.records.map(({ key, head }) => this.#headPrevious(key, head.version))
      : [];
    return { ...page, previous };
  }

  async history(
    key: string,
    from: number,
    to: number,
    limit: number,
    call: ShardCallLimits,
  ): Promise<readonly ObjectRecord[]> {
    return this.#current.look('linearizable', call, () => this.#historyNow(key, from, to, limit));
  }

  async #historyNow(
    key: string,
    from: number,
    to: number,
    limit: number,
  ): Promise<readonly ObjectRecord[]> {
    const found: ObjectRecord[] = [];
    let next: number | null = to;
    while (next !== null && next >= from && found.length < limit) {
      const point = { key, version: next, exact: false, at: null, wantValue: false } as const;
      const record = await this.#readKept({ ...point, read: 'linearizable' });
      if (record === null || record.version < from) {
        break;
      }
      found.push(record);
      next = record.previousVersionOfKey;
    }
    return found;
  }

  feed(options: FeedOptions): ShardFeed {
    const call = { timeoutMs: storeLimits.feedStartMs, signal: null };
    const whenCurrent = (): Promise<void> => this.#current.wait(call);
    return new LocalFeed(this.#core, this.#layout, options, {
      whenCurrent,
      passesGaps: false,
      shares: false,
    });
  }

  async frontier(read: ReadLevel, call: ShardCallLimits): Promise<ShardFrontier> {
    return this.#current.look(read, call, () => this.#frontierNow());
  }

  #frontierNow(): ShardFrontier {
    const columns = new Float64Array(frontierWidth);
    const status = this.#core.addon.frontiers(this.#core.handle, this.shard, columns);
    const what = 'The look for the newest version';
    if (this.#core.statusName(status) !== 'OK') throw this.#refused(status, what);
    const epoch = columns[frontierColumns.epoch] as number;
    // Of what it holds nobody knows yet what stays.
    if (epoch === 0) throw this.#group.stoppedError(this.shard, `${what} was refused`);
    const delivered = columns[frontierColumns.deliveredVersion] as number;
    const persisted = columns[frontierColumns.persistedVersion] as number;
    return {
      shard: this.shard,
      epoch,
      delivered,
      stable: this.#layout.persistent ? persisted : delivered,
      persisted: this.#layout.persistent ? persisted : 0,
    };
  }

  epochOf(version: number): Promise<number | null> {
    const bytes = readOne(this.#core, this.shard, version, false);
    return bytes === null
      ? this.#epochOnDisk(version)
      : Promise.resolve(readRecord(bytes, 0).head.epoch);
  }

  async versionAtTime(time: number, read: ReadLevel, call: ShardCallLimits): Promise<number> {
    const { addon, handle } = this.#core;
    const look = (): number => {
      const found = addon.versionAtTime(handle, this.shard, time);
      if (found < 0) throw this.#refused(-found, 'The look for the version at a time');
      return found;
    };
    return read === 'linearizable' ? this.#current.look(read, call, look) : look();
  }

  async #epochOnDisk(version: number): Promise<number | null> {
    const record = await this.#scanVersion('', version, false);
    return record?.head.epoch ?? null;
  }

  /** A version that was pruned ends a history; it is no failure. */
  async #readKept(read: ShardRead): Promise<ObjectRecord | null> {
    try {
      return await this.#readNow(read);
    } catch (caught) {
      if (caught instanceof FreshetError && caught.code === 'COMPACTED') {
        return null;
      }
      throw caught;
    }
  }

  #floorOf(read: ReadLevel): number {
    const stable = read === 'stable' || (read === 'linearizable' && this.#layout.persistent);
    return stable ? readFloors.stable : readFloors.local;
  }

  #find(read: ShardRead): Head | null {
    const { key, version, exact, at } = read;
    const byVersion = exact ? readPoints.exactVersion : readPoints.atVersion;
    const byTime = at === null ? readPoints.newest : readPoints.atTime;
    const point = version === null ? byTime : byVersion;
    this.#core.get(this.shard, key, point, version ?? at ?? 0, this.#floorOf(read.read), false);
    const { head } = this.#core;
    const status = head[headColumns.status] as number;
    const name = this.#core.statusName(status);
    if (name === 'NOT_FOUND') {
      return null;
    }
    if (name !== 'OK' && name !== 'COLD')
      throw this.#refused(status, `The read of ${key}`, { key });
    const previous = head[headColumns.previousVersionOfKey] as number;
    return {
      version: head[headColumns.version] as number,
      previousVersionOfKey: previous > 0 ? previous : null,
      size: head[headColumns.size] as number,
      removed: head[headColumns.removed] === 1,
      cold:
        name === 'OK'
          ? null
          : {
              segment: head[headColumns.coldSegment] as number,
              offset: head[headColumns.coldOffset] as number,
              length: head[headColumns.coldLength] as number,
            },
    };
  }

  /** A read that the store did not do. */
  #refused(status: number, what: string, details: { readonly key?: string } = {}): FreshetError {
    if (this.#core.statusName(status) !== 'NOT_A_MEMBER') {
      return this.#core.error(status, what, { ...details, shard: this.shard });
    }
    if (!this.#group.isHere(this.shard)) return leftError(this.shard);
    // It is held here, but was found damaged and is not open yet.
    return this.#group.stoppedError(this.shard, `${what} was refused`);
  }

  async #readVersion(key: string, head: Head, shared: boolean): Promise<PackedRecord | null> {
    if (head.size > limits.valueBytesWhole && !shared) return this.#readLong(head.version);
    if (head.cold !== null) {
      const { segment, offset, length } = head.cold;
      const bytes = await this.#core.readCold(this.shard, segment, offset, length);
      return bytes === null ? null : readRecord(bytes, 0);
    }
    const bytes = readOne(this.#core, this.shard, head.version, shared);
    // It may have gone to disk between the two calls.
    const found =
      bytes === null ? await this.#scanVersion(key, head.version, true) : readRecord(bytes, 0);
    return found?.value === null ? this.#readLong(head.version) : found;
  }

  async #readLong(version: number): Promise<PackedRecord | null> {
    const bytes = await readVersionBytes(this.#core, this.shard, version, 0, Infinity);
    return bytes === null ? null : readRecord(bytes, 0);
  }

  #readWithoutValue(key: string, version: number): Promise<PackedRecord | null> {
    return this.#scanVersion(key, version, false);
  }

  async #scanVersion(
    prefix: string,
    version: number,
    wantValues: boolean,
  ): Promise<PackedRecord | null> {
    const page = await this.scan(
      {
        ...plainScan,
        kind: 'versions',
        prefix,
        fromVersion: version,
        toVersion: version,
        read: 'local',
        limit: 1,
        wantValues,
        wantRemoved: true,
      },
      null,
      { timeoutMs: 0, signal: null },
    );
    return page.records[0] ?? null;
  }

  #headPrevious(key: string, version: number): number | null {
    const { exactVersion } = readPoints;
    this.#core.get(this.shard, key, exactVersion, version, readFloors.local, false);
    const previous = this.#core.head[headColumns.previousVersionOfKey] as number;
    return previous > 0 ? previous : null;
  }
}
