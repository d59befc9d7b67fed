/**
 * What an expression means, compiled once to closures. Evaluation never throws.
 *
 * - *Absent* is null: a missing field, a field of something that has none, a number that is not
 *   finite, an index outside a list.
 * - `eq` is true for equal texts, numbers or booleans. With an absent side, two types, or objects
 *   it is false. `ne` is the opposite of `eq` always, so it is true with an absent side.
 * - `lt lte gt gte between` hold between two numbers or two texts (by UTF-8 bytes), else are
 *   false.
 * - `startsWith endsWith includes` hold between two texts, `includes` also between a list and a
 *   scalar in it (as `eq`), else are false.
 * - Logic has two values: only `true` is true, `not` of anything else is true.
 * - `add sub mul div` give absent unless both sides are numbers and the result is finite.
 * - `length` counts the UTF-16 units of a text or the items of a list, else is absent.
 * - `at` takes a whole index from 0, or from -1 backwards.
 * - `orElse` gives its second argument where the first is absent.
 */
import { compareText } from '../base/mod.ts';
import { type ExpressionNode, type ExpressionTree, isCall, type Operator } from './tree.ts';

/** From an element to a value. */
export type Evaluator = (element: unknown) => unknown;

/** Compiles a tree; the result is pure. Compile once, call for every element. */
export function compile(tree: ExpressionTree): Evaluator {
  return compileNode(tree.body);
}

/** As `compile`, for a condition. */
export function compilePredicate(tree: ExpressionTree): (element: unknown) => boolean {
  const evaluator = compileNode(tree.body);
  return (element) => evaluator(element) === true;
}

/** The value of a tree for one element. */
export function evaluate(tree: ExpressionTree, element: unknown): unknown {
  return compile(tree)(element);
}

/** The value of one call without the element: for constant folding. */
export function evaluateNode(node: ExpressionNode): unknown {
  return compileNode(node)(null);
}

function compileNode(node: ExpressionNode): Evaluator {
  if (isCall(node)) {
    return compileCall(node.op, node.args.map(compileNode));
  }
  switch (node.op) {
    case 'const': {
      const { value } = node;
      return () => value;
    }
    case 'field':
      return compileField(node.of === null ? null : compileNode(node.of), node.path);
    case 'record': {
      const fields = Object.entries(node.fields).map(
        ([name, value]) => [name, compileNode(value)] as const,
      );
      return (element) => {
        const made: Record<string, unknown> = {};
        for (const [name, evaluator] of fields) {
          made[name] = evaluator(element);
        }
        return made;
      };
    }
    case 'list': {
      const items = node.items.map(compileNode);
      return (element) => items.map((evaluator) => evaluator(element));
    }
  }
}

function compileField(of: Evaluator | null, path: readonly string[]): Evaluator {
  const [only] = path;
  if (of === null && path.length === 1 && only !== undefined) {
    return (element) => stepInto(element, only);
  }
  return (element) => {
    let value = of === null ? present(element) : of(element);
    for (const name of path) {
      value = stepInto(value, name);
    }
    return value;
  };
}

function stepInto(value: unknown, name: string): unknown {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    ArrayBuffer.isView(value) ||
    !Object.hasOwn(value, name)
  ) {
    return null;
  }
  return present((value as Readonly<Record<string, unknown>>)[name]);
}

/** Absent has one form. */
function present(value: unknown): unknown {
  return value === undefined || (typeof value === 'number' && !Number.isFinite(value))
    ? null
    : value;
}

type Args = readonly Evaluator[];
type Relation = (a: unknown, b: unknown) => unknown;

function compileCall(op: Operator, args: Args): Evaluator {
  const first = at(args, 0);
  switch (op) {
    case 'and':
      return (element) => args.every((arg) => arg(element) === true);
    case 'or':
      return (element) => args.some((arg) => arg(element) === true);
    case 'not':
      return (element) => first(element) !== true;
    case 'isNull':
      return (element) => first(element) === null;
    case 'isNotNull':
      return (element) => first(element) !== null;
    case 'length':
      return (element) => lengthOf(first(element));
    case 'between': {
      const [low, high] = [at(args, 1), at(args, 2)];
      return (element) => {
        const value = first(element);
        return order(value, low(element)) >= 0 && order(value, high(element)) <= 0;
      };
    }
    default: {
      const second = at(args, 1);
      const relation = relations[op];
      return (element) => relation(first(element), second(element));
    }
  }
}

type Binary = Exclude<
  Operator,
  'and' | 'or' | 'not' | 'isNull' | 'isNotNull' | 'length' | 'between'
>;

const relations: Readonly<Record<Binary, Relation>> = Object.freeze({
  eq: isEqual,
  ne: (a, b) => !isEqual(a, b),
  lt: (a, b) => order(a, b) < 0,
  lte: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  gte: (a, b) => order(a, b) >= 0,
  startsWith: (a, b) => typeof a === 'string' && typeof b === 'string' && a.startsWith(b),
  endsWith: (a, b) => typeof a === 'string' && typeof b === 'string' && a.endsWith(b),
  includes: (a, b) =>
    Array.isArray(a)
      ? a.some((item) => isEqual(item, b))
      : typeof a === 'string' && typeof b === 'string' && a.includes(b),
  add: (a, b) => arithmetic(a, b, (x, y) => x + y),
  sub: (a, b) => arithmetic(a, b, (x, y) => x - y),
  mul: (a, b) => arithmetic(a, b, (x, y) => x * y),
  div: (a, b) => arithmetic(a, b, (x, y) => x / y),
  at: (a, b) => (Array.isArray(a) && Number.isInteger(b) ? present(a.at(b as number)) : null),
  orElse: (a, b) => a ?? b,
});

function isEqual(a: unknown, b: unknown): boolean {
  return a === b && (typeof a === 'string' || typeof a === 'number' || typeof a === 'boolean');
}

/** Like a subtraction; NaN, with which every comparison is false, where there is no order. */
function order(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') {
    return a < b ? -1 : a > b ? 1 : a === b ? 0 : NaN;
  }
  return typeof a === 'string' && typeof b === 'string' ? compareText(a, b) : NaN;
}

function arithmetic(a: unknown, b: unknown, of: (x: number, y: number) => number): unknown {
  return typeof a === 'number' && typeof b === 'number' ? present(of(a, b)) : null;
}

function lengthOf(value: unknown): number | null {
  return typeof value === 'string' || Array.isArray(value) ? value.length : null;
}

function at(args: Args, index: number): Evaluator {
  return args[index] ?? (() => null);
}
