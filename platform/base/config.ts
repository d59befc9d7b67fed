import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { nearestName } from './edit-distance.ts';
import { FreshetError } from './errors.ts';

/** Of a wrong value, so many characters are repeated in the error. */
const givenLengthMax = 80;

/** One thing wrong with a configuration. */
export interface ConfigProblem {
  /** Where: `gateway.http.port`, `members[0].address`; empty for the whole. */
  readonly path: string;
  /** What, to follow the path. */
  readonly what: string;
}

export interface ParseConfigOptions {
  /** What the configuration came from, to be named in errors: a file's path, `the command line`. */
  readonly source: string;
}

/** A value whose every part is read-only. */
export type Frozen<Type> = Type extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : Type extends object
    ? { readonly [Name in keyof Type]: Frozen<Type[Name]> }
    : Type;

/**
 * Reads a configuration once: fills in the defaults of the schema, refuses unknown names with the
 * nearest known one, and freezes the result. Throws one INVALID_CONFIG that lists every problem.
 * A property of the schema states its unit in its name or in `unit`, which the errors repeat.
 * (NoInfer: else the compiler infers the schema backwards from what the result is assigned to, at
 * the price of seconds for every call.)
 */
export function parseConfig<Schema extends TSchema>(
  schema: Schema,
  input: unknown,
  options: ParseConfigOptions,
): NoInfer<Frozen<Static<Schema>>> {
  const given = structuredClone(input ?? {});
  const filled = Value.Default(schema, given);
  const problems = findProblems(schema, filled);
  if (problems.length > 0) {
    throw configError(problems, options.source);
  }
  return deepFreeze(filled) as Frozen<Static<Schema>>;
}

/** Everything that keeps `value` from being what the schema says: unknown names, wrong values. */
export function findProblems(schema: TSchema, value: unknown): ConfigProblem[] {
  return [...findUnknownNames(schema, value, ''), ...findWrongValues(schema, value)];
}

/** `nodes[0].workers must be >= 1, not 0; pools[1] …` */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  return problems.map(({ path, what }) => `${path === '' ? 'it' : path} ${what}`).join('; ');
}

function configError(problems: readonly ConfigProblem[], source: string): FreshetError {
  return new FreshetError('INVALID_CONFIG', `In ${source}: ${describeProblems(problems)}`, {
    details: { source, problems: problems.length, first: problems[0]?.path ?? '' },
  });
}

/** Only plain objects and arrays of the schema are walked; a union takes what one branch knows. */
function findUnknownNames(schema: TSchema, value: unknown, path: string): ConfigProblem[] {
  const shape = schema as SchemaShape;
  if (shape.anyOf !== undefined && typeof value === 'object' && value !== null) {
    const branches = shape.anyOf.filter((branch) => hasFormOf(branch, value));
    const found = branches.map((branch) => findUnknownNames(branch, value, path));
    return found.sort((a, b) => a.length - b.length)[0] ?? [];
  }
  if (Array.isArray(value)) {
    const { items } = shape;
    return items === undefined
      ? []
      : value.flatMap((item, i) => findUnknownNames(items, item, `${path}[${String(i)}]`));
  }
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  const { properties, additionalProperties } = shape;
  const named = namedByWriter(shape);
  if (named !== undefined) {
    return Object.entries(value).flatMap(([name, inner]) =>
      findUnknownNames(named, inner, joinPath(path, name)),
    );
  }
  if (properties === undefined || (additionalProperties ?? false) !== false) {
    return [];
  }
  return Object.entries(value).flatMap(([name, inner]) => {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return known === undefined
      ? [unknownName(joinPath(path, name), name, Object.keys(properties))]
      : findUnknownNames(known, inner, joinPath(path, name));
  });
}

function unknownName(path: string, name: string, known: readonly string[]): ConfigProblem {
  const nearest = nearestName(name, known);
  const hint = nearest === null ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`;
  return { path, what: `is not a known setting (${hint})` };
}

/** One problem a place: of a union's branches only the union's own line is told. */
function findWrongValues(schema: TSchema, value: unknown): ConfigProblem[] {
  const byPath = new Map<string, ConfigProblem>();
  for (const error of Value.Errors(schema, value)) {
    if (error.keyword === 'additionalProperties' || error.keyword === 'boolean') {
      continue; // told by findUnknownNames
    }
    if (error.keyword === 'required') {
      const { requiredProperties } = error.params;
      for (const name of requiredProperties) {
        const path = joinPath(pathOf(error.instancePath), name);
        byPath.set(path, { path, what: 'is missing' });
      }
      continue;
    }
    const path = pathOf(error.instancePath);
    byPath.set(path, { path, what: describeWrong(schema, value, error) });
  }
  return [...byPath.values()];
}

function describeWrong(
  schema: TSchema,
  value: unknown,
  error: { readonly keyword: string; readonly instancePath: string; readonly message: string },
): string {
  const shape = schemaAt(schema, error.instancePath);
  const given = brief(valueAt(value, error.instancePath));
  const unit = shape?.unit === undefined ? '' : ` ${shape.unit}`;
  const choices = shape?.anyOf?.map((branch) => (branch as SchemaShape).const);
  if (error.keyword === 'anyOf' && choices?.every((choice) => choice !== undefined) === true) {
    return `must be one of ${choices.join(', ')}, not ${given}`;
  }
  return `${error.message}${unit}, not ${given}`;
}

function brief(value: unknown): string {
  const text = value === undefined ? 'undefined' : JSON.stringify(value);
  return text.length > givenLengthMax ? `${text.slice(0, givenLengthMax)}…` : text;
}

/** Of a record, whose names are the writer's: what every value of it is. */
function namedByWriter({ patternProperties }: SchemaShape): TSchema | undefined {
  return Object.values(patternProperties ?? {})[0];
}

interface SchemaShape {
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly patternProperties?: Readonly<Record<string, TSchema>>;
  readonly additionalProperties?: unknown;
  readonly items?: TSchema;
  readonly anyOf?: readonly TSchema[];
  readonly const?: string | number | boolean;
  readonly unit?: string;
}

/** Whether a branch of a union is of arrays, as the value is, or of objects, as the value is. */
function hasFormOf(schema: TSchema, value: object): boolean {
  const { properties, items } = schema as SchemaShape;
  return (Array.isArray(value) ? items : properties) !== undefined;
}

function schemaAt(schema: TSchema, pointer: string): SchemaShape | null {
  let shape: SchemaShape | undefined = schema;
  for (const part of pointerParts(pointer)) {
    shape = shape?.properties?.[part] ?? shape?.items ?? (shape && namedByWriter(shape));
  }
  return shape ?? null;
}

function valueAt(value: unknown, pointer: string): unknown {
  let inner = value;
  for (const part of pointerParts(pointer)) {
    inner = (inner as Record<string, unknown> | undefined)?.[part];
  }
  return inner;
}

function pathOf(pointer: string): string {
  return pointerParts(pointer).reduce(joinPath, '');
}

function pointerParts(pointer: string): string[] {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function joinPath(path: string, name: string): string {
  if (/^\d+$/.test(name)) {
    return `${path}[${name}]`;
  }
  return path === '' ? name : `${path}.${name}`;
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
