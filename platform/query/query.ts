import type { TimeAxis } from '../base/mod.ts';
import {
  type Expression,
  type Projected,
  type Projection,
  record,
  type Recorded,
  type Scalar,
  type StoredObject,
} from '../expression/mod.ts';
import type { QueryExecutor } from './engine.ts';
import { type QueryLimits, queryLimits } from './limits.ts';
import { checkedCount, firstOf, LocalQuery } from './local-query.ts';
import {
  type Cut,
  parsePlan,
  type PlanOperator,
  type PlanSource,
  type QueryPlan,
  shapeOf,
} from './plan.ts';
import { toArrayOf } from './results.ts';
import type { Batches } from './stages.ts';

/** A recorded condition over a T. */
export type Condition<T> = (element: Recorded<T>) => Expression<boolean | null>;
/** A recorded value of a T to order by. */
export type OrderingKey<T> = (element: Recorded<T>) => Expression<Scalar>;

export interface QueryOptions {
  /** Stops runs of this query and of all that are made from it: they reject with CANCELLED. */
  readonly signal?: AbortSignal;
  readonly limits?: QueryLimits;
}

/**
 * A query over one pool. Immutable: every operator gives a new query, and nothing runs until the
 * result is asked for; every asking runs it anew. Lambdas are recorded at once, so what cannot be
 * sent to the shards is refused where it is written (INVALID_QUERY).
 */
export class Query<T> implements AsyncIterable<T> {
  protected readonly executor: QueryExecutor;
  protected readonly plan: QueryPlan;
  protected readonly options: QueryOptions;

  constructor(executor: QueryExecutor, plan: QueryPlan, options: QueryOptions = {}) {
    this.executor = executor;
    this.plan = plan;
    this.options = options;
  }

  where(condition: Condition<T>): Query<T> {
    const predicate = record<T, Expression<boolean | null>>(condition, this.#shape());
    return this.#with({ op: 'where', predicate });
  }

  select<R extends Projection>(projection: (element: Recorded<T>) => R): Query<Projected<R>> {
    return this.#with({ op: 'select', projection: record<T, R>(projection, this.#shape()) });
  }

  /** Stable: elements of equal keys keep their order. Absent keys come first. */
  orderBy(key: OrderingKey<T>): OrderedQuery<T> {
    return this.sorted('orderBy', key, false);
  }

  orderByDescending(key: OrderingKey<T>): OrderedQuery<T> {
    return this.sorted('orderBy', key, true);
  }

  reverse(): Query<T> {
    return this.#with({ op: 'reverse' });
  }

  take(count: number): Query<T> {
    return this.#with({ op: 'take', count: checkedCount('take', count) });
  }

  skip(count: number): Query<T> {
    return this.#with({ op: 'skip', count: checkedCount('skip', count) });
  }

  /** What follows runs here, with plain functions. */
  local(): LocalQuery<T> {
    return new LocalQuery(() => this.#run<T>(this.plan), this.#limits());
  }

  async count(): Promise<number> {
    const counting = {
      ...this.plan,
      operators: [...this.plan.operators, { op: 'count' } as const],
    };
    return firstOf(await toArrayOf(this.#run<number>(counting), this.#limits()));
  }

  async any(condition?: Condition<T>): Promise<boolean> {
    const found = condition === undefined ? this : this.where(condition);
    return (await found.take(1).count()) > 0;
  }

  /** Throws NOT_FOUND when there is none. */
  async first(): Promise<T> {
    return firstOf(await this.take(1).toArray());
  }

  async firstOrNull(): Promise<T | null> {
    return (await this.take(1).toArray())[0] ?? null;
  }

  /** Throws INVALID_QUERY when there are more than `resultRows`. */
  async toArray(): Promise<T[]> {
    return toArrayOf(this.#run<T>(this.plan), this.#limits());
  }

  /** Pulls as the loop goes; leaving the loop stops the shards. */
  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for await (const batch of this.#run<T>(this.plan)) {
      yield* batch;
    }
  }

  /** What is sent: plain JSON. */
  toPlan(): QueryPlan {
    return this.plan;
  }

  protected sorted(
    op: 'orderBy' | 'thenBy',
    by: OrderingKey<T>,
    descending: boolean,
  ): OrderedQuery<T> {
    const key = record<T, Expression<Scalar>>(by, this.#shape());
    const plan = this.#planWith({ op, key, descending });
    return new OrderedQuery<T>(this.executor, plan, this.options);
  }

  #shape(): 'stored' | 'any' {
    const isProjected = this.plan.operators.some(({ op }) => op === 'select');
    return isProjected ? 'any' : shapeOf(this.plan.source.kind);
  }

  #limits(): QueryLimits {
    return this.options.limits ?? queryLimits;
  }

  #run<U>(plan: QueryPlan): Batches<U> {
    const signal = this.options.signal ?? new AbortController().signal;
    // The element type is what the lambdas were typed with.
    return this.executor.run(plan, signal) as Batches<U>;
  }

  #with<U>(operator: PlanOperator): Query<U> {
    return new Query<U>(this.executor, this.#planWith(operator), this.options);
  }

  #planWith(operator: PlanOperator): QueryPlan {
    const plan = { ...this.plan, operators: [...this.plan.operators, operator] };
    return parsePlan(plan, this.#limits());
  }
}

/** A query right after orderBy, which thenBy can refine. */
export class OrderedQuery<T> extends Query<T> {
  thenBy(key: OrderingKey<T>): OrderedQuery<T> {
    return this.sorted('thenBy', key, false);
  }

  thenByDescending(key: OrderingKey<T>): OrderedQuery<T> {
    return this.sorted('thenBy', key, true);
  }
}

/** Where a query begins. */
export interface QueryStart extends QueryOptions {
  readonly pool: string;
  /** Null is now. */
  readonly at: Cut | null;
  readonly axis: TimeAxis;
}

/** All versions of the keys of a pool without the removals, by version. */
export function queryVersions<V>(
  executor: QueryExecutor,
  start: QueryStart,
): Query<StoredObject<V>> {
  return begin(executor, start, 'versions');
}

/** The newest object of each key, by key. */
export function queryObjects<V>(
  executor: QueryExecutor,
  start: QueryStart,
): Query<StoredObject<V>> {
  return begin(executor, start, 'objects');
}

/** The keys that have an object, in order. */
export function queryKeys(executor: QueryExecutor, start: QueryStart): Query<string> {
  return begin(executor, start, 'keys');
}

function begin<T>(
  executor: QueryExecutor,
  { pool, at, axis, ...options }: QueryStart,
  kind: PlanSource['kind'],
): Query<T> {
  const plan = parsePlan({ v: 1, source: { pool, kind, at, axis }, operators: [] });
  return new Query<T>(executor, plan, options);
}
