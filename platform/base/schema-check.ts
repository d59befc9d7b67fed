import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/schema';

/**
 * A schema that many values are checked against. It is compiled at the first of them, which takes
 * about a millisecond: a program that checks none pays nothing, and one that checks a single value
 * does better with `Value.Check`.
 */
export class SchemaCheck<Schema extends TSchema> {
  readonly #schema: Schema;
  #compiled: Validator | null = null;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  accepts(value: unknown): value is Static<Schema> {
    this.#compiled ??= Compile(this.#schema);
    return this.#compiled.Check(value);
  }
}
