import { nearestName } from '../base/mod.ts';
import { refusal } from './refuse.ts';

const mend = 'Build the plan with this version of Freshet';

/** The object at a place of a received plan, with these properties and no other. */
export function objectAt(
  input: unknown,
  at: string,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw wrong(at, 'an object', input);
  }
  for (const name of Object.keys(input)) {
    if (!names.includes(name)) {
      const near = nearestName(name, names);
      const hint = near === null ? '' : `, did you mean ${JSON.stringify(near)}`;
      throw refusal(`${at} has an unknown property ${shown(name)}${hint}`, mend);
    }
  }
  const missing = names.find((name) => !Object.hasOwn(input, name));
  if (missing !== undefined) {
    throw refusal(`${at} lacks ${shown(missing)}`, mend);
  }
  return input as Readonly<Record<string, unknown>>;
}

export function listAt(input: unknown, at: string, max: number): readonly unknown[] {
  if (!Array.isArray(input)) {
    throw wrong(at, 'a list', input);
  }
  if (input.length > max) {
    throw refusal(`${at} has ${String(input.length)} entries, ${String(max)} are allowed`, mend);
  }
  return input as readonly unknown[];
}

export function textAt(input: unknown, at: string): string {
  if (typeof input !== 'string') {
    throw wrong(at, 'a text', input);
  }
  return input;
}

export function booleanAt(input: unknown, at: string): boolean {
  if (typeof input !== 'boolean') {
    throw wrong(at, 'true or false', input);
  }
  return input;
}

/** A whole number of at least `min`. */
export function naturalAt(input: unknown, at: string, min: number): number {
  if (typeof input !== 'number' || !Number.isSafeInteger(input) || input < min) {
    throw wrong(at, `a whole number of at least ${String(min)}`, input);
  }
  return input;
}

export function oneOfAt<T extends string>(input: unknown, at: string, known: readonly T[]): T {
  const found = known.find((name) => name === input);
  if (found === undefined) {
    throw wrong(at, `one of ${known.join(', ')}`, input);
  }
  return found;
}

export function versionAt(input: unknown, at: string): 1 {
  if (input !== 1) {
    throw wrong(at, 'version 1', input);
  }
  return input;
}

function wrong(at: string, wanted: string, input: unknown): Error {
  return refusal(`${at} is ${shown(input)}, not ${wanted}`, mend);
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'a list' : 'an object';
  }
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
