import { nativeLimits } from './limits.ts';
import {
  encodeOne,
  type NativeField,
  nativeFields,
  type NativeInstruction,
  type NativeOpcode,
  type NativeType,
} from './native-program.ts';
import { conjunction, conjunctsOf } from './transform.ts';
import { type CallNode, type ExpressionNode, type ExpressionTree, isCall } from './tree.ts';

export interface NativeSplit {
  /** The part that native code decides, or null where it decides nothing. */
  readonly program: Uint8Array | null;
  /** What is left to decide on the records that the program passes, or null. */
  readonly residue: ExpressionTree | null;
}

/**
 * Splits a predicate over a stored object: a record passes the predicate exactly when it passes
 * both parts. The program takes every part of the top conjunction that looks at nothing but key,
 * version, time, eventTime and size, as long as the program stays within its limits.
 */
export function compileNative(predicate: ExpressionTree): NativeSplit {
  const residue: ExpressionNode[] = [];
  let taken: Compiled | null = null;
  for (const conjunct of conjunctsOf(predicate)) {
    const part = compileCondition(conjunct);
    const both: Compiled | null =
      part === null || taken === null ? part : join('and', [taken, part], 'boolean');
    if (both === null || !fits(both)) {
      residue.push(conjunct);
    } else {
      taken = both;
    }
  }
  return { program: taken === null ? null : concat(taken.parts), residue: conjunction(residue) };
}

/** Instructions that leave one entry, with what they need. */
interface Compiled {
  readonly type: NativeType;
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  readonly depth: number;
}

const comparisons: Readonly<Record<string, NativeOpcode>> = Object.freeze({
  eq: 'eq',
  ne: 'ne',
  lt: 'lt',
  lte: 'le',
  gt: 'gt',
  gte: 'ge',
});
const textRelations: Readonly<Record<string, NativeOpcode>> = Object.freeze({
  startsWith: 'startsWith',
  endsWith: 'endsWith',
  includes: 'contains',
});

function compileCondition(node: ExpressionNode): Compiled | null {
  if (node.op === 'const' && typeof node.value === 'boolean') {
    const zero = push({ op: 'pushNumber', value: 0 }, 'number');
    return join(node.value ? 'eq' : 'ne', [zero, zero], 'boolean');
  }
  if (!isCall(node)) {
    return null;
  }
  switch (node.op) {
    case 'and':
    case 'or':
      return compileLogic(node.op, node.args);
    case 'not': {
      const part = compileAll(node.args, compileCondition);
      return part === null ? null : join('not', part, 'boolean');
    }
    case 'isNull':
    case 'isNotNull':
      return compileNullCheck(node);
    case 'between':
      return compileBetween(node);
    default:
      return compileRelation(node);
  }
}

function compileLogic(op: 'and' | 'or', args: readonly ExpressionNode[]): Compiled | null {
  const parts = compileAll(args, compileCondition);
  if (parts === null) {
    return null;
  }
  return parts.reduce((left, right) => join(op, [left, right], 'boolean'));
}

/** NaN is the one number that does not equal itself. */
function compileNullCheck({ op, args }: CallNode): Compiled | null {
  const operand = compileAll(args, compileOperand)?.[0];
  return operand?.type === 'number'
    ? join(op === 'isNull' ? 'ne' : 'eq', [operand, operand], 'boolean')
    : null;
}

function compileBetween({ args }: CallNode): Compiled | null {
  const [value, low, high] = compileAll(args, compileOperand) ?? [];
  if (value?.type !== low?.type || value?.type !== high?.type || !value || !low || !high) {
    return null;
  }
  return join(
    'and',
    [join('ge', [value, low], 'boolean'), join('le', [value, high], 'boolean')],
    'boolean',
  );
}

function compileRelation({ op, args }: CallNode): Compiled | null {
  const opcode = comparisons[op] ?? textRelations[op];
  const operands = opcode === undefined ? null : compileAll(args, compileOperand);
  if (opcode === undefined || operands === null) {
    return null;
  }
  const isOfText = textRelations[op] !== undefined;
  const type = operands[0]?.type;
  const agree = operands.every((operand) => operand.type === type);
  return agree && (!isOfText || type === 'text') ? join(opcode, operands, 'boolean') : null;
}

function compileOperand(node: ExpressionNode): Compiled | null {
  if (node.op === 'const') {
    const { value } = node;
    if (typeof value === 'number') {
      return push({ op: 'pushNumber', value }, 'number');
    }
    return typeof value === 'string' ? push({ op: 'pushText', value }, 'text') : null;
  }
  if (node.op !== 'field' || node.of !== null || node.path.length !== 1) {
    return null;
  }
  const [name] = node.path;
  return isNativeField(name)
    ? push({ op: 'pushField', field: name }, name === 'key' ? 'text' : 'number')
    : null;
}

function isNativeField(name: string | undefined): name is NativeField {
  return nativeFields.some((known) => known === name);
}

function compileAll(
  nodes: readonly ExpressionNode[],
  one: (node: ExpressionNode) => Compiled | null,
): readonly Compiled[] | null {
  const parts: Compiled[] = [];
  for (const node of nodes) {
    const part = one(node);
    if (part === null) {
      return null;
    }
    parts.push(part);
  }
  return parts;
}

function push(instruction: NativeInstruction, type: NativeType): Compiled {
  const bytes = encodeOne(instruction);
  return { type, parts: [bytes], bytes: bytes.length, depth: 1 };
}

/** The operands one after the other, then the operator. */
function join(op: NativeOpcode, operands: readonly Compiled[], type: NativeType): Compiled {
  const code = encodeOne({ op } as NativeInstruction);
  return {
    type,
    parts: [...operands.flatMap((operand) => operand.parts), code],
    bytes: operands.reduce((sum, operand) => sum + operand.bytes, code.length),
    depth: Math.max(...operands.map((operand, below) => operand.depth + below)),
  };
}

function fits({ bytes, depth }: Compiled): boolean {
  return bytes <= nativeLimits.programBytes && depth <= nativeLimits.stackDepth;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
