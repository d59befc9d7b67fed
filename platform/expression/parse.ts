import { nearestName } from '../base/mod.ts';
import { expressionLimits } from './limits.ts';
import { refusal } from './refuse.ts';
import { isStoredField, storedFields } from './stored-object.ts';
import {
  type CallNode,
  type ExpressionNode,
  type ExpressionTree,
  isOperator,
  operatorNames,
  operators,
  type Scalar,
} from './tree.ts';

/** What the element of a tree is: a stored object with known fields, or anything. */
export type ElementShape = 'stored' | 'any';

const mend = 'Record the expression with this version of Freshet, or make it smaller';
const nodeNames = ['const', 'field', 'record', 'list', ...operatorNames];

/**
 * Builds a tree from what arrived: a fresh copy that holds known nodes only, within the limits.
 * Throws INVALID_QUERY with the path of the part.
 */
export function parseTree(input: unknown, shape: ElementShape = 'any'): ExpressionTree {
  const tree = objectOf(input, 'tree', ['v', 'body']);
  if (tree['v'] !== 1) {
    throw refusal(`The tree has version ${show(tree['v'])}, 1 is known`, mend);
  }
  const parser = new TreeParser(shape);
  return { v: 1, body: parser.node(tree['body'], 'body', 1) };
}

/** Checks a tree that was built here against the same limits as one that arrived. */
export function checkedTree(body: ExpressionNode, shape: ElementShape = 'any'): ExpressionTree {
  return parseTree({ v: 1, body }, shape);
}

class TreeParser {
  readonly #shape: ElementShape;
  #nodes = 0;

  constructor(shape: ElementShape) {
    this.#shape = shape;
  }

  node(input: unknown, at: string, depth: number): ExpressionNode {
    this.#nodes++;
    if (this.#nodes > expressionLimits.nodes) {
      throw refusal(`The tree has more than ${String(expressionLimits.nodes)} nodes`, mend);
    }
    if (depth > expressionLimits.depth) {
      const levels = String(expressionLimits.depth);
      throw refusal(`The tree is nested deeper than ${levels} levels (at ${tail(at)})`, mend);
    }
    const op = typeof input === 'object' && input !== null ? (input as { op?: unknown }).op : null;
    switch (op) {
      case 'const':
        return { op, value: parseConst(objectOf(input, at, ['op', 'value'])['value'], at) };
      case 'field':
        return this.#field(objectOf(input, at, ['op', 'of', 'path']), at, depth);
      case 'record':
        return this.#record(objectOf(input, at, ['op', 'fields']), at, depth);
      case 'list': {
        const items = listOf(objectOf(input, at, ['op', 'items'])['items'], at);
        atMost(items.length, expressionLimits.projectionFields, 'items', at);
        return {
          op,
          items: items.map((item, i) => this.node(item, `${at}.${String(i)}`, depth + 1)),
        };
      }
      default:
        return this.#call(input, op, at, depth);
    }
  }

  #field(input: Readonly<Record<string, unknown>>, at: string, depth: number): ExpressionNode {
    const path = listOf(input['path'], at);
    atMost(path.length, expressionLimits.pathSteps, 'path steps', at);
    const names = path.map((name) => parseName(name, at));
    const inner = input['of'];
    if (inner !== null) {
      return { op: 'field', of: this.node(inner, `${at}.of`, depth + 1), path: names };
    }
    if (this.#shape === 'stored') {
      checkStoredPath(names);
    }
    return { op: 'field', of: null, path: names };
  }

  #record(input: Readonly<Record<string, unknown>>, at: string, depth: number): ExpressionNode {
    const fields = input['fields'];
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw refusal(`The fields of the record at ${tail(at)} are not an object`, mend);
    }
    const entries = Object.entries(fields);
    atMost(entries.length, expressionLimits.projectionFields, 'fields', at);
    return {
      op: 'record',
      fields: Object.fromEntries(
        entries.map(([name, value]: [string, unknown]): [string, ExpressionNode] => {
          const checked = parseName(name, at);
          return [checked, this.node(value, `${at}.${checked}`, depth + 1)];
        }),
      ),
    };
  }

  #call(input: unknown, op: unknown, at: string, depth: number): CallNode {
    if (!isOperator(op)) {
      const near = typeof op === 'string' ? nearestName(op, nodeNames) : null;
      const hint = near === null ? '' : `, did you mean ${show(near)}`;
      throw refusal(`There is no operator ${show(op)} (at ${tail(at)})${hint}`, mend);
    }
    const args = listOf(objectOf(input, at, ['op', 'args'])['args'], at);
    const max = Math.min(operators[op].max, expressionLimits.arguments);
    if (args.length < operators[op].min || args.length > max) {
      const count = String(args.length);
      throw refusal(`${op} at ${tail(at)} cannot take ${count} arguments`, mend);
    }
    return {
      op,
      args: args.map((arg, i) => this.node(arg, `${at}.${op}${String(i)}`, depth + 1)),
    };
  }
}

/** Throws INVALID_QUERY when a stored object cannot have this path. */
export function checkStoredPath(path: readonly string[]): void {
  const [name, ...below] = path;
  if (name === undefined) {
    return;
  }
  if (!isStoredField(name)) {
    const near = nearestName(name, Object.keys(storedFields));
    throw refusal(
      `A stored object has no field ${show(name)}`,
      near === null
        ? `Its fields are ${Object.keys(storedFields).join(', ')}; others lie below value`
        : `Did you mean ${show(near)}? Fields of the value lie below value`,
    );
  }
  const kind = storedFields[name];
  if (below.length > 0 && (kind === 'text' || kind === 'number')) {
    const shown = `o.${path.join('.')}`;
    throw refusal(`${shown} cannot be recorded: ${name} has no fields`, 'Use a method of it');
  }
}

function parseConst(value: unknown, at: string): Scalar {
  if (value === null || typeof value === 'boolean') {
    return value;
  }
  if (typeof value === 'number' && Number.isFinite(value)) {
    return value;
  }
  if (typeof value === 'string') {
    atMost(value.length, expressionLimits.textUnits, 'characters', at);
    if (!isWellFormed(value)) {
      throw refusal(`The text at ${tail(at)} holds half a surrogate pair`, 'Correct the text');
    }
    return value;
  }
  throw refusal(
    `The constant at ${tail(at)} is ${show(value)}`,
    'Use a text, a finite number, a boolean or null',
  );
}

function parseName(name: unknown, at: string): string {
  if (typeof name !== 'string') {
    throw refusal(`A field name at ${tail(at)} is ${show(name)}, not a text`, mend);
  }
  atMost(name.length, expressionLimits.nameUnits, 'characters of a name', at);
  if (name === '__proto__' || !isWellFormed(name)) {
    throw refusal(`The field name ${show(name)} at ${tail(at)} is not allowed`, 'Rename the field');
  }
  return name;
}

/** Whether a text has a UTF-8 form of its own: no half of a surrogate pair. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

function objectOf(
  input: unknown,
  at: string,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw refusal(`The part at ${tail(at)} is ${show(input)}, not an object`, mend);
  }
  const unknown = Object.keys(input).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw refusal(`The part at ${tail(at)} has an unknown property ${show(unknown)}`, mend);
  }
  const missing = known.find((name) => !Object.hasOwn(input, name));
  if (missing !== undefined) {
    throw refusal(`The part at ${tail(at)} lacks ${show(missing)}`, mend);
  }
  return input as Readonly<Record<string, unknown>>;
}

function listOf(input: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(input)) {
    throw refusal(`The part at ${tail(at)} holds ${show(input)} where a list belongs`, mend);
  }
  return input as readonly unknown[];
}

function atMost(count: number, max: number, what: string, at: string): void {
  if (count > max) {
    throw refusal(`${String(count)} ${what} at ${tail(at)}, ${String(max)} are allowed`, mend);
  }
}

/** The end of a place: deep trees have long ones. */
function tail(at: string): string {
  return at.length > 80 ? `…${at.slice(-79)}` : at;
}

function show(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'a list' : 'an object';
  }
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
