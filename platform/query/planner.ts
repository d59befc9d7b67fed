import type { SchemaKind } from '../base/mod.ts';
import { compose, type ExpressionTree, fieldPathOf } from '../expression/mod.ts';
import type { PlanOperator, QueryPlan, SourceKind } from './plan.ts';
import type { RowOrder } from './row-order.ts';
import type { OrderKey, ShardPlan } from './shard-plan.ts';

/** How a query runs: the same plan at every shard, then one merge. */
export interface PhysicalPlan {
  /** Null when nothing is asked for (`take(0)`). */
  readonly shard: ShardPlan | null;
  readonly merge: MergePlan;
}

export interface MergePlan {
  readonly order: RowOrder;
  /** Rows left out at the front, after merging. */
  readonly skip: number;
  /** Rows given at most. */
  readonly take: number | null;
  /** What could not be left to the shards, in order, over what they give. */
  readonly rest: readonly PlanOperator[];
  /** A count adds up what the shards counted. */
  readonly result: 'rows' | 'count';
}

/**
 * Up to the first take, skip or count all operators commute to one filter, one order and one
 * projection over stored objects, which every shard can do by itself. Each shard then gives the
 * first skip + take of its rows: the first of all rows are among them. What follows is left to the
 * merge.
 */
export function planQuery(plan: QueryPlan, values: SchemaKind): PhysicalPlan {
  const { source, operators } = plan;
  const gathering = new Gathering(source.kind);
  let next = 0;
  for (; next < operators.length; next++) {
    const operator = operators[next];
    if (operator === undefined || !gathering.takeIn(operator)) {
      break;
    }
  }
  const window = new Window();
  for (; next < operators.length; next++) {
    const operator = operators[next];
    if (operator?.op === 'select') {
      gathering.takeIn(operator);
    } else if (operator === undefined || !window.takeIn(operator)) {
      break;
    }
  }
  const counts = operators[next]?.op === 'count';
  const rest = counts ? [] : operators.slice(next);
  const result = counts ? 'count' : 'rows';
  const order = counts ? { keys: [], baseDescending: false } : gathering.order();
  const limit = window.take === null ? null : window.skip + window.take;
  const kind = source.kind === 'keys' ? 'objects' : source.kind;
  const shard: ShardPlan = {
    v: 1,
    pool: source.pool,
    kind,
    at: source.at,
    axis: source.axis,
    values,
    where: gathering.where,
    order: order.keys,
    baseDescending: order.baseDescending,
    select: counts ? null : gathering.projection,
    limit: limit !== null && Number.isSafeInteger(limit) ? limit : null,
    result,
  };
  const rowOrder = {
    kind,
    descending: order.keys.map(({ descending }) => descending),
    baseDescending: order.baseDescending,
  };
  return {
    shard: window.take === 0 ? null : shard,
    merge: { order: rowOrder, skip: window.skip, take: window.take, rest, result },
  };
}

const keyField: ExpressionTree = { v: 1, body: { op: 'field', of: null, path: ['key'] } };

/** The operators before the first window, said over stored objects. */
class Gathering {
  readonly where: ExpressionTree[] = [];
  projection: ExpressionTree | null;
  readonly #kind: SourceKind;
  #keys: OrderKey[] = [];
  /** Keys of the newest orderBy and its thenBy: a further thenBy goes behind them. */
  #groupSize = 0;
  #baseDescending = false;

  constructor(kind: SourceKind) {
    this.#kind = kind;
    this.projection = kind === 'keys' ? keyField : null;
  }

  /** False when the operator is not one of these. */
  takeIn(operator: PlanOperator): boolean {
    switch (operator.op) {
      case 'where':
        this.where.push(this.#overSource(operator.predicate));
        return true;
      case 'select':
        this.projection = this.#overSource(operator.projection);
        return true;
      case 'orderBy':
        this.#groupSize = 0;
        this.#addKey(operator.key, operator.descending);
        return true;
      case 'thenBy':
        this.#addKey(operator.key, operator.descending);
        return true;
      case 'reverse':
        this.#keys = this.#keys.map(({ key, descending }) => ({ key, descending: !descending }));
        this.#baseDescending = !this.#baseDescending;
        return true;
      default:
        return false;
    }
  }

  /** The order without keys that decide nothing. */
  order(): { readonly keys: readonly OrderKey[]; readonly baseDescending: boolean } {
    const keys: OrderKey[] = [];
    const seen = new Set<string>();
    for (const one of this.#keys) {
      const path = fieldPathOf(one.key);
      if (this.#kind !== 'versions' && path?.length === 1 && path[0] === 'key') {
        // No two objects share a key, and it is the base order.
        return { keys, baseDescending: one.descending };
      }
      const text = JSON.stringify(one.key);
      if (!seen.has(text)) {
        seen.add(text);
        keys.push(one);
      }
    }
    while (this.#kind === 'versions' && this.#repeatsBase(keys.at(-1))) {
      keys.pop();
    }
    return { keys, baseDescending: this.#baseDescending };
  }

  #repeatsBase(last: OrderKey | undefined): boolean {
    const path = last === undefined ? null : fieldPathOf(last.key);
    return path?.length === 1 && path[0] === 'version' && last?.descending === this.#baseDescending;
  }

  #addKey(key: ExpressionTree, descending: boolean): void {
    const one = { key: this.#overSource(key), descending };
    this.#keys = this.#keys.toSpliced(this.#groupSize, 0, one);
    this.#groupSize++;
  }

  #overSource(tree: ExpressionTree): ExpressionTree {
    return this.projection === null ? tree : compose(tree, this.projection);
  }
}

/** Consecutive skips and takes as one. */
class Window {
  skip = 0;
  take: number | null = null;

  takeIn(operator: PlanOperator): boolean {
    if (operator.op === 'take') {
      this.take = Math.min(this.take ?? Infinity, operator.count);
      return true;
    }
    if (operator.op === 'skip') {
      this.skip = Math.min(this.skip + operator.count, Number.MAX_SAFE_INTEGER);
      this.take = this.take === null ? null : Math.max(0, this.take - operator.count);
      return true;
    }
    return false;
  }
}
