/**
 * The serialisable form of a recorded lambda. A tree has one parameter, the *element*: a stored
 * object, or what an earlier `select` made of it. It is plain JSON; `v` changes when a reader of
 * the older form could misread it.
 */

export type Scalar = string | number | boolean | null;

export interface ExpressionTree {
  readonly v: 1;
  readonly body: ExpressionNode;
}

export type ExpressionNode = ConstNode | FieldNode | CallNode | RecordNode | ListNode;

/** A constant. Numbers are finite, texts are well-formed Unicode. */
export interface ConstNode {
  readonly op: 'const';
  readonly value: Scalar;
}

/** The value at `path` inside `of`; `of: null` is the element, an empty path is `of` itself. */
export interface FieldNode {
  readonly op: 'field';
  readonly of: ExpressionNode | null;
  readonly path: readonly string[];
}

/** A method of the recorder, the receiver first. */
export interface CallNode {
  readonly op: Operator;
  readonly args: readonly ExpressionNode[];
}

/** A new object, for projections. */
export interface RecordNode {
  readonly op: 'record';
  readonly fields: Readonly<Record<string, ExpressionNode>>;
}

/** A new array, for projections. */
export interface ListNode {
  readonly op: 'list';
  readonly items: readonly ExpressionNode[];
}

export type Kind = 'boolean' | 'number' | 'any';

export interface OperatorEntry {
  /** Fewest and most arguments, the receiver included. */
  readonly min: number;
  readonly max: number;
  /** What it gives, as far as that does not hang on the arguments. */
  readonly kind: Kind;
}

const entry = (count: number, kind: Kind, max = count): OperatorEntry =>
  Object.freeze({ min: count, max, kind });

/** Every operator by its method name in the recorder. Meanings are in `evaluate.ts`. */
export const operators = Object.freeze({
  eq: entry(2, 'boolean'),
  ne: entry(2, 'boolean'),
  lt: entry(2, 'boolean'),
  lte: entry(2, 'boolean'),
  gt: entry(2, 'boolean'),
  gte: entry(2, 'boolean'),
  between: entry(3, 'boolean'),
  startsWith: entry(2, 'boolean'),
  endsWith: entry(2, 'boolean'),
  includes: entry(2, 'boolean'),
  and: entry(1, 'boolean', Infinity),
  or: entry(1, 'boolean', Infinity),
  not: entry(1, 'boolean'),
  isNull: entry(1, 'boolean'),
  isNotNull: entry(1, 'boolean'),
  add: entry(2, 'number'),
  sub: entry(2, 'number'),
  mul: entry(2, 'number'),
  div: entry(2, 'number'),
  length: entry(1, 'number'),
  at: entry(2, 'any'),
  orElse: entry(2, 'any'),
} satisfies Record<string, OperatorEntry>);

export type Operator = keyof typeof operators;

export const operatorNames: readonly Operator[] = Object.freeze(
  Object.keys(operators) as Operator[],
);

export function isOperator(name: unknown): name is Operator {
  return typeof name === 'string' && Object.hasOwn(operators, name);
}

export function treeOf(body: ExpressionNode): ExpressionTree {
  return { v: 1, body };
}

export function constant(value: Scalar): ConstNode {
  return { op: 'const', value };
}

export function isCall(node: ExpressionNode): node is CallNode {
  return isOperator(node.op);
}

/** A field of the element, or of another node. */
export function field(path: readonly string[], of: ExpressionNode | null = null): FieldNode {
  return { op: 'field', of, path };
}

/** The nodes directly below one node. */
export function childrenOf(node: ExpressionNode): readonly ExpressionNode[] {
  switch (node.op) {
    case 'const':
      return [];
    case 'field':
      return node.of === null ? [] : [node.of];
    case 'record':
      return Object.values(node.fields);
    case 'list':
      return node.items;
    default:
      return node.args;
  }
}

/** The part as a reader would write it, shortened; for messages. */
export function describe(node: ExpressionNode): string {
  const text = write(node);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

function write(node: ExpressionNode): string {
  switch (node.op) {
    case 'const':
      return JSON.stringify(node.value);
    case 'field':
      return [node.of === null ? 'o' : write(node.of), ...node.path].join('.');
    case 'record': {
      const fields = Object.entries(node.fields).map(([name, value]) => `${name}: ${write(value)}`);
      return `{${fields.join(', ')}}`;
    }
    case 'list':
      return `[${node.items.map(write).join(', ')}]`;
    default: {
      const [receiver, ...rest] = node.args.map(write);
      return `${receiver ?? ''}.${node.op}(${rest.join(', ')})`;
    }
  }
}
