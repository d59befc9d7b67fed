/**
 * Runs the part of a query that one shard does, at a member that holds the shard.
 *
 * Thread: the event loop; the scan itself runs where the source runs it.
 * Invariants:
 * 1. Rows leave in the order of `rowComparator`, so that a merge of sorted shards is sorted.
 * 2. A value is decoded only when something looks at it, and after all that does not.
 */
import { check, type ScannedRecord, type ShardRef, type ShardSource } from '../base/mod.ts';
import { compile, compilePredicate, type ExpressionTree, usesField } from '../expression/mod.ts';
import { decodeValue, toStoredObject } from './decode.ts';
import { type QueryLimits, queryLimits } from './limits.ts';
import { scanLive } from './live-scan.ts';
import { orderingValue, type Row, rowComparator } from './row-order.ts';
import { RowBuffer } from './row-buffer.ts';
import { type CompiledScan, compileScan, type ShardPlan } from './shard-plan.ts';
import { type Batches, countRows, inBatches, takeRows } from './stages.ts';

/** Batches of rows, or one row with the number for a count. */
export async function* runShard(
  source: ShardSource,
  shard: ShardRef,
  plan: ShardPlan,
  signal: AbortSignal,
  limits: QueryLimits = queryLimits,
): Batches<Row> {
  const scan = compileScan(plan);
  const rows = scan === null ? inBatchesOfNone() : passingRows(source, shard, plan, scan, signal);
  if (plan.result === 'count') {
    const count = await countRows(plan.limit === null ? rows : takeRows(rows, plan.limit));
    yield [{ order: [], version: 0, key: '', item: count, heldBytes: 0 }];
    return;
  }
  const ordered = inOrder(rows, plan, scan?.strategy ?? 'scan', limits);
  yield* plan.limit === null ? ordered : takeRows(ordered, plan.limit);
}

async function* inBatchesOfNone(): Batches<Row> {
  // Nothing can pass, so nothing is read.
}

async function* passingRows(
  source: ShardSource,
  shard: ShardRef,
  plan: ShardPlan,
  { request, residue }: CompiledScan,
  signal: AbortSignal,
): Batches<Row> {
  const toRow = rowMaker(plan, residue, request.wantValues);
  for await (const batch of scanLive(source, shard, request, signal)) {
    const rows: Row[] = [];
    for (const record of batch) {
      const row = toRow(record);
      if (row !== null) {
        rows.push(row);
      }
    }
    yield rows;
  }
}

/** From a record to its row, or to null where the residue leaves it out. */
function rowMaker(
  { order, select, values, result }: ShardPlan,
  residue: ExpressionTree | null,
  wantValues: boolean,
): (record: ScannedRecord) => Row | null {
  const passes = residue === null ? () => true : compilePredicate(residue);
  const passesFirst = residue !== null && !usesField(residue, 'value');
  const keys = order.map(({ key }) => compile(key));
  const project = select === null ? null : compile(select);
  const holdsValue = result === 'rows' && (select === null || usesField(select, 'value'));
  return (record) => {
    if (passesFirst && !passes(toStoredObject(record, null))) {
      return null;
    }
    const object = toStoredObject(record, wantValues ? decodeValue(record, values) : null);
    if (!passesFirst && !passes(object)) {
      return null;
    }
    const isCount = result === 'count';
    return {
      order: isCount ? [] : keys.map((key) => orderingValue(key(object))),
      version: record.version,
      key: record.key,
      item: isCount ? null : project === null ? object : project(object),
      heldBytes: holdsValue ? record.size : 0,
    };
  };
}

function inOrder(
  rows: Batches<Row>,
  plan: ShardPlan,
  strategy: CompiledScan['strategy'],
  limits: QueryLimits,
): Batches<Row> {
  const compare = comparatorOf(plan);
  switch (strategy) {
    case 'scan':
      return rows;
    case 'scan-groups':
      return sortGroups(rows, compare, limits);
    case 'sort':
      return plan.limit !== null && plan.limit <= limits.topRows
        ? sortTop(rows, plan.limit, compare, limits)
        : sortAll(rows, compare, limits);
  }
}

function comparatorOf({ kind, order, baseDescending }: ShardPlan): (a: Row, b: Row) => number {
  const descending = order.map((key) => key.descending);
  const compare = rowComparator({ kind, descending, baseDescending });
  return (a, b) => compare(a, 0, b, 0);
}

async function* sortAll(
  rows: Batches<Row>,
  compare: (a: Row, b: Row) => number,
  limits: QueryLimits,
): Batches<Row> {
  const buffer = new RowBuffer<Row>('orderBy at a shard', limits, heldBytesOf);
  for await (const batch of rows) {
    for (const row of batch) {
      buffer.add(row);
    }
  }
  yield* inBatches(buffer.take().sort(compare), limits);
}

/** Keeps between `count` and twice as many rows, and throws the rest away as they come. */
async function* sortTop(
  rows: Batches<Row>,
  count: number,
  compare: (a: Row, b: Row) => number,
  limits: QueryLimits,
): Batches<Row> {
  const buffer = new RowBuffer<Row>('orderBy with take at a shard', limits, heldBytesOf);
  for await (const batch of rows) {
    for (const row of batch) {
      buffer.add(row);
      if (buffer.size >= 2 * count) {
        buffer.keepFirst(count, compare);
      }
    }
  }
  buffer.keepFirst(count, compare);
  yield* inBatches(buffer.take(), limits);
}

/** For a scan that is in order but for rows of one version. */
async function* sortGroups(
  rows: Batches<Row>,
  compare: (a: Row, b: Row) => number,
  limits: QueryLimits,
): Batches<Row> {
  let group: Row[] = [];
  for await (const batch of rows) {
    const done: Row[] = [];
    for (const row of batch) {
      if (group[0] !== undefined && group[0].version !== row.version) {
        done.push(...group.sort(compare));
        group = [];
      }
      group.push(row);
      check(group.length <= limits.sameVersionRows, 'a version has no more objects than allowed', {
        version: row.version,
        limit: limits.sameVersionRows,
      });
    }
    yield done;
  }
  yield group.sort(compare);
}

function heldBytesOf({ heldBytes }: Row): number {
  return heldBytes;
}
