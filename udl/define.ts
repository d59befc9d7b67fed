import type { TSchema } from 'typebox';
import { FreshetError } from '../platform/client/mod.ts';
import type { Lambda, LambdaDefinition, Outputs } from './lambda.ts';

const defaults = {
  batch: { maxSize: 16, maxDelayMs: 0 },
  timeoutMs: 2000,
  retries: { max: 3, backoffMs: [50, 5000] as const },
};
const namePattern = /^[a-z0-9][a-z0-9_-]*(\/[a-z0-9][a-z0-9_-]*)*$/;

/**
 * Declares a lambda: code that runs on members that hold the keys it is registered for.
 * Throws INVALID_PIPELINE naming the field that is not possible.
 */
export function defineLambda<
  I,
  const O extends Outputs = Record<never, never>,
  C extends TSchema = TSchema,
  S = null,
>(definition: LambdaDefinition<I, O, C, S>): Lambda<I, O, C, S> {
  const { name, batch, timeoutMs = defaults.timeoutMs } = definition;
  require(namePattern.test(
    name,
  ), name, "its name is a path of lower-case words, as 'dairy/filter'");
  require(definition.version !== '', name, 'its version is empty');
  const full = { ...defaults.batch, ...batch };
  require(isWithin(full.maxSize, 1, 1024), name, 'batch.maxSize is not from 1 to 1024');
  require(isWithin(full.maxDelayMs, 0, 10_000), name, 'batch.maxDelayMs is not from 0 to 10000');
  require(isWithin(timeoutMs, 1, 600_000), name, 'timeoutMs is not from 1 to 600000');
  const retries = { ...defaults.retries, ...definition.retries };
  require(isWithin(retries.max, 0, 100), name, 'retries.max is not from 0 to 100');
  return {
    name,
    version: definition.version,
    input: definition.input,
    emits: definition.emits ?? ({} as O),
    config: definition.config ?? null,
    on: definition.on ?? 'put',
    order: definition.order ?? 'key',
    dispatch: definition.dispatch ?? 'one',
    batch: full,
    timeoutMs,
    retries,
    setup: async (context) =>
      definition.setup === undefined ? (null as S) : definition.setup(context),
    run: async (events, context) => definition.run(events, context),
    teardown: async (state) => definition.teardown?.(state),
  };
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

function require(condition: boolean, name: string, reason: string): asserts condition {
  if (!condition)
    throw new FreshetError('INVALID_PIPELINE', `The lambda '${name}' is not possible: ${reason}`);
}
