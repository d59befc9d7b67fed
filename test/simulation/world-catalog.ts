/**
 * The catalog of one process, put together as `platform/node.ts` does it, and what clients ask its
 * process for: pools that they make, look up and remove, at any member and now and then at all of
 * them at once, settings, and values that are put into the pools, read and removed.
 */
import {
  type FreshetError,
  isFreshetError,
  type Logger,
  messageOf,
  type ObjectRecord,
  SeededRandom,
} from '../../platform/base/mod.ts';
import type { Group, MemberCore, PeerMessages, Tenants } from '../../platform/group/mod.ts';
import type { RecordFiles } from '../../platform/group/record-files.ts';
import type { PoolOptions } from '../../platform/store/pool.ts';
import { PoolDirectory } from '../../platform/store/pool-directory.ts';
import { MemberStore } from '../../platform/store/mod.ts';
import type { WorldAddon } from './world-addon.ts';
import type { Canary } from './world-canaries.ts';
import { openWorldCatalogDisk } from './world-catalog-disk.ts';
import { settingsFolder } from './world-catalog-history.ts';
import {
  type CatalogCall,
  type CatalogLedger,
  markOfPool,
  markOfRemoval,
  markOfSetting,
} from './world-catalog-ledger.ts';
import type { WorldClock } from './world-clock.ts';
import type { KeyPlace } from './world-key-removals.ts';
import { passing } from './world-passing.ts';

/** Two of them nest. */
const names = ['/a', '/b', '/c', '/c/d'] as const;

/** Those that have keys: no pool is above or below them. */
const keyed = ['/a', '/b'] as const;

/** Of pools in the subgroup that comes and goes. */
const extraNames = ['/x', '/y'] as const;

const settings = ['x', 'y'] as const;

/** Of a pool. */
const keysMax = 3;

/** Of the values that are put so many are removed, and with so many reads goes one of what was. */
const removalShare = 0.35;

/** A canary leaves one call of so many without its answer. */
const unansweredEvery = 20;

/** Its disk may fail under a call. */
const callPasses: ReadonlySet<string> = new Set([...passing, 'DISK_FULL', 'DISK_FAILED']);

export interface WorldCatalogOptions {
  readonly addon: WorldAddon;
  readonly node: number;
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly group: Group;
  readonly clock: WorldClock;
  readonly files: RecordFiles;
  readonly ledger: CatalogLedger;
  /** Of this process. */
  readonly seed: number;
  /** The kind of the subgroup that comes and goes; null: there is none. */
  readonly extra: PoolOptions['kind'] | null;
  readonly canary: Canary;
  readonly log: Logger;
  readonly isAlive: () => boolean;
}

export class WorldCatalog {
  readonly #options: WorldCatalogOptions;
  readonly #store: MemberStore;
  readonly #random: SeededRandom;
  #calls = 0;

  private constructor(options: WorldCatalogOptions, store: MemberStore) {
    this.#options = options;
    this.#store = store;
    this.#random = new SeededRandom(options.seed * 41 + 13);
  }

  static async open(options: WorldCatalogOptions): Promise<WorldCatalog> {
    const { core, messages, group, clock, files, seed, canary, log } = options;
    const splits = canary === 'split-batch';
    const catalogDisk = await openWorldCatalogDisk({ files, isLazy: seed % 2 === 0, splits });
    const random = new SeededRandom(seed * 31 + 7);
    const common = { core, messages, group, clock, random, log };
    const store = await MemberStore.open({ ...common, catalogDisk, maxClockSkewUs: 1_500_000 });
    const catalog = new WorldCatalog(options, store);
    catalog.#break(canary);
    catalog.#look();
    store.catalog.onChange(() => {
      catalog.#look();
    });
    return catalog;
  }

  get shards(): MemberStore['access'] {
    return this.#store.access;
  }

  get tenants(): Tenants {
    const { tenants } = this.#store;
    if (this.#options.canary !== 'unclosed-subgroup') return tenants;
    return { ...tenants, close: () => Promise.resolve(true) };
  }

  /**
   * Those who ask in one round ask for the same, if there are several. `request`: round << 1, and 1
   * for a pool in the subgroup that comes and goes.
   */
  ask(id: number, request: number): void {
    const { addon, canary, isAlive, ledger, log, node } = this.#options;
    this.#answer(request).then(
      () => {
        const isUntold = canary === 'unanswered-pool' && ++this.#calls % unansweredEvery === 0;
        if (isAlive() && !isUntold) addon.tellCatalog(id);
      },
      (caught: unknown) => {
        if (!isAlive()) return;
        const code = isFreshetError(caught) ? caught.code : '';
        const text = `a call for the catalog at node ${String(node)}: ${messageOf(caught)}`;
        if (!callPasses.has(code)) addon.tellViolation(text);
        log.info(text);
        ledger.refuse();
        addon.tellCatalog(id);
      },
    );
  }

  /** At rest. */
  checkEnd(): void {
    const { ledger, node } = this.#options;
    ledger.checkEnd(node, this.#store.catalog, this.#store.objects.directory.list());
  }

  #look(): void {
    const { ledger, node, isAlive } = this.#options;
    if (isAlive()) ledger.look(node, this.#store.catalog);
  }

  get #applied(): number {
    return this.#store.catalog.applied.version;
  }

  async #answer(request: number): Promise<void> {
    const { ledger, node, seed } = this.#options;
    // Of the seed and the round alone: the process's number is in the last digits.
    const common = new SeededRandom(Math.floor(seed / 1000) * 7793 + Math.floor(request / 2));
    const call = ledger.begin(node, this.#applied);
    const draw = common.below(100);
    // The first version is no pool's id: clients of the shards have that one.
    if (!ledger.hasBegun || draw < 6) return this.#set(call, common.pick(settings));
    if (request % 2 === 1) return this.#make(call, common, true);
    if (draw < 10) return this.#setIfNewest(call, common.pick(settings));
    if (draw < 12) return this.#unset(call, common.pick(settings));
    if (draw < 28) return this.#make(call, common, common.chance(0.1));
    if (draw < 36) return this.#remove(call, common.pick(extraNames));
    if (draw < 46) return this.#remove(call, common.pick(names));
    if (draw < 51) return this.#find(call, common.pick(names));
    if (draw < 53) return this.#list(call);
    const name = common.pick(keyed);
    const key = `${name}/${String(common.below(keysMax))}`;
    if (draw < 60) return this.#renew(call, name, key, common);
    // Of its own, so that what else is drawn stays what it is.
    const removals = new SeededRandom(Math.floor(seed / 1000) * 8123 + Math.floor(request / 2));
    const isOfRemoval = removals.chance(removalShare);
    if (draw < 83) return this.#put(call, name, key, isOfRemoval);
    const last = isOfRemoval ? ledger.lastRemoval : null;
    if (last !== null) await this.#get(ledger.begin(node, this.#applied), last.name, last.key);
    return this.#get(ledger.begin(node, this.#applied), name, key);
  }

  async #make(
    call: CatalogCall,
    common: SeededRandom,
    wantsExtra: boolean,
    wanted: string | null = null,
  ): Promise<void> {
    const { ledger, extra } = this.#options;
    const isExtra = extra !== null && wantsExtra;
    const name = wanted ?? common.pick(isExtra ? extraNames : names);
    const kind = common.pick(['volatile', 'persistent'] as const);
    const options: PoolOptions = {
      name,
      kind: isExtra ? extra : kind,
      subgroup: isExtra ? 'extra' : kind,
      // Of its own now and then, so that two of them differ.
      history: this.#random.chance(0.3) ? 16 : 128,
    };
    ledger.ask(markOfPool(options));
    try {
      const pool = await this.#store.objects.createPool(options);
      ledger.onMade(call, options, pool, this.#applied);
    } catch (caught) {
      if (isFreshetError(caught, 'POOL_EXISTS')) {
        ledger.onExists(call, options, this.#applied);
      } else if (isFreshetError(caught, 'UNKNOWN_POOL')) {
        // Made, and removed by somebody else before it was answered.
      } else if (!(isFreshetError(caught, 'INVALID_POOL') && isExtra)) {
        throwUnless(caught, 'NOT_CURRENT');
      }
    }
  }

  async #remove(call: CatalogCall, name: string): Promise<void> {
    const { ledger } = this.#options;
    ledger.ask(markOfRemoval(PoolDirectory.keyOf(name)));
    await this.#orUnknown(call, name, async () => {
      try {
        await this.#store.objects.removePool(name);
      } catch (caught) {
        if (isFreshetError(caught, 'NOT_CURRENT')) return;
        throw caught;
      }
      ledger.onRemoved(call, name, this.#applied);
    });
  }

  /** What was in it has gone with it. */
  async #renew(call: CatalogCall, name: string, key: string, common: SeededRandom): Promise<void> {
    const { ledger, node } = this.#options;
    await this.#remove(call, name);
    await this.#make(ledger.begin(node, this.#applied), common, false, name);
    await this.#get(ledger.begin(node, this.#applied), name, key);
  }

  #find(call: CatalogCall, name: string): Promise<void> {
    return this.#orUnknown(call, name, async () => {
      const pool = await this.#store.objects.pool(name);
      this.#options.ledger.onFound(call, pool, this.#applied);
    });
  }

  async #list(call: CatalogCall): Promise<void> {
    const pools = await this.#store.objects.pools();
    this.#options.ledger.onListed(call, pools, this.#applied);
  }

  async #put(call: CatalogCall, name: string, key: string, removes: boolean): Promise<void> {
    const { ledger, node } = this.#options;
    const { objects } = this.#store;
    await this.#orUnknown(call, name, async () => {
      const number = ledger.beginPut(call, name, key);
      await objects.put({ key, value: Buffer.from(String(number)) });
      ledger.endPut(number, objects.directory.get(name)?.kind === 'persistent', this.#applied);
    });
    if (!removes) return;
    await this.#removeKey(ledger.begin(node, this.#applied), name, key);
    await this.#get(ledger.begin(node, this.#applied), name, key);
  }

  #removeKey(call: CatalogCall, name: string, key: string): Promise<void> {
    const { ledger } = this.#options;
    return this.#orUnknown(call, name, async () => {
      const removal = ledger.beginRemoval(name, key);
      const before = this.#placeOf(name, key);
      try {
        const { version, epoch } = await this.#store.objects.remove({ key });
        const place = this.#placeSince(before, name, key);
        ledger.endRemoval(removal, place === null ? null : { ...place, version, epoch });
      } catch (caught) {
        if (isFreshetError(caught, 'UNKNOWN_POOL')) ledger.endRemoval(removal, null);
        throw caught;
      }
    });
  }

  #get(call: CatalogCall, name: string, key: string): Promise<void> {
    const { ledger } = this.#options;
    return this.#orUnknown(call, name, async () => {
      const answered = ledger.answered(name, key);
      const before = this.#placeOf(name, key);
      const { value = null, version = 0 } = (await this.#store.objects.get({ key })) ?? {};
      const place = this.#placeSince(before, name, key);
      const number = Number(Buffer.from(value ?? '').toString());
      ledger.onRead(call, name, key, value === null ? null : { number, version, place }, answered);
    });
  }

  /** As this member's catalog has it; null: there is no such pool. */
  #placeOf(name: string, key: string): KeyPlace | null {
    const { directory, placement } = this.#store.objects;
    const pool = directory.get(name);
    if (pool === null) return null;
    const shard = placement.shardOf(pool, key);
    return { pool: pool.id, shard, isPersistent: pool.kind === 'persistent' };
  }

  /** Null where it is another one by now: then nobody knows which one it was. */
  #placeSince(before: KeyPlace | null, name: string, key: string): KeyPlace | null {
    return this.#placeOf(name, key)?.pool === before?.pool ? before : null;
  }

  async #set(call: CatalogCall, name: string): Promise<void> {
    const value = this.#valueOf(name);
    const became = await this.#store.catalog.write(settingsFolder + name, value, null);
    this.#options.ledger.onSet(call, name, value, became, null);
  }

  /** On condition that the catalog is as it is here. */
  async #setIfNewest(call: CatalogCall, name: string): Promise<void> {
    const { ledger } = this.#options;
    const value = this.#valueOf(name);
    const expected = this.#applied;
    try {
      const became = await this.#store.catalog.write(settingsFolder + name, value, expected);
      ledger.onSet(call, name, value, became, expected);
    } catch (caught) {
      throwUnless(caught, 'CONDITION_FAILED');
      ledger.onConflict(call, expected);
    }
  }

  async #unset(call: CatalogCall, name: string): Promise<void> {
    const { ledger } = this.#options;
    ledger.ask(markOfRemoval(settingsFolder + name));
    await this.#store.catalog.remove(settingsFolder + name);
    ledger.onUnset(call, name, this.#applied);
  }

  #valueOf(name: string): Buffer {
    const { ledger, seed } = this.#options;
    const value = Buffer.from(`${String(seed)}/${String(this.#calls++)}`);
    ledger.ask(markOfSetting(name, value));
    return value;
  }

  async #orUnknown(call: CatalogCall, name: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (caught) {
      throwUnless(caught, 'UNKNOWN_POOL');
      this.#options.ledger.onUnknown(call, name);
    }
  }

  /** What a key had last; null: nothing ever. */
  async #beforeRemoval(key: string): Promise<ObjectRecord | null> {
    for await (const version of this.#store.objects.history({ key, reverse: true })) {
      if (!version.removed) return version;
    }
    return null;
  }

  /** Canaries, over the product's own. */
  #break(canary: Canary): void {
    const { catalog, objects } = this.#store;
    const write = catalog.write.bind(catalog);
    if (canary === 'unconditional-pool') {
      catalog.write = (key, value) => write(key, value, null);
    } else if (canary === 'stale-catalog') {
      catalog.catchUp = () => Promise.resolve();
    } else if (canary === 'early-pool') {
      catalog.write = (key, value, expect) => {
        write(key, value, expect).catch(() => undefined);
        return Promise.resolve(catalog.applied.version + 1);
      };
    } else if (canary === 'hasty-removal') {
      objects.removePool = (name) => catalog.remove(PoolDirectory.keyOf(name));
    } else if (canary === 'forgotten-removal') {
      const get = objects.get.bind(objects);
      objects.get = async (request) => (await get(request)) ?? this.#beforeRemoval(request.key);
    } else if (canary === 'uncoded-refusal') {
      objects.removePool = () => Promise.reject(new Error('cannot be removed'));
    }
  }
}

function throwUnless(caught: unknown, code: FreshetError['code']): void {
  if (!isFreshetError(caught, code)) throw caught;
}
