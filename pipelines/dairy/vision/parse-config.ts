/**
 * Unknown data to a typed value by its schema: defaults filled in, every wrong field named.
 */
import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';
import { visionError } from './errors.ts';

/** More than this many complaints help nobody. */
const complaintsMax = 5;

/**
 * @param where what is being read, for the message
 * @throws INVALID_CONFIG
 */
export function parseAs<T extends TSchema>(
  schema: T,
  value: unknown,
  where: string,
): NoInfer<Static<T>> {
  const filled = Value.Default(schema, structuredClone(value));
  if (Value.Check(schema, filled)) return filled;
  const complaints = Value.Errors(schema, filled).flatMap((error) =>
    complain(schema, filled, error),
  );
  const distinct = [...new Set(complaints)].slice(0, complaintsMax);
  throw visionError('INVALID_CONFIG', {
    message: `${where} is wrong: ${distinct.join('; ')}`,
    mend: 'Correct these fields; the schema is ModelConfig in pipelines/dairy/vision',
  });
}

type SchemaError = ReturnType<typeof Value.Errors>[number];

function complain(schema: TSchema, value: unknown, error: SchemaError): string[] {
  const at = error.instancePath === '' ? 'the value' : error.instancePath.slice(1);
  switch (error.keyword) {
    // Said by 'additionalProperties' already, with the folder of the field.
    case 'boolean':
      return [];
    case 'additionalProperties': {
      const known = propertyNames(schema, error.schemaPath);
      return error.params.additionalProperties.map((key) => {
        const nearest = nearestName(key, known);
        const hint = nearest === null ? '' : `, did you mean ${nearest}`;
        return `${at} has no field ${key}${hint}`;
      });
    }
    case 'required':
      return [`${at} lacks ${error.params.requiredProperties.join(', ')}`];
    case 'enum':
      return [
        `${at} is ${show(valueAt(value, error.instancePath))}, ` +
          `expected one of ${error.params.allowedValues.map(String).join(', ')}`,
      ];
    default:
      return [`${at} is ${show(valueAt(value, error.instancePath))}, ${error.message}`];
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  return (text ?? String(value)).slice(0, 80);
}

function valueAt(value: unknown, pointer: string): unknown {
  let found = value;
  for (const step of pointer.split('/').slice(1)) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  return found;
}

function propertyNames(schema: TSchema, schemaPath: string): string[] {
  const at = valueAt(schema, schemaPath.slice(1));
  const properties = (at as { properties?: object } | undefined)?.properties;
  return properties === undefined ? [] : Object.keys(properties);
}

/** The known name with the fewest edits, when they are few enough to be a slip. */
export function nearestName(name: string, known: readonly string[]): string | null {
  let nearest: string | null = null;
  let editsMin = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < editsMin) {
      editsMin = edits;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swapped = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
