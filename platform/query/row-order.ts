import { compareText } from '../base/mod.ts';
import type { Scalar } from '../expression/mod.ts';

/**
 * The one order of rows. Every row has a place of its own, so a result never depends on which
 * shard answered first: after the keys of orderBy and thenBy comes the base order, by (version,
 * shard, key) for versions and by key for objects.
 */
export interface Row {
  /** The values of the ordering keys. */
  readonly order: readonly Scalar[];
  readonly version: number;
  readonly key: string;
  readonly item: unknown;
  /** Bytes of the stored value that the item may hold on to; 0 when it does not. */
  readonly heldBytes: number;
}

export interface RowOrder {
  readonly kind: 'versions' | 'objects';
  /** For each ordering key whether it is descending. */
  readonly descending: readonly boolean[];
  readonly baseDescending: boolean;
}

export type RowComparator = (a: Row, shardOfA: number, b: Row, shardOfB: number) => number;

export function rowComparator({ kind, descending, baseDescending }: RowOrder): RowComparator {
  const base = kind === 'versions' ? compareVersions : compareKeys;
  const baseSign = baseDescending ? -1 : 1;
  return (a, shardOfA, b, shardOfB) => {
    for (let i = 0; i < descending.length; i++) {
      const compared = compareScalars(a.order[i] ?? null, b.order[i] ?? null);
      if (compared !== 0) {
        return descending[i] === true ? -compared : compared;
      }
    }
    return baseSign * base(a, shardOfA, b, shardOfB);
  };
}

function compareVersions(a: Row, shardOfA: number, b: Row, shardOfB: number): number {
  return a.version - b.version || shardOfA - shardOfB || compareText(a.key, b.key);
}

function compareKeys(a: Row, shardOfA: number, b: Row, shardOfB: number): number {
  return compareText(a.key, b.key) || shardOfA - shardOfB;
}

/** Absent first, then false, true, numbers, and texts by their UTF-8 bytes. */
export function compareScalars(a: Scalar, b: Scalar): number {
  if (typeof a === 'number' && typeof b === 'number') {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (typeof a === 'string' && typeof b === 'string') {
    return compareText(a, b);
  }
  return rankOf(a) - rankOf(b);
}

function rankOf(value: Scalar): number {
  switch (typeof value) {
    case 'boolean':
      return value ? 2 : 1;
    case 'number':
      return 3;
    case 'string':
      return 4;
    default:
      return 0;
  }
}

/** What a value counts as when rows are ordered by it: objects and lists count as absent. */
export function orderingValue(value: unknown): Scalar {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return value;
    case 'number':
      return Number.isNaN(value) ? null : value;
    default:
      return null;
  }
}
