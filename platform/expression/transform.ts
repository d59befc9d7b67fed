import { evaluateNode } from './evaluate.ts';
import { checkedTree } from './parse.ts';
import {
  childrenOf,
  constant,
  type ExpressionNode,
  type ExpressionTree,
  type FieldNode,
  field,
  isCall,
  operators,
  type Scalar,
  treeOf,
} from './tree.ts';

/**
 * The tree that gives `outer` of `inner`: what comes after a `select` said over what came before
 * it. Throws INVALID_QUERY when the result is over the limits.
 */
export function compose(outer: ExpressionTree, inner: ExpressionTree): ExpressionTree {
  return checkedTree(simplify(substitute(outer.body, inner.body)));
}

function substitute(node: ExpressionNode, inner: ExpressionNode): ExpressionNode {
  if (node.op === 'field') {
    return stepInto(node.of === null ? inner : substitute(node.of, inner), node.path);
  }
  return withChildren(node, (child) => substitute(child, inner));
}

/** A field of a node, looked up at once where the node makes the object. */
function stepInto(node: ExpressionNode, path: readonly string[]): ExpressionNode {
  const [name, ...rest] = path;
  if (name === undefined) {
    return node;
  }
  if (node.op === 'field') {
    return field([...node.path, ...path], node.of);
  }
  if (node.op === 'record') {
    const found = Object.hasOwn(node.fields, name) ? node.fields[name] : undefined;
    return found === undefined ? constant(null) : stepInto(found, rest);
  }
  // Lists, constants and all calls but these give nothing that has fields.
  return node.op === 'at' || node.op === 'orElse' ? field(path, node) : constant(null);
}

/** An equal node in which parts without the element are worked out. */
export function simplify(node: ExpressionNode): ExpressionNode {
  const done = withChildren(node, simplify);
  if (!isCall(done)) {
    return done.op === 'field' && done.of !== null ? stepInto(done.of, done.path) : done;
  }
  if (done.args.every((arg) => arg.op === 'const')) {
    // Calls of constants give scalars.
    return constant(evaluateNode(done) as Scalar);
  }
  if (done.op === 'and' || done.op === 'or') {
    return simplifyLogic(done.op, done.args);
  }
  // Absent on one side settles these, whatever the other side is.
  const isAbsent = done.args.some((arg) => arg.op === 'const' && arg.value === null);
  if (isAbsent && operators[done.op].kind === 'boolean') {
    return constant(done.op === 'ne');
  }
  return done;
}

function simplifyLogic(op: 'and' | 'or', args: readonly ExpressionNode[]): ExpressionNode {
  const settling = op === 'or';
  const flat = args
    .flatMap((arg) => (arg.op === op ? arg.args : [arg]))
    // A constant that is not true counts as false.
    .filter((arg) => arg.op !== 'const' || (arg.value === true) === settling);
  if (flat.some((arg) => arg.op === 'const')) {
    return constant(settling);
  }
  const [first, ...rest] = flat;
  if (first === undefined) {
    return constant(!settling);
  }
  return rest.length === 0 && isCondition(first) ? first : { op, args: flat };
}

/** The parts that must all be true, of a simplified predicate. None: always true. */
export function conjunctsOf(predicate: ExpressionTree): readonly ExpressionNode[] {
  const body = simplify(predicate.body);
  if (body.op === 'and') {
    return body.args;
  }
  return body.op === 'const' && body.value === true ? [] : [body];
}

/** One predicate that all of these make; null for none. */
export function conjunction(parts: readonly ExpressionNode[]): ExpressionTree | null {
  return parts.length === 0 ? null : treeOf({ op: 'and', args: parts });
}

/** Whether a node can only be true or false. */
export function isCondition(node: ExpressionNode): boolean {
  return isCall(node)
    ? operators[node.op].kind === 'boolean'
    : node.op === 'const' && typeof node.value === 'boolean';
}

/** Whether a node may give a boolean at all; a `where` of another is a mistake. */
export function canBeCondition(node: ExpressionNode): boolean {
  if (isCall(node)) {
    return operators[node.op].kind !== 'number';
  }
  return node.op === 'field' || isCondition(node);
}

/** Whether a tree looks at the element as a whole or at this field of it. */
export function usesField(tree: ExpressionTree, name: string): boolean {
  return anyNode(tree.body, (node) => isElementField(node) && (node.path[0] ?? name) === name);
}

/** The path when the tree is nothing but a field of the element; else null. */
export function fieldPathOf(tree: ExpressionTree): readonly string[] | null {
  return isElementField(tree.body) ? tree.body.path : null;
}

function isElementField(node: ExpressionNode): node is FieldNode {
  return node.op === 'field' && node.of === null;
}

function anyNode(node: ExpressionNode, test: (node: ExpressionNode) => boolean): boolean {
  return test(node) || childrenOf(node).some((child) => anyNode(child, test));
}

function withChildren(
  node: ExpressionNode,
  change: (child: ExpressionNode) => ExpressionNode,
): ExpressionNode {
  switch (node.op) {
    case 'const':
      return node;
    case 'field':
      return node.of === null ? node : field(node.path, change(node.of));
    case 'list':
      return { op: 'list', items: node.items.map(change) };
    case 'record':
      return {
        op: 'record',
        fields: Object.fromEntries(
          Object.entries(node.fields).map(([name, value]) => [name, change(value)]),
        ),
      };
    default:
      return { op: node.op, args: node.args.map(change) };
  }
}
