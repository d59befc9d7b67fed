import { checkPoolName, type ScanRequest, type SchemaKind, type TimeAxis } from '../base/mod.ts';
import {
  boundsOf,
  compileNative,
  type ExpressionTree,
  fieldPathOf,
  intersect,
  openBounds,
  parseTree,
  type Range,
  type ScanBounds,
  usesField,
} from '../expression/mod.ts';
import {
  booleanAt,
  listAt,
  naturalAt,
  objectAt,
  oneOfAt,
  textAt,
  versionAt,
} from './json-shape.ts';
import { type QueryLimits, queryLimits } from './limits.ts';
import { type Cut, parseSource } from './plan.ts';

/**
 * What one shard does of a query, as plain JSON: all trees are over stored objects. The member of
 * the shard makes the native program itself, so no program ever crosses the network.
 */
export interface ShardPlan {
  readonly v: 1;
  readonly pool: string;
  readonly kind: 'versions' | 'objects';
  readonly at: Cut | null;
  readonly axis: TimeAxis;
  /** How the pool's values are encoded. */
  readonly values: SchemaKind;
  /** All must hold. */
  readonly where: readonly ExpressionTree[];
  readonly order: readonly OrderKey[];
  /** Whether the base order, which settles ties, is descending. */
  readonly baseDescending: boolean;
  /** What becomes of a stored object; null leaves it. */
  readonly select: ExpressionTree | null;
  /** Rows that are enough from one shard; at least 1. */
  readonly limit: number | null;
  /** A count is given as one row whose item is the number. */
  readonly result: 'rows' | 'count';
}

export interface OrderKey {
  readonly key: ExpressionTree;
  readonly descending: boolean;
}

/** How a shard brings its rows into order. */
export type OrderStrategy =
  /** The scan gives the order; `limit` may be left to it. */
  | 'scan'
  /** The scan gives the order but for records of one version. */
  | 'scan-groups'
  /** Rows are collected and sorted. */
  | 'sort';

export interface CompiledScan {
  readonly request: ScanRequest;
  /** What the program does not decide. */
  readonly residue: ExpressionTree | null;
  readonly strategy: OrderStrategy;
}

/** The scan that a plan needs, or null when nothing can be found. */
export function compileScan(plan: ShardPlan): CompiledScan | null {
  const predicate: ExpressionTree = {
    v: 1,
    body: { op: 'and', args: plan.where.map((tree) => tree.body) },
  };
  const bounds = intersect({ ...openBounds, prefix: `${plan.pool}/` }, boundsOf(predicate));
  const narrowed = narrow(plan, bounds);
  if (bounds.isEmpty || isEmptyCut(narrowed)) {
    return null;
  }
  const { program, residue } = compileNative(predicate);
  const { strategy, reverse } = orderStrategyOf(plan);
  return {
    request: {
      prefix: bounds.prefix,
      kind: plan.kind,
      ...narrowed,
      reverse,
      limit: residue === null && strategy === 'scan' ? plan.limit : null,
      program,
      wantValues: wantsValues(plan),
    },
    residue,
    strategy,
  };
}

type Narrowed = Pick<ScanRequest, 'fromVersion' | 'toVersion' | 'fromTime' | 'atTime' | 'atAxis'>;

/**
 * For objects the upper ends choose the cut: bounds of the predicate must not lower them, or an
 * older object would show in place of the newest, which does not pass.
 */
function narrow({ kind, at, axis }: ShardPlan, { version, time }: ScanBounds): Narrowed {
  const cutVersion = at !== null && 'version' in at ? at.version : null;
  const cutTime = at !== null && 'time' in at ? at.time : null;
  const from = { fromVersion: lowEnd(version), fromTime: time.from };
  if (kind === 'objects') {
    return { ...from, toVersion: cutVersion, atTime: cutTime, atAxis: axis };
  }
  const toVersion = lesser(cutVersion, version.to);
  if (cutTime !== null && axis === 'event') {
    return { ...from, toVersion, atTime: cutTime, atAxis: axis };
  }
  const atTime = lesser(cutTime, time.to);
  return {
    ...from,
    toVersion,
    atTime,
    atAxis: cutTime === null && atTime !== null ? 'commit' : axis,
  };
}

function lowEnd({ from }: Range): number | null {
  return from === null || from <= 1 ? null : from;
}

function lesser(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

function isEmptyCut({ fromVersion, toVersion }: Narrowed): boolean {
  return toVersion !== null && toVersion < (fromVersion ?? 1);
}

/** Versions and commit times rise together within a shard. */
function orderStrategyOf(plan: ShardPlan): { strategy: OrderStrategy; reverse: boolean } {
  const [first] = plan.order;
  if (first === undefined || plan.result === 'count') {
    return { strategy: 'scan', reverse: plan.result === 'rows' && plan.baseDescending };
  }
  const risesWithScan = ({ key }: OrderKey): boolean => {
    const [name, ...below] = fieldPathOf(key) ?? [];
    return below.length === 0 && (name === 'version' || name === 'time');
  };
  if (plan.kind !== 'versions' || !risesWithScan(first)) {
    return { strategy: 'sort', reverse: false };
  }
  const isExact = plan.order.every(risesWithScan) && first.descending === plan.baseDescending;
  return { strategy: isExact ? 'scan' : 'scan-groups', reverse: first.descending };
}

/** Whether anything that the shard does looks at the value. */
function wantsValues({ where, order, select, result }: ShardPlan): boolean {
  const looks = (tree: ExpressionTree): boolean => usesField(tree, 'value');
  const givesRows = result === 'rows';
  return (
    where.some(looks) ||
    (givesRows && (order.some(({ key }) => looks(key)) || select === null || looks(select)))
  );
}

/**
 * Checks and copies a shard plan that arrived. Throws INVALID_QUERY with the place. A path that no
 * stored object has is absent here: what follows a select may come to look at one.
 */
export function parseShardPlan(input: unknown, limits: QueryLimits = queryLimits): ShardPlan {
  const names = ['v', 'pool', 'kind', 'at', 'axis', 'values', 'where', 'order'];
  const rest = ['baseDescending', 'select', 'limit', 'result'];
  const plan = objectAt(input, 'shard plan', [...names, ...rest]);
  const { pool, kind, at, axis } = plan;
  const source = parseSource({ pool, kind, at, axis }, 'shard plan');
  const where = listAt(plan['where'], 'shard plan.where', limits.operators);
  const order = listAt(plan['order'], 'shard plan.order', limits.operators);
  return {
    v: versionAt(plan['v'], 'shard plan.v'),
    pool: checkPoolName(textAt(pool, 'shard plan.pool')),
    kind: oneOfAt(source.kind, 'shard plan.kind', ['versions', 'objects']),
    at: source.at,
    axis: source.axis,
    values: oneOfAt(plan['values'], 'shard plan.values', ['json', 'msgpack', 'raw']),
    where: where.map((tree) => parseTree(tree)),
    order: order.map((item, i) => {
      const at = `shard plan.order.${String(i)}`;
      const one = objectAt(item, at, ['key', 'descending']);
      return {
        key: parseTree(one['key']),
        descending: booleanAt(one['descending'], `${at}.descending`),
      };
    }),
    baseDescending: booleanAt(plan['baseDescending'], 'shard plan.baseDescending'),
    select: plan['select'] === null ? null : parseTree(plan['select']),
    limit: plan['limit'] === null ? null : naturalAt(plan['limit'], 'shard plan.limit', 1),
    result: oneOfAt(plan['result'], 'shard plan.result', ['rows', 'count']),
  };
}
