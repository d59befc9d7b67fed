import { checkPoolName, nearestName, type TimeAxis } from '../base/mod.ts';
import {
  canBeCondition,
  describe,
  type ElementShape,
  type ExpressionTree,
  parseTree,
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
import { refusal } from './refuse.ts';

/**
 * The logical plan: what a query says, as plain JSON. It crosses doors, so it is parsed wherever
 * it arrives. An operator that is not known here is refused: to leave it out would change the
 * result.
 */
export interface QueryPlan {
  readonly v: 1;
  readonly source: PlanSource;
  readonly operators: readonly PlanOperator[];
}

export interface PlanSource {
  readonly pool: string;
  /** All versions, the newest object of each key, or the keys alone. */
  readonly kind: SourceKind;
  /** The cut: up to a version of each shard, or up to a time (µs) on `axis`; null is now. */
  readonly at: Cut | null;
  readonly axis: TimeAxis;
}

export type SourceKind = 'versions' | 'objects' | 'keys';
export type Cut = { readonly version: number } | { readonly time: number };

export type PlanOperator =
  | { readonly op: 'where'; readonly predicate: ExpressionTree }
  | { readonly op: 'select'; readonly projection: ExpressionTree }
  | SortOperator
  | { readonly op: 'reverse' }
  | { readonly op: 'take'; readonly count: number }
  | { readonly op: 'skip'; readonly count: number }
  | { readonly op: 'count' };

export interface SortOperator {
  readonly op: 'orderBy' | 'thenBy';
  readonly key: ExpressionTree;
  readonly descending: boolean;
}

const operatorNames = [
  'where',
  'select',
  'orderBy',
  'thenBy',
  'reverse',
  'take',
  'skip',
  'count',
] as const;

/** Checks and copies a plan that arrived. Throws INVALID_QUERY or INVALID_KEY with the place. */
export function parsePlan(input: unknown, limits: QueryLimits = queryLimits): QueryPlan {
  const plan = objectAt(input, 'plan', ['v', 'source', 'operators']);
  versionAt(plan['v'], 'plan.v');
  const source = parseSource(plan['source'], 'plan.source');
  const operators: PlanOperator[] = [];
  let shape: ElementShape = shapeOf(source.kind);
  for (const [i, item] of listAt(plan['operators'], 'plan.operators', limits.operators).entries()) {
    const operator = parseOperator(item, `plan.operators.${String(i)}`, shape);
    checkPlace(operator, operators.at(-1));
    operators.push(operator);
    if (operator.op === 'select') {
      shape = 'any';
    }
  }
  return { v: 1, source, operators };
}

/** What the elements of a source are, before any select. */
export function shapeOf(kind: SourceKind): ElementShape {
  return kind === 'keys' ? 'any' : 'stored';
}

export function parseSource(input: unknown, at: string): PlanSource {
  const source = objectAt(input, at, ['pool', 'kind', 'at', 'axis']);
  return {
    pool: checkPoolName(textAt(source['pool'], `${at}.pool`)),
    kind: oneOfAt(source['kind'], `${at}.kind`, ['versions', 'objects', 'keys']),
    at: parseCut(source['at'], `${at}.at`),
    axis: oneOfAt(source['axis'], `${at}.axis`, ['commit', 'event']),
  };
}

function parseCut(input: unknown, at: string): Cut | null {
  if (input === null) {
    return null;
  }
  if (typeof input === 'object' && Object.hasOwn(input, 'version')) {
    return { version: naturalAt(objectAt(input, at, ['version'])['version'], `${at}.version`, 0) };
  }
  const time = objectAt(input, at, ['time'])['time'];
  return { time: naturalAt(time, `${at}.time`, Number.MIN_SAFE_INTEGER) };
}

function parseOperator(input: unknown, at: string, shape: ElementShape): PlanOperator {
  const name = typeof input === 'object' && input !== null ? (input as { op?: unknown }).op : null;
  const op = operatorNames.find((known) => known === name);
  switch (op) {
    case 'where':
      return { op, predicate: parseCondition(objectAt(input, at, ['op', 'predicate']), at, shape) };
    case 'select': {
      const { projection } = objectAt(input, at, ['op', 'projection']) as { projection: unknown };
      return { op, projection: parseTree(projection, shape) };
    }
    case 'orderBy':
    case 'thenBy': {
      const sort = objectAt(input, at, ['op', 'key', 'descending']);
      const descending = booleanAt(sort['descending'], `${at}.descending`);
      return { op, key: parseTree(sort['key'], shape), descending };
    }
    case 'take':
    case 'skip':
      return {
        op,
        count: naturalAt(objectAt(input, at, ['op', 'count'])['count'], `${at}.count`, 0),
      };
    case 'reverse':
    case 'count':
      objectAt(input, at, ['op']);
      return { op };
    case undefined: {
      const near = typeof name === 'string' ? nearestName(name, operatorNames) : null;
      throw refusal(
        `${at} is the unknown operator ${typeof name === 'string' ? JSON.stringify(name) : '?'}`,
        near === null ? `Use one of ${operatorNames.join(', ')}` : `Did you mean ${near}?`,
      );
    }
  }
}

function parseCondition(
  operator: Readonly<Record<string, unknown>>,
  at: string,
  shape: ElementShape,
): ExpressionTree {
  const predicate = parseTree(operator['predicate'], shape);
  if (!canBeCondition(predicate.body)) {
    throw refusal(
      `${at} asks for ${describe(predicate.body)}, which is no condition`,
      'Compare it',
    );
  }
  return predicate;
}

function checkPlace(operator: PlanOperator, before: PlanOperator | undefined): void {
  if (before?.op === 'count') {
    throw refusal(`${operator.op} follows count`, 'Put count last');
  }
  if (operator.op === 'thenBy' && before?.op !== 'orderBy' && before?.op !== 'thenBy') {
    throw refusal('thenBy does not follow orderBy', 'Put orderBy before thenBy');
  }
}
