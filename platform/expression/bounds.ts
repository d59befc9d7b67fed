import { conjunctsOf } from './transform.ts';
import { type CallNode, type ExpressionNode, type ExpressionTree, isCall } from './tree.ts';

/** Both ends included; null is open. */
export interface Range {
  readonly from: number | null;
  readonly to: number | null;
}

/**
 * What every record that passes a predicate has in common, so that a scan can be narrowed. It says
 * less than the predicate, never more.
 */
export interface ScanBounds {
  /** The key starts with it; empty where nothing is known. */
  readonly prefix: string;
  readonly version: Range;
  /** Commit time, µs. */
  readonly time: Range;
  /** True when no record can pass. */
  readonly isEmpty: boolean;
}

const open: Range = Object.freeze({ from: null, to: null });

export const openBounds: ScanBounds = Object.freeze({
  prefix: '',
  version: open,
  time: open,
  isEmpty: false,
});

/** The bounds of a predicate over a stored object. */
export function boundsOf(predicate: ExpressionTree): ScanBounds {
  return conjunctsOf(predicate).map(boundsOfOne).reduce(intersect, openBounds);
}

/** What both have in common. */
export function intersect(a: ScanBounds, b: ScanBounds): ScanBounds {
  const longer = a.prefix.length >= b.prefix.length ? a.prefix : b.prefix;
  const shorter = longer === a.prefix ? b.prefix : a.prefix;
  const version = intersectRanges(a.version, b.version);
  const time = intersectRanges(a.time, b.time);
  return {
    prefix: longer,
    version,
    time,
    isEmpty:
      a.isEmpty ||
      b.isEmpty ||
      !longer.startsWith(shorter) ||
      isEmptyRange(version) ||
      isEmptyRange(time),
  };
}

export function intersectRanges(a: Range, b: Range): Range {
  return {
    from: a.from === null || b.from === null ? (a.from ?? b.from) : Math.max(a.from, b.from),
    to: a.to === null || b.to === null ? (a.to ?? b.to) : Math.min(a.to, b.to),
  };
}

function isEmptyRange({ from, to }: Range): boolean {
  return from !== null && to !== null && from > to;
}

function boundsOfOne(node: ExpressionNode): ScanBounds {
  if (node.op === 'const') {
    return { ...openBounds, isEmpty: node.value !== true };
  }
  if (!isCall(node)) {
    return openBounds;
  }
  if (node.op === 'between') {
    const [value, low, high] = node.args;
    return value && low && high
      ? intersect(
          boundsOfOne({ op: 'gte', args: [value, low] }),
          boundsOfOne({ op: 'lte', args: [value, high] }),
        )
      : openBounds;
  }
  return boundsOfRelation(node.op, node.args) ?? boundsOfMirrored(node) ?? openBounds;
}

const mirrored: Readonly<Record<string, CallNode['op']>> = Object.freeze({
  eq: 'eq',
  lt: 'gt',
  lte: 'gte',
  gt: 'lt',
  gte: 'lte',
});

/** `5 < version` is `version > 5`. */
function boundsOfMirrored({ op, args }: CallNode): ScanBounds | null {
  const turned = mirrored[op];
  return turned === undefined ? null : boundsOfRelation(turned, [...args].reverse());
}

function boundsOfRelation(op: string, args: readonly ExpressionNode[]): ScanBounds | null {
  const [left, right] = args;
  if (left?.op !== 'field' || left.of !== null || left.path.length !== 1 || right?.op !== 'const') {
    return null;
  }
  const name = left.path[0];
  const { value } = right;
  if (name === 'key' && typeof value === 'string') {
    return op === 'eq' || op === 'startsWith' ? { ...openBounds, prefix: value } : null;
  }
  if ((name === 'version' || name === 'time') && typeof value === 'number') {
    const range = rangeOf(op, value);
    return range === null ? null : { ...openBounds, [name]: range };
  }
  return null;
}

/** The whole numbers that a comparison allows; null where it bounds nothing. */
function rangeOf(op: string, value: number): Range | null {
  const limit = Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
  switch (op) {
    case 'eq':
      return { from: Math.ceil(limit), to: Math.floor(limit) };
    case 'gt':
      return { from: Math.floor(limit) + (limit === value ? 1 : 0), to: null };
    case 'gte':
      return { from: Math.ceil(limit), to: null };
    case 'lt':
      return { from: null, to: Math.ceil(limit) - (limit === value ? 1 : 0) };
    case 'lte':
      return { from: null, to: Math.floor(limit) };
    default:
      return null;
  }
}
