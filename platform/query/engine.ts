/**
 * Runs a plan: the same shard plan everywhere, one merge here.
 *
 * Thread: the event loop of the member (or embedded client) that answers the query.
 * Invariants:
 * 1. Nothing is read before the first batch is asked for, and no further than is asked for.
 * 2. When the result ends, is left, or fails, every shard is told to stop.
 */
import { FreshetError, type SchemaKind, type ShardRef, type ShardSource } from '../base/mod.ts';
import { compile, compilePredicate } from '../expression/mod.ts';
import { type QueryLimits, queryLimits } from './limits.ts';
import { mergeRows, type ShardStream } from './merge.ts';
import type { PlanOperator, QueryPlan, SortOperator } from './plan.ts';
import { type MergePlan, planQuery } from './planner.ts';
import { compareScalars, orderingValue, type Row, rowComparator } from './row-order.ts';
import type { ShardPlan } from './shard-plan.ts';
import { runShard } from './shard-run.ts';
import {
  type Batches,
  countRows,
  filterRows,
  mapRows,
  reverseRows,
  skipRows,
  sortRows,
  takeRows,
} from './stages.ts';

/** Whoever can run a plan: the engine at a member, or a client that sends the plan to one. */
export interface QueryExecutor {
  /**
   * Batches of elements in the order of the query. A plan that ends in count gives one batch with
   * one number.
   */
  run(plan: QueryPlan, signal: AbortSignal): Batches<unknown>;
}

/** Whoever can run shard plans: shards that are held here, or members that hold them. */
export interface ShardRunner {
  /** Rejects UNKNOWN_POOL. */
  shards(pool: string): Promise<readonly ShardRef[]>;
  run(shard: ShardRef, plan: ShardPlan, signal: AbortSignal): Batches<Row>;
}

/** Runs shard plans on a source in this process. */
export function localShards(source: ShardSource, limits: QueryLimits = queryLimits): ShardRunner {
  return {
    shards: (pool) => source.shards(pool),
    run: (shard, plan, signal) => runShard(source, shard, plan, signal, limits),
  };
}

export interface QueryEngineOptions {
  readonly shards: ShardRunner;
  /** How the values of a pool are encoded. Throws UNKNOWN_POOL. */
  readonly valueKindOf: (pool: string) => SchemaKind;
  readonly limits?: QueryLimits;
}

export class QueryEngine implements QueryExecutor {
  readonly #shards: ShardRunner;
  readonly #valueKindOf: (pool: string) => SchemaKind;
  readonly #limits: QueryLimits;

  constructor({ shards, valueKindOf, limits }: QueryEngineOptions) {
    this.#shards = shards;
    this.#valueKindOf = valueKindOf;
    this.#limits = limits ?? queryLimits;
  }

  async *run(plan: QueryPlan, signal: AbortSignal): Batches<unknown> {
    const refs = await this.#shards.shards(plan.source.pool);
    const { shard, merge } = planQuery(plan, this.#valueKindOf(plan.source.pool));
    const stop = new AbortController();
    const stopped = AbortSignal.any([signal, stop.signal]);
    const streams = (shard === null ? [] : refs).map((ref): ShardStream => {
      const shardPlan = shard as ShardPlan;
      return { index: ref.index, rows: this.#shards.run(ref, shardPlan, stopped) };
    });
    try {
      const results =
        merge.result === 'count'
          ? sumUp(streams, merge)
          : this.#rowsOf(streams, merge, () => {
              stop.abort();
            });
      for await (const batch of results) {
        throwIfCancelled(signal);
        if (batch.length > 0) {
          yield batch;
        }
      }
      throwIfCancelled(signal);
    } catch (caught) {
      // What a shard throws when it is stopped says nothing more.
      throwIfCancelled(signal);
      throw caught;
    } finally {
      stop.abort();
    }
  }

  #rowsOf(streams: readonly ShardStream[], merge: MergePlan, stop: () => void): Batches<unknown> {
    const merged = mergeRows(streams, rowComparator(merge.order), this.#limits.batchRows, stop);
    const skipped = merge.skip === 0 ? merged : skipRows(merged, merge.skip);
    const taken = merge.take === null ? skipped : takeRows(skipped, merge.take);
    return applyRest(taken, merge.rest, this.#limits);
  }
}

async function* sumUp(streams: readonly ShardStream[], merge: MergePlan): Batches<number> {
  const counts = await Promise.all(streams.map(({ rows }) => countOfShard(rows)));
  const all = counts.reduce((sum, count) => sum + count, 0);
  yield [Math.min(Math.max(0, all - merge.skip), merge.take ?? Infinity)];
}

async function countOfShard(rows: Batches<Row>): Promise<number> {
  for await (const [row] of rows) {
    if (typeof row?.item === 'number') {
      return row.item;
    }
  }
  throw new FreshetError('INTERNAL', 'A shard gave no count');
}

function applyRest(
  rows: Batches<Row>,
  rest: readonly PlanOperator[],
  limits: QueryLimits,
): Batches<unknown> {
  const options = { limits, bytesOf: ({ heldBytes }: Row) => heldBytes };
  let current = rows;
  for (const [i, operator] of rest.entries()) {
    switch (operator.op) {
      case 'where': {
        const passes = compilePredicate(operator.predicate);
        current = filterRows(current, ({ item }) => passes(item));
        break;
      }
      case 'select': {
        const project = compile(operator.projection);
        current = mapRows(current, (row) => ({ ...row, item: project(row.item) }));
        break;
      }
      case 'orderBy':
        current = sortRows(current, sortComparator(sortGroupAt(rest, i)), options);
        break;
      case 'thenBy':
        // Part of the orderBy before it.
        break;
      case 'reverse':
        current = reverseRows(current, options);
        break;
      case 'take':
        current = takeRows(current, operator.count);
        break;
      case 'skip':
        current = skipRows(current, operator.count);
        break;
      case 'count':
        return countBatch(current);
    }
  }
  return mapRows(current, ({ item }) => item);
}

async function* countBatch(rows: Batches<Row>): Batches<number> {
  yield [await countRows(rows)];
}

/** An orderBy with the thenBy that follow it. */
function sortGroupAt(rest: readonly PlanOperator[], start: number): readonly SortOperator[] {
  const group: SortOperator[] = [];
  for (const operator of rest.slice(start)) {
    if (operator.op === 'thenBy' || (operator.op === 'orderBy' && group.length === 0)) {
      group.push(operator);
    } else {
      break;
    }
  }
  return group;
}

function sortComparator(group: readonly SortOperator[]): (a: Row, b: Row) => number {
  const keys = group.map(({ key, descending }) => ({
    of: compile(key),
    sign: descending ? -1 : 1,
  }));
  return (a, b) => {
    for (const { of, sign } of keys) {
      const compared = compareScalars(orderingValue(of(a.item)), orderingValue(of(b.item)));
      if (compared !== 0) {
        return sign * compared;
      }
    }
    return 0;
  };
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) {
    throw new FreshetError('CANCELLED', 'The query was cancelled', { cause: signal.reason });
  }
}
