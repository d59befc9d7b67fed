import type { Static, TSchema } from 'typebox';
import { Database, type Door, FreshetError } from '../platform/client/mod.ts';
import { parseLambdaConfig } from './config.ts';
import type { Lambda, LambdaContext, LambdaLogger, Outputs, SetupContext } from './lambda.ts';
import { type ItemOutcome, outputCodecs, type RawEvent, runBatch } from './run-batch.ts';

/** An event for {@link testLambda}; what is left out gets a plausible value. */
export interface TestEvent<I> extends Partial<Omit<RawEvent, 'bytes' | 'key'>> {
  readonly key: string;
  readonly value: I;
}

export interface TestOptions<C> {
  readonly config?: C;
  /** What `ctx.db` reads and writes; without it every call is refused. */
  readonly db?: Database;
  readonly assets?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface TestResult {
  readonly emitted: readonly { key: string; output: string; name: string; value: unknown }[];
  readonly failed: readonly { key: string; error: FreshetError }[];
}

const silent: LambdaLogger = { debug: noop, info: noop, warn: noop, error: noop };

/**
 * Runs a lambda as a member would, codecs included, without a cluster: `setup`, one batch,
 * `teardown`. Rejects with what `run` threw.
 */
export async function testLambda<I, O extends Outputs, C extends TSchema, S>(
  lambda: Lambda<I, O, C, S>,
  events: readonly TestEvent<I>[],
  options: TestOptions<Static<C>> = {},
): Promise<TestResult> {
  const base: SetupContext<Static<C>> = {
    config: parseLambdaConfig(lambda, options.config),
    db: options.db ?? new Database(refusingDoor()),
    log: silent,
    signal: options.signal ?? new AbortController().signal,
    node: 1,
    asset: (name) => options.assets?.[name] ?? refuse(`asset '${name}'`),
  };
  const state = await lambda.setup(base);
  try {
    const arrivals = events.map((event, index) => arrivalOf(lambda.input, event, index));
    const context = { ...base, state, rank: 0, shardSize: 1 };
    const outcomes = await runBatch(lambda, arrivals, context as LambdaContext<never, never>);
    return resultOf(lambda.emits, arrivals, outcomes);
  } finally {
    await lambda.teardown(state);
  }
}

function arrivalOf<I>(
  input: Lambda<I>['input'],
  { value, ...event }: TestEvent<I>,
  index: number,
): RawEvent {
  return {
    kind: 'put',
    name: event.key.slice(event.key.lastIndexOf('/') + 1),
    version: index + 1,
    epoch: 1,
    time: index + 1,
    eventTime: null,
    meta: {},
    ...event,
    bytes: event.kind === 'remove' ? new Uint8Array(0) : input.encode(value),
  };
}

function resultOf(
  outputs: Outputs,
  arrivals: readonly RawEvent[],
  outcomes: readonly ItemOutcome[],
): TestResult {
  const codecs = outputCodecs(outputs);
  const emitted: TestResult['emitted'][number][] = [];
  const failed: TestResult['failed'][number][] = [];
  outcomes.forEach(({ emits, error }, index) => {
    const key = arrivals[index]?.key ?? '';
    if (error !== null) failed.push({ key, error });
    for (const { output, name, bytes } of emits) {
      emitted.push({ key, output, name, value: codecs.get(output)?.decode(bytes) });
    }
  });
  return { emitted, failed };
}

function refusingDoor(): Door {
  return new Proxy({} as Door, {
    get: (_target, name) => () => refuse(`ctx.db (${String(name)})`),
  });
}

function refuse(what: string): never {
  throw new FreshetError(
    'UNSUPPORTED',
    `The lambda under test uses ${what}, which the test does not give`,
    {
      mend: 'Pass it in the options of testLambda',
    },
  );
}

function noop(): void {
  // Nothing is logged in a test.
}
