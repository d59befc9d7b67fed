/**
 * Records what a lambda does with its parameter as a tree. The lambda runs once, with a proxy for
 * the element; each property read and each method call gives a further proxy.
 *
 * Thread: the caller's. A recording lives for one call of `record`.
 * Invariants:
 * 1. A name is a field until it is called; then it is a method of what it was read from. So a
 *    value may have fields named `length` or `eq`.
 * 2. Every part that was made is used by another part or is the result. A part that is left over
 *    was taken for a plain value (`if`, `&&`, `!`, `===`), and the recording is refused.
 */
import { nearestName } from '../base/mod.ts';
import { checkedTree, checkStoredPath, type ElementShape } from './parse.ts';
import type { Projection, Recorded } from './recorded.ts';
import { refusal } from './refuse.ts';
import { findLosingOperator } from './source-check.ts';
import {
  constant,
  describe,
  type ExpressionNode,
  type ExpressionTree,
  field,
  isOperator,
  operatorNames,
} from './tree.ts';

const localMend = 'Say it with methods (and, or, not, eq, gt, add …), or put .local() before it';
const partOf: unique symbol = Symbol('freshet.part');

/** What a proxy stands for. */
interface Part {
  readonly recording: Recording;
  readonly node: ExpressionNode;
  /** What it was read from, or null for the element and for results of methods. */
  readonly owner: Part | null;
}

/**
 * Runs `lambda` once and gives what it did as a tree. Throws INVALID_QUERY with the name of the
 * part that cannot be recorded.
 */
export function record<T, R extends Projection>(
  lambda: (element: Recorded<T>) => R,
  shape: ElementShape = 'any',
): ExpressionTree {
  const losing = findLosingOperator(lambda);
  if (losing !== null) {
    throw refusal(
      `The lambda uses ${losing}, which would lose its right side`,
      losing === '||' ? 'Use or(), or work plain values out before the lambda' : 'Use orElse()',
    );
  }
  const recording = new Recording(shape);
  const result: unknown = lambda(recording.element() as Recorded<T>);
  return checkedTree(recording.finish(result), shape);
}

class Recording {
  readonly #shape: ElementShape;
  readonly #unused = new Set<ExpressionNode>();
  readonly #root = field([]);

  constructor(shape: ElementShape) {
    this.#shape = shape;
  }

  element(): unknown {
    return proxyOf({ recording: this, node: this.#root, owner: null });
  }

  /** A property was read. */
  read(owner: Part, name: string): unknown {
    this.#unused.delete(owner.node);
    const { node } = owner;
    const step = node.op === 'field' ? field([...node.path, name], node.of) : field([name], node);
    this.#unused.add(step);
    return proxyOf({ recording: this, node: step, owner });
  }

  /** What was read as a property is called. */
  call(part: Part, args: readonly unknown[]): unknown {
    const { node, owner } = part;
    const name = node.op === 'field' ? node.path.at(-1) : undefined;
    if (owner === null || name === undefined) {
      throw refusal(`${describe(node)} is called like a function`, localMend);
    }
    const [first] = args;
    if (name === 'get' && args.length === 1 && typeof first === 'string') {
      this.#unused.delete(node);
      return this.read(owner, first);
    }
    if (!isOperator(name)) {
      const near = nearestName(name, [...operatorNames, 'get']);
      const hint = near === null ? '' : `, did you mean ${near}()`;
      throw refusal(`${describe(owner.node)} has no method ${name}()${hint}`, localMend);
    }
    this.#unused.delete(node);
    const where = (): string => `${describe(owner.node)}.${name}()`;
    const made: ExpressionNode = {
      op: name,
      args: [this.#use(owner, where), ...args.map((arg) => this.#operand(arg, where))],
    };
    this.#unused.add(made);
    return proxyOf({ recording: this, node: made, owner: null });
  }

  /** The body of the tree, once the lambda has returned. */
  finish(result: unknown): ExpressionNode {
    if (typeof result === 'boolean') {
      throw refusal(
        `The lambda returned the plain boolean ${String(result)}: ===, < and ! are not recorded`,
        localMend,
      );
    }
    const body = this.#operand(result, () => 'the result');
    const [left] = this.#unused;
    if (left !== undefined) {
      throw refusal(
        `${describe(left)} is no part of the result: if, ?:, &&, ! and === are not recorded`,
        localMend,
      );
    }
    return body;
  }

  /** The node of a proxy, a constant, or a literal object or list of those. */
  #operand(value: unknown, where: () => string): ExpressionNode {
    const part = partIn(value);
    if (part !== null) {
      return this.#use(part, where);
    }
    if (isPlainScalar(value)) {
      return constant(value);
    }
    if (Array.isArray(value)) {
      return { op: 'list', items: value.map((item: unknown) => this.#operand(item, where)) };
    }
    if (isPlainObject(value)) {
      const fields = Object.entries(value).map(([name, item]): [string, ExpressionNode] => [
        name,
        this.#operand(item, () => `${name} of ${where()}`),
      ]);
      return { op: 'record', fields: Object.fromEntries(fields) };
    }
    throw refusal(`${kindOf(value)} in ${where()} cannot be recorded`, localMend);
  }

  #use({ recording, node }: Part, where: () => string): ExpressionNode {
    if (recording !== this) {
      throw refusal(
        `${describe(node)} in ${where()} belongs to another lambda`,
        'Use the parameter of this lambda only',
      );
    }
    if (this.#shape === 'stored' && node.op === 'field' && node.of === null) {
      checkStoredPath(node.path);
    }
    this.#unused.delete(node);
    return node;
  }
}

function proxyOf(part: Part): unknown {
  const shown = (): string => describe(part.node);
  const refuse = (what: string) => (): never => {
    throw refusal(`${shown()} ${what}`, localMend);
  };
  // An arrow function: it can be called, and no property of it is fixed.
  return new Proxy(() => undefined, {
    get: (_, name): unknown => {
      if (name === partOf) {
        return part;
      }
      if (typeof name === 'string') {
        return part.recording.read(part, name);
      }
      if (name === Symbol.toPrimitive) {
        throw refusal(
          `${shown()} is used as a plain value (+, <, a template or an index)`,
          localMend,
        );
      }
      if (name === Symbol.iterator || name === Symbol.asyncIterator) {
        throw refusal(`${shown()} is iterated, which cannot be recorded`, localMend);
      }
      return undefined;
    },
    apply: (_target, _receiver, args: readonly unknown[]) => part.recording.call(part, args),
    set: refuse('is assigned to, which cannot be recorded'),
    has: refuse("is searched with 'in', which cannot be recorded"),
    ownKeys: refuse('is spread or listed, which cannot be recorded'),
    deleteProperty: refuse('is deleted from, which cannot be recorded'),
    defineProperty: refuse('is defined on, which cannot be recorded'),
    getPrototypeOf: refuse('is asked for its class, which cannot be recorded'),
  });
}

function partIn(value: unknown): Part | null {
  if (typeof value !== 'function') {
    return null;
  }
  const part = (value as { readonly [partOf]?: Part })[partOf];
  return part ?? null;
}

function isPlainScalar(value: unknown): value is string | number | boolean | null {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function kindOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return `A ${value.constructor.name}`;
  }
  return value === undefined ? 'Nothing (undefined)' : `A ${typeof value}`;
}
