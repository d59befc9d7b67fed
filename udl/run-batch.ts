import type { TSchema } from 'typebox';
import { FreshetError, isFreshetError, json, type Codec } from '../platform/client/mod.ts';
import type { Emit, EmitOptions, LambdaContext, LambdaEvent, Output, Outputs } from './lambda.ts';

/** An arrival as the runtime hands it over. */
export interface RawEvent {
  readonly kind: 'put' | 'trigger' | 'remove';
  readonly key: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly version: number | null;
  readonly epoch: number | null;
  readonly time: number;
  readonly eventTime: number | null;
  readonly meta: Readonly<Record<string, string>>;
}

export interface Emitted {
  readonly output: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly eventTime: number | null;
  readonly meta: Readonly<Record<string, string>>;
}

/** What became of one event: its emits, or the error that sends it to the dead letters. */
export interface ItemOutcome {
  readonly emits: readonly Emitted[];
  readonly error: FreshetError | null;
}

/**
 * What running a batch needs of a lambda, whatever its types. Not generic on purpose: comparing two
 * `Static` of unknown schemas costs the compiler many seconds.
 */
export interface Runnable {
  readonly name: string;
  readonly input: { decode(bytes: Uint8Array): unknown };
  readonly emits: Outputs;
  run(events: never, context: never): Promise<void> | void;
}

/** Emits of one event; beyond it the event fails. */
export const emitsPerEventMax = 1024;

/**
 * Runs a lambda on a batch. Rejects if `run` threw: then nothing of the batch happened and the
 * caller decides how to try again. Otherwise one outcome per event, in order.
 */
export async function runBatch(
  lambda: Runnable,
  arrivals: readonly RawEvent[],
  context: LambdaContext<never, never>,
): Promise<readonly ItemOutcome[]> {
  const codecs = outputCodecs(lambda.emits);
  const items = arrivals.map((arrival) => new BatchItem(lambda, arrival, codecs));
  const readable = items.filter((item) => item.decode());
  try {
    if (readable.length > 0) {
      const events = readable.map((item) => item.event());
      await lambda.run(events as never, context as never);
    }
  } finally {
    for (const item of items) item.close();
  }
  return items.map((item) => item.outcome());
}

/** The codec of every declared output; a bare schema means JSON values. */
export function outputCodecs(outputs: Outputs): ReadonlyMap<string, Codec<unknown>> {
  return new Map(Object.entries(outputs).map(([name, output]) => [name, codecOf(output)]));
}

function codecOf(output: Output): Codec<unknown> {
  if ('encode' in output && typeof output.encode === 'function') return output;
  const schema: TSchema = output;
  return json(schema);
}

class BatchItem {
  readonly #lambda: Runnable;
  readonly #arrival: RawEvent;
  readonly #codecs: ReadonlyMap<string, Codec<unknown>>;
  readonly #emits: Emitted[] = [];
  #value: unknown = null;
  #error: FreshetError | null = null;
  /** `run` is over: what the lambda says now comes too late. */
  #isClosed = false;

  constructor(lambda: Runnable, arrival: RawEvent, codecs: ReadonlyMap<string, Codec<unknown>>) {
    this.#lambda = lambda;
    this.#arrival = arrival;
    this.#codecs = codecs;
  }

  /** False, with the error kept, if the value is not what the lambda takes in. */
  decode(): boolean {
    try {
      const { kind, bytes } = this.#arrival;
      this.#value = kind === 'remove' ? null : this.#lambda.input.decode(bytes);
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  event(): LambdaEvent<unknown, Outputs> {
    return {
      ...this.#arrival,
      value: this.#value,
      emit: this.#emitter(),
      fail: (error) => {
        this.#refuseLate('fail');
        this.#fail(error);
      },
    };
  }

  close(): void {
    this.#isClosed = true;
  }

  outcome(): ItemOutcome {
    return this.#error === null
      ? { emits: this.#emits, error: null }
      : { emits: [], error: this.#error };
  }

  #fail(error: unknown): void {
    this.#error ??= isFreshetError(error)
      ? error
      : new FreshetError('LAMBDA_FAILED', error instanceof Error ? error.message : String(error), {
          cause: error,
        });
  }

  #emitter(): Emit<Outputs> {
    return new Proxy<Emit<Outputs>>(
      {},
      {
        get: (_target, output) => {
          const codec = typeof output === 'string' ? this.#codecs.get(output) : undefined;
          if (codec === undefined) {
            throw new FreshetError(
              'UNDECLARED_EDGE',
              `The lambda '${this.#lambda.name}' emits to '${String(output)}', which it does not declare`,
            );
          }
          return (name: string, value: unknown, options: EmitOptions = {}) => {
            this.#emit(output as string, codec, name, value, options);
          };
        },
      },
    );
  }

  #emit(
    output: string,
    codec: Codec<unknown>,
    name: string,
    value: unknown,
    options: EmitOptions,
  ): void {
    this.#refuseLate(`emit.${output}`);
    if (this.#emits.length >= emitsPerEventMax) {
      throw new FreshetError(
        'LAMBDA_FAILED',
        `The lambda '${this.#lambda.name}' emitted over ${String(emitsPerEventMax)} objects for one event`,
      );
    }
    this.#emits.push({
      output,
      name,
      // A copy: it leaves this thread when `run` is over, and what a codec gives may be the
      // lambda's own array, which it writes to or emits again.
      bytes: new Uint8Array(codec.encode(value)),
      eventTime: options.eventTime ?? this.#arrival.eventTime,
      meta: { 'content-type': codec.contentType, ...options.meta },
    });
  }

  /** Nothing would come of it, and nobody would know. */
  #refuseLate(what: string): void {
    if (!this.#isClosed) return;
    throw new FreshetError(
      'LAMBDA_FAILED',
      `'${this.#lambda.name}' called ${what} for '${this.#arrival.key}' when its run was over`,
      { mend: 'Wait in run for everything that emits or fails' },
    );
  }
}
