import { check, limits } from '../base/mod.ts';

/** Maxima of one query. What would go over one is refused with INVALID_QUERY and the mend. */
export interface QueryLimits {
  /** Operators of one plan. */
  readonly operators: number;
  /** Largest skip plus take that a shard keeps instead of sorting everything. */
  readonly topRows: number;
  /** Rows that one sort or reverse holds, at a shard or where shards are merged. */
  readonly bufferRows: number;
  /** Bytes of stored values that the rows of one buffer may come from. */
  readonly bufferBytes: number;
  /** Objects of one shard that may share a version. */
  readonly sameVersionRows: number;
  /** Rows that `toArray` collects. */
  readonly resultRows: number;
  /** Rows of one batch between stages. */
  readonly batchRows: number;
}

const MiB = 1024 * 1024;

export const queryLimits: QueryLimits = Object.freeze({
  operators: 64,
  topRows: 10_000,
  bufferRows: 200_000,
  bufferBytes: 256 * MiB,
  sameVersionRows: limits.transactionKeys,
  resultRows: 1_000_000,
  batchRows: limits.pageObjectsDefault,
});

check(2 * queryLimits.topRows <= queryLimits.bufferRows, 'twice the top rows fit a buffer');
check(limits.valueBytesWhole <= queryLimits.bufferBytes, 'a buffer holds the largest whole value');
