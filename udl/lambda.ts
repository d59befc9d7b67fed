import type { Static, TSchema } from 'typebox';
import type { Codec, Database } from '../platform/client/mod.ts';

/** What an output carries: a typebox schema (JSON values) or a codec. */
export type Output = TSchema | Codec<never> | Codec<unknown>;
export type Outputs = Readonly<Record<string, Output>>;

/** The TypeScript type that an output's `emit` takes. */
export type OutputValue<O> = O extends Codec<infer T> ? T : O extends TSchema ? Static<O> : never;

/**
 * `emit.<output>(name, value)` writes `<prefix of the edge>/<name>` along every edge of that
 * output. Emits belong to their event: they are held until `run` succeeds and dropped if it fails.
 */
export type Emit<O extends Outputs> = {
  readonly [K in keyof O]: (name: string, value: OutputValue<O[K]>, options?: EmitOptions) => void;
};

export interface EmitOptions {
  /** µs; default: the event time of the input. */
  readonly eventTime?: number;
  readonly meta?: Readonly<Record<string, string>>;
}

/** One object that arrived under the node's prefix. */
export interface LambdaEvent<I, O extends Outputs> {
  readonly kind: 'put' | 'trigger' | 'remove';
  readonly key: string;
  /** The key below the node's prefix. */
  readonly name: string;
  /** Of a remove: null. Decoded when first asked for. */
  readonly value: I;
  /**
   * Not to be written to: large values (from 256 KiB on, and those that `ctx.db` gets too) are one
   * copy for all lambdas that read them. If one of them writes, `run` is made again, with bytes of
   * its own. Copy what you keep of them after `run`.
   */
  readonly bytes: Uint8Array;
  /** null for a trigger put, which takes no version. */
  readonly version: number | null;
  readonly epoch: number | null;
  /** µs: commit time, or when the member took the trigger in. */
  readonly time: number;
  readonly eventTime: number | null;
  readonly meta: Readonly<Record<string, string>>;
  readonly emit: Emit<O>;
  /** Ends this event alone: it goes to the dead letters, the rest of the batch does not. */
  readonly fail: (error: unknown) => void;
}

export interface LambdaLogger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface LambdaContext<C, S> {
  readonly config: C;
  /** What `setup` returned; of this worker alone. */
  readonly state: S;
  readonly db: Database;
  readonly log: LambdaLogger;
  /** Aborted when the time limit is over or the member stops. */
  readonly signal: AbortSignal;
  readonly node: number;
  /** This member's place among those of the event's shard, and how many they are. */
  readonly rank: number;
  readonly shardSize: number;
  /** A file that came with the pipeline (a model, a table), on this member's disk. */
  readonly asset: (name: string) => string;
}

export type SetupContext<C> = Omit<LambdaContext<C, never>, 'state' | 'rank' | 'shardSize'>;

export interface LambdaDefinition<I, O extends Outputs, C extends TSchema, S> {
  /** `pipeline/lambda`, as pipelines name it. */
  readonly name: string;
  readonly version: string;
  readonly input: Codec<I>;
  readonly emits?: O;
  /** Checked when a pipeline is deployed; defaults are filled in. */
  readonly config?: C;
  /** Which arrivals run it. Default 'put'. */
  readonly on?: 'put' | 'trigger' | 'both';
  /** 'key' (default): events of one key one after another, in order; 'single': all of them. */
  readonly order?: 'key' | 'none' | 'single';
  /** Which members of the shard run it. 'one' (default): one of them by key. */
  readonly dispatch?: 'one' | 'all' | 'primary';
  readonly batch?: { readonly maxSize?: number; readonly maxDelayMs?: number };
  readonly timeoutMs?: number;
  readonly retries?: { readonly max?: number; readonly backoffMs?: readonly [number, number] };
  setup?(context: SetupContext<Static<C>>): Promise<S> | S;
  run(
    events: readonly LambdaEvent<I, O>[],
    context: LambdaContext<Static<C>, S>,
  ): Promise<void> | void;
  teardown?(state: S): Promise<void> | void;
}

/** A lambda with its defaults filled in; what a bundle exports as default. */
export interface Lambda<
  I = unknown,
  O extends Outputs = Outputs,
  C extends TSchema = TSchema,
  S = unknown,
> {
  readonly name: string;
  readonly version: string;
  readonly input: Codec<I>;
  readonly emits: O;
  readonly config: C | null;
  readonly on: 'put' | 'trigger' | 'both';
  readonly order: 'key' | 'none' | 'single';
  readonly dispatch: 'one' | 'all' | 'primary';
  readonly batch: { readonly maxSize: number; readonly maxDelayMs: number };
  readonly timeoutMs: number;
  readonly retries: { readonly max: number; readonly backoffMs: readonly [number, number] };
  setup(context: SetupContext<Static<C>>): Promise<S> | S;
  run(
    events: readonly LambdaEvent<I, O>[],
    context: LambdaContext<Static<C>, S>,
  ): Promise<void> | void;
  teardown(state: S): Promise<void> | void;
}
