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
  checkShape(name, definition);
  const full = { ...defaults.batch, ...batch };
  require(isWithin(full.maxSize, 1, 1024), name, 'batch.maxSize is not from 1 to 1024');
  require(isWithin(full.maxDelayMs, 0, 10_000), name, 'batch.maxDelayMs is not from 0 to 10000');
  require(isWithin(timeoutMs, 1, 600_000), name, 'timeoutMs is not from 1 to 600000');
  const retries = { ...defaults.retries, ...definition.retries };
  require(isWithin(retries.max, 0, 100), name, 'retries.max is not from 0 to 100');
  require(isBackoff(retries.backoffMs), name, 'retries.backoffMs is not [first, longest] in ms');
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

const choices = {
  on: ['put', 'trigger', 'both'],
  order: ['key', 'none', 'single'],
  dispatch: ['one', 'all', 'primary'],
} as const;
const optionNames = [
  ...['name', 'version', 'input', 'emits', 'config', 'batch', 'timeoutMs', 'retries'],
  ...['setup', 'run', 'teardown', ...Object.keys(choices)],
];

/** What the compiler sees to for those who ask it; esbuild drops types unread. */
function checkShape(name: string, given: object): void {
  const definition = given as Readonly<Record<string, unknown>>;
  require(typeof definition['name'] === 'string', name, 'its name is no text');
  const { version, input, emits = {}, config = {} } = definition;
  require(typeof version === 'string' && version !== '', name, 'its version is no text, or empty');
  require(isCodec(input), name, 'its input is no codec, as json(…), msgpack() or raw()');
  require(isObject(emits), name, 'its emits are no object of outputs');
  for (const [output, carries] of Object.entries(emits)) {
    require(isObject(carries), name, `its output '${output}' is neither a schema nor a codec`);
  }
  require(isObject(config ?? {}), name, 'its config is no schema');
  for (const [option, known] of Object.entries(choices)) {
    const value = definition[option] ?? known[0];
    const isKnown = (known as readonly unknown[]).includes(value);
    require(isKnown, name, `${option} is not one of ${known.join(', ')}`);
  }
  require(typeof definition['run'] === 'function', name, 'it has no function run');
  for (const option of Object.keys(definition)) {
    const isKnown = optionNames.includes(option);
    require(isKnown, name, `it has no option '${option}'; there are ${optionNames.join(', ')}`);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isCodec(value: unknown): boolean {
  return isObject(value) && 'decode' in value && typeof value.decode === 'function';
}

function isBackoff(value: readonly unknown[]): boolean {
  const isTime = (ms: unknown) => Number.isFinite(ms) && Number(ms) >= 0;
  return Array.isArray(value) && value.length === 2 && value.every(isTime);
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

function require(condition: boolean, name: string, reason: string): asserts condition {
  if (!condition)
    throw new FreshetError('INVALID_PIPELINE', `The lambda '${name}' is not possible: ${reason}`);
}
