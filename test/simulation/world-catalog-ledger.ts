/**
 * Checks what clients of the catalog were answered, and what its members hold. The catalog's shard
 * has one history (world-catalog-history.ts); every answer has to be true of a state that it was in
 * while the call was under way, and every member holds the state of the version up to which it is.
 */
import type { Catalog } from '../../platform/store/catalog.ts';
import type { PoolInfo, PoolOptions } from '../../platform/store/pool.ts';
import type { WorldAddon } from './world-addon.ts';
import {
  CatalogHistory,
  type CatalogRecord,
  type CatalogState,
  poolsFolder,
  settingsFolder,
} from './world-catalog-history.ts';
import { type FoundValue, type KeyRemoval, KeyRemovals } from './world-key-removals.ts';

/** The catalog's. */
const catalogShard = 1;

/** When a call began, by versions of the catalog's shard. */
export interface CatalogCall {
  readonly node: number;
  /** What anybody had been shown: whoever catches up has at least that. */
  readonly shown: number;
  /** Up to which the member was itself. */
  readonly applied: number;
}

/** A value that was put into a pool. */
interface Put {
  readonly name: string;
  readonly key: string;
  readonly begun: number;
  /** Up to which the member's catalog was as it began: no older pool took it. */
  readonly from: number;
  /** The newest removal of its pool that had been answered; 0: none. */
  readonly removed: number;
  /** Of all that begins and is answered here; null: it was not. */
  answered: number | null;
  /** The newest version of the catalog's shard then. */
  newest: number;
  /** Up to which the member's catalog was then: no newer pool took it. */
  applied: number;
  isPersisted: boolean;
}

/** What was asked for, and answered so. */
export interface CatalogCounts {
  /** Pools. */
  made: number;
  removed: number;
  /** That were written. */
  settings: number;
  /** That were found in pools. */
  values: number;
  /** That were removed from pools. */
  keys: number;
  /** Calls. */
  refused: number;
}

export const noCounts: Readonly<CatalogCounts> = Object.freeze({
  made: 0,
  removed: 0,
  settings: 0,
  values: 0,
  keys: 0,
  refused: 0,
});

export class CatalogLedger {
  readonly #addon: WorldAddon;
  readonly #history: CatalogHistory;
  /** How often something was asked for that one record each may come of. */
  readonly #asked = new Map<string, number>();
  readonly #puts: Put[] = [];
  readonly #keyRemovals: KeyRemovals;
  /** By name, the newest pool that was answered as made by a call that began before it. */
  readonly #made = new Map<string, number>();
  /** By name, the newest removal that was answered. */
  readonly #removed = new Map<string, number>();
  #shown = 0;
  #turn = 0;
  readonly counts: CatalogCounts = { ...noCounts };

  constructor(addon: WorldAddon) {
    this.#addon = addon;
    this.#history = new CatalogHistory(addon, this.#onRecord);
    this.#keyRemovals = new KeyRemovals(addon);
  }

  begin(node: number, applied: number): CatalogCall {
    return { node, shown: this.#shown, applied };
  }

  /** Has anything been written? */
  get hasBegun(): boolean {
    return this.#shown > 0;
  }

  /** One record of it may come, at most; `what` is the record's as `markOf` tells. */
  ask(what: string): void {
    this.#asked.set(what, (this.#asked.get(what) ?? 0) + 1);
  }

  /** What a member holds now, and has applied. */
  look(node: number, catalog: Catalog): void {
    const { epoch, version } = catalog.applied;
    this.#shown = Math.max(this.#shown, version);
    const wrong = this.#differenceOf(catalog);
    const where = `the catalog at node ${String(node)}, version ${String(version)}:`;
    if (wrong !== null) this.#tell(`${where} ${wrong}`);
    const known = this.#history.record(version);
    if (known !== null && known.epoch !== epoch) this.#tell(`${where} is of another epoch`);
  }

  onMade(call: CatalogCall, options: PoolOptions, pool: PoolInfo, applied: number): void {
    const key = poolsFolder + options.name;
    const record = this.#history.record(pool.id);
    const what = `pool ${options.name} (${String(pool.id)}) made at node ${String(call.node)}`;
    if (record?.key !== key || record.value === null) {
      this.#tell(`${what} is not in the catalog`);
      return;
    }
    if (markOf(record) !== markOfPool(options)) this.#tell(`${what} has other options`);
    if (!this.#hasBeen(call.shown, applied, key, pool.id)) this.#tell(`${what} is gone`);
    const newest = this.#made.get(options.name) ?? 0;
    if (pool.id > Math.max(newest, call.shown)) this.#made.set(options.name, pool.id);
    this.counts.made++;
  }

  /** There is one of this name with other options, or above or below it. */
  onExists(call: CatalogCall, options: PoolOptions, applied: number): void {
    const isInWay = (state: CatalogState): boolean =>
      poolsOf(state).some(({ name, record }) =>
        name === options.name ? markOf(record) !== markOfPool(options) : nest(name, options.name),
      );
    if (this.#history.some(call.shown, applied, isInWay)) return;
    this.#tell(`${placeOf(call, options.name)} exists as the answer says, but nothing was there`);
  }

  onRemoved(call: CatalogCall, name: string, applied: number): void {
    const gone = this.#recordsOf(name, call.shown, applied).findLast(({ value }) => value === null);
    if (gone === undefined) {
      this.#tell(`${placeOf(call, name)} was removed as the answer says, and is there`);
      return;
    }
    this.#removed.set(name, Math.max(this.#removed.get(name) ?? 0, gone.version));
    this.counts.removed++;
  }

  /** There is no pool of the name: by the member's catalog, or by a shard that was told earlier. */
  onUnknown(call: CatalogCall, name: string): void {
    const key = poolsFolder + name;
    const isGone = (state: CatalogState): boolean => poolIn(state, key) === undefined;
    if (this.#history.some(call.shown, this.#shown, isGone)) return;
    const known = this.#history.stateAt(this.#shown)?.get(key);
    // Its subgroup comes and goes.
    if (known !== undefined && subgroupOf(known) === 'extra') return;
    this.#tell(`${placeOf(call, name)} is unknown as the answer says, but was there all the time`);
  }

  /** By the member's own catalog, which may be behind. */
  onFound(call: CatalogCall, { name, id }: PoolInfo, applied: number): void {
    if (this.#hasBeen(call.applied, applied, poolsFolder + name, id)) return;
    this.#tell(`${placeOf(call, name)} was found as ${String(id)}, which it was not`);
  }

  /** `pools`: of the member at this moment. */
  onListed(call: CatalogCall, pools: readonly PoolInfo[], applied: number): void {
    const all = poolsOf(this.#history.stateAt(applied) ?? new Map<string, CatalogRecord>());
    const due = all.filter(({ record }) => subgroupOf(record) !== 'extra');
    const listed = new Map(pools.map(({ name, id }) => [name, id]));
    const lacking = due.find(({ name, record }) => listed.get(name) !== record.version);
    const ids = new Set(all.map(({ record }) => record.version));
    const foreign = pools.find(({ id }) => !ids.has(id));
    if (lacking !== undefined) this.#tell(`${placeOf(call, lacking.name)} is not listed`);
    if (foreign !== undefined) this.#tell(`${placeOf(call, foreign.name)} is listed wrongly`);
  }

  /** `expected`: on condition that this was the newest version. */
  onSet(call: CatalogCall, name: string, value: Buffer, became: number, expected: number | null) {
    const record = this.#history.record(became);
    const what = `setting ${name} (${String(became)}) written at node ${String(call.node)}`;
    if (record?.key !== settingsFolder + name || record.value?.equals(value) !== true) {
      this.#tell(`${what} is not in the catalog`);
    }
    if (became <= call.shown) this.#tell(`${what} is older than what was shown`);
    if (expected !== null && became !== expected + 1) this.#tell(`${what} was not as expected`);
    this.counts.settings++;
  }

  onUnset(call: CatalogCall, name: string, applied: number): void {
    const isGone = (state: CatalogState): boolean => !state.has(settingsFolder + name);
    if (this.#history.some(call.applied, applied, isGone)) return;
    this.#tell(`setting ${name} removed at node ${String(call.node)} is there`);
  }

  /** Something else is newer than what was expected to be the newest. */
  onConflict(call: CatalogCall, expected: number): void {
    if (this.#newest > expected) return;
    this.#tell(`node ${String(call.node)} refused what was on condition of the newest version`);
  }

  /** Returns the number of a value that is to be put under a key of the pool `name`. */
  beginPut({ applied: from }: CatalogCall, name: string, key: string): number {
    const begun = ++this.#turn;
    const open = { answered: null, newest: 0, applied: 0, isPersisted: false };
    const removed = this.#removed.get(name) ?? 0;
    return this.#puts.push({ name, key, begun, from, removed, ...open }) - 1;
  }

  endPut(number: number, isPersisted: boolean, applied: number): void {
    const put = this.#puts[number] as Put;
    put.applied = applied;
    put.answered = ++this.#turn;
    put.newest = this.#newest;
    put.isPersisted = isPersisted;
    if (this.#isOpen(put)) return;
    this.#tell(`value ${String(number)} was put into ${put.name}, which had been removed`);
  }

  /** Of a key of the pool `name`. */
  beginRemoval(name: string, key: string): KeyRemoval {
    const removed = this.#removed.get(name) ?? 0;
    return this.#keyRemovals.begin({ name, key, begun: ++this.#turn, removed });
  }

  endRemoval(removal: KeyRemoval, became: KeyRemoval['became']): void {
    this.#keyRemovals.end(removal, ++this.#turn, became);
    this.counts.keys += became === null ? 0 : 1;
    // What a volatile shard has of a pool that was removed may come back as it begins anew.
    if (became?.isPersistent !== true || this.#isOpen(removal)) return;
    this.#tell(`${removal.key} was removed from ${removal.name}, which had been removed`);
  }

  /** The last that was made, of any key; null: none was. */
  get lastRemoval(): KeyRemoval | null {
    return this.#keyRemovals.last;
  }

  /** Null: nothing was found. `answered`: what was answered for the key when the read began. */
  onRead(
    call: CatalogCall,
    name: string,
    key: string,
    found: FoundValue | null,
    answered: Answered,
  ) {
    const where = `${key} at node ${String(call.node)}`;
    const put = found === null ? null : (this.#puts[found.number] ?? null);
    if (found !== null && put?.key !== key) this.#tell(`${where} has what nobody put`);
    if (found !== null && put !== null) {
      this.counts.values++;
      const what = `${where} has value ${String(found.number)}`;
      if (this.#isOfAnother(call, put, answered)) this.#tell(`${what} of a pool that was removed`);
      const { removals } = answered;
      const forgotten = this.#keyRemovals.forgottenBy(found, put.answered, removals);
      const version = String(forgotten?.became?.version);
      if (forgotten !== null) this.#tell(`${what}, which was removed as version ${version}`);
    }
    // What stays, as no pool of the name went meanwhile.
    const last = answered.persisted;
    if (last === null || (found !== null && found.number >= last)) return;
    const { begun, from } = this.#puts[last] as Put;
    const meanwhile = this.#recordsOf(name, from, this.#newest);
    const isKept = meanwhile.every(({ value, leaving }) => value !== null && leaving === null);
    const isBehind =
      put === null
        ? !this.#keyRemovals.mayFollow(key, begun)
        : put.answered !== null && put.answered < begun;
    if (isKept && isBehind) this.#tell(`${where} lacks value ${String(last)}, which was persisted`);
  }

  /** As a read begins. */
  answered(name: string, key: string): Answered {
    const persisted = this.#puts.findLastIndex((put) => put.key === key && put.isPersisted);
    return {
      persisted: persisted < 0 ? null : persisted,
      made: this.#made.get(name) ?? 0,
      removals: this.#keyRemovals.answered(key),
    };
  }

  /** At rest: all members have all of it, and no pool is without its subgroup. */
  checkEnd(node: number, catalog: Catalog, pools: readonly PoolInfo[]): void {
    this.look(node, catalog);
    const { version } = catalog.applied;
    const where = `the catalog at node ${String(node)}, version ${String(version)}:`;
    if (version !== this.#newest) this.#tell(`${where} ${String(this.#newest)} is the newest`);
    const listed = new Map(pools.map(({ name, id }) => [name, id]));
    for (const { name, record } of poolsOf(this.#history.stateAt(version) ?? new Map())) {
      if (listed.get(name) === record.version) continue;
      this.#tell(`${where} pool ${name} has lost its subgroup ${subgroupOf(record)}`);
    }
    const changed = this.#history.changed();
    if (changed !== null) this.#tell(`${where} ${changed.key} was another one when it was shown`);
  }

  refuse(): void {
    this.counts.refused++;
  }

  readonly #onRecord = (record: CatalogRecord, before: CatalogState): void => {
    const { key, value, version } = record;
    const isPool = key.startsWith(`${poolsFolder}/`);
    if (!isPool && !key.startsWith(settingsFolder)) return;
    const where = `version ${String(version)} of the catalog:`;
    const held = before.get(key);
    if (isPool && value === null) {
      // Whoever comes upon one that is leaving may do so.
      if ((held?.leaving ?? null) === null)
        this.#tell(`${where} ${key} went before what it had left`);
      return;
    }
    const mark = markOf(record);
    const left = this.#asked.get(mark) ?? 0;
    this.#asked.set(mark, left - 1);
    if (left === 0) this.#tell(`${where} nobody asked for ${mark}`);
    if (!isPool) return;
    if (record.leaving !== null) {
      if (held?.version !== record.leaving) this.#tell(`${where} ${key} leaves as another`);
      return;
    }
    if (held !== undefined) this.#tell(`${where} ${key} is made twice`);
    const name = key.slice(poolsFolder.length);
    const around = entriesOf(before).find((other) => nest(other.name, name));
    if (around !== undefined) this.#tell(`${where} ${name} and ${around.name} nest`);
  };

  /** Between what a member holds and what it has to hold; null: there is none. */
  #differenceOf(catalog: Catalog): string | null {
    const state = this.#history.stateAt(catalog.applied.version);
    if (state === null) return 'the shard has no such version';
    for (const key of catalog.keys('/system')) {
      const due = state.get(key);
      const held = catalog.entry(key);
      if (due === undefined) return `has ${key}, which is not there`;
      const value = catalog.peek(key);
      const isSame = held?.version === due.version && held.epoch === due.epoch;
      const hasValue = value === null || due.value?.equals(value) === true;
      if (!isSame || !hasValue) return `has another ${key}`;
    }
    const lacking = [...state.keys()].find((key) => !catalog.has(key));
    return lacking === undefined ? null : `lacks ${lacking}`;
  }

  /** Was there no removal of its pool, or another pool of the name since? */
  #isOpen({ name, removed }: Pick<Put, 'name' | 'removed'>): boolean {
    return removed === 0 || this.#recordsOf(name, removed, this.#newest).length > 0;
  }

  /** Was it put into a pool of the name that had gone as it was read? */
  #isOfAnother(call: CatalogCall, put: Put, { made }: Answered): boolean {
    if (put.answered === null) return false;
    const removed = this.#recordsOf(put.name, put.newest, call.shown);
    const gone = removed.findIndex(({ value }) => value === null);
    const isMadeAgain = removed.slice(gone).some(({ value }) => value !== null);
    const isOlder = put.applied < made && call.applied >= made;
    return isOlder || (gone >= 0 && isMadeAgain);
  }

  #hasBeen(from: number, to: number, key: string, version: number): boolean {
    return this.#history.some(from, to, (state) => state.get(key)?.version === version);
  }

  #recordsOf(name: string, behind: number, to: number): readonly CatalogRecord[] {
    const key = poolsFolder + name;
    return this.#history.between(behind, to).filter((record) => record.key === key);
  }

  get #newest(): number {
    return this.#addon.newestOf(catalogShard);
  }

  #tell(text: string): void {
    this.#addon.tellViolation(text);
  }
}

/**
 * The last put under a key that was answered as persisted (null: none), the pool that was, and
 * removals of the key.
 */
export interface Answered {
  readonly persisted: number | null;
  readonly made: number;
  readonly removals: readonly KeyRemoval[];
}

export function markOfPool({ name, kind, subgroup, history }: PoolOptions): string {
  return `put ${poolsFolder}${name} ${[kind, subgroup, history].join()}`;
}

export function markOfSetting(name: string, value: Buffer): string {
  return `put ${settingsFolder}${name} ${value.toString('utf8', 0, 20)}`;
}

export function markOfRemoval(key: string): string {
  return `remove ${key}`;
}

function markOf({ key, value, leaving }: CatalogRecord): string {
  if (value === null || leaving !== null) return markOfRemoval(key);
  if (key.startsWith(settingsFolder)) return markOfSetting(key.slice(settingsFolder.length), value);
  return markOfPool(JSON.parse(value.toString()) as PoolOptions);
}

function subgroupOf({ value }: CatalogRecord): string {
  return value === null ? '' : ((JSON.parse(value.toString()) as PoolOptions).subgroup ?? '');
}

/** Undefined: there is none, or it is being removed. */
function poolIn(state: CatalogState, key: string): CatalogRecord | undefined {
  const record = state.get(key);
  return record?.leaving === null ? record : undefined;
}

interface PoolEntry {
  readonly name: string;
  readonly record: CatalogRecord;
}

function poolsOf(state: CatalogState): PoolEntry[] {
  return entriesOf(state).filter(({ record }) => record.leaving === null);
}

/** Those that are being removed, too. */
function entriesOf(state: CatalogState): PoolEntry[] {
  return [...state.values()].flatMap((record) =>
    record.key.startsWith(`${poolsFolder}/`)
      ? [{ name: record.key.slice(poolsFolder.length), record }]
      : [],
  );
}

function nest(one: string, other: string): boolean {
  return one !== other && (one.startsWith(`${other}/`) || other.startsWith(`${one}/`));
}

function placeOf({ node }: CatalogCall, name: string): string {
  return `pool ${name} at node ${String(node)}`;
}
