/**
 * What the catalog's shard holds, version by version, as the world knows it: members show what is
 * persisted alone, of which nothing is ever undone. So what was looked at here once stays.
 */
import type { StoredPool } from '../../platform/store/pool-directory.ts';
import type { WorldAddon } from './world-addon.ts';

export const poolsFolder = '/system/pools';

export const settingsFolder = '/system/settings/';

export interface CatalogRecord {
  readonly version: number;
  readonly epoch: number;
  readonly key: string;
  /** Null: the key was removed. */
  readonly value: Buffer | null;
  /** Of a pool that is being removed: its id. */
  readonly leaving: number | null;
}

/** The newest version of each key that is there. */
export type CatalogState = ReadonlyMap<string, CatalogRecord>;

export class CatalogHistory {
  readonly #addon: Pick<WorldAddon, 'entryOf'>;
  /** By version, from 0, where there is nothing. */
  readonly #states: CatalogState[] = [new Map()];
  readonly #records: CatalogRecord[] = [];
  /** Takes each record once, and the state before it. */
  readonly #onRecord: (record: CatalogRecord, before: CatalogState) => void;

  constructor(
    addon: Pick<WorldAddon, 'entryOf'>,
    onRecord: (record: CatalogRecord, before: CatalogState) => void,
  ) {
    this.#addon = addon;
    this.#onRecord = onRecord;
  }

  /** Up to which it was looked at. */
  get newest(): number {
    return this.#records.length;
  }

  /** Null: the shard has no such version. */
  stateAt(version: number): CatalogState | null {
    while (this.newest < version) {
      const record = this.#read(this.newest + 1);
      if (record === null) return null;
      const before = this.#states.at(-1) as CatalogState;
      const next = new Map(before);
      if (record.value === null) next.delete(record.key);
      else next.set(record.key, record);
      this.#states.push(next);
      this.#records.push(record);
      this.#onRecord(record, before);
    }
    return this.#states[version] ?? null;
  }

  record(version: number): CatalogRecord | null {
    if (version === 0 || this.stateAt(version) === null) return null;
    return this.#records[version - 1] ?? null;
  }

  /** Is it so in one of these states, both of them included? */
  some(from: number, to: number, holds: (state: CatalogState) => boolean): boolean {
    this.stateAt(to);
    return this.#states.slice(from, to + 1).some(holds);
  }

  /**
   * Records behind a version, up to another one. What nobody was shown yet is not looked at for
   * good, as it may be undone.
   */
  between(behind: number, to: number): readonly CatalogRecord[] {
    const found: CatalogRecord[] = [];
    for (let version = behind + 1; version <= to; version++) {
      const record = this.#records[version - 1] ?? this.#read(version);
      if (record !== null) found.push(record);
    }
    return found;
  }

  /** A version that was shown and that the shard has otherwise now; null: there is none. */
  changed(): CatalogRecord | null {
    return this.#records.find((record) => !isSame(record, this.#read(record.version))) ?? null;
  }

  #read(version: number): CatalogRecord | null {
    const packed = this.#addon.entryOf(version);
    if (packed === null) return null;
    const [epoch, removes, size] = [0, 4, 8].map((at) => packed.readUInt32LE(at)) as [
      number,
      number,
      number,
    ];
    const key = packed.toString('utf8', 12, 12 + size);
    const value = removes === 1 ? null : packed.subarray(12 + size);
    return { version, epoch, key, value, leaving: leavingOf(key, value) };
  }
}

function leavingOf(key: string, value: Buffer | null): number | null {
  if (value === null || !key.startsWith(`${poolsFolder}/`)) return null;
  return (JSON.parse(value.toString()) as StoredPool).leaving ?? null;
}

function isSame(record: CatalogRecord, other: CatalogRecord | null): boolean {
  if (other?.epoch !== record.epoch || other.key !== record.key) return false;
  if (record.value === null || other.value === null) return record.value === other.value;
  return record.value.equals(other.value);
}
