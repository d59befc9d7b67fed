import type { ErrorObject } from '../base/mod.ts';

/** What a worker is started with. Code and assets are names of files on this member's disk. */
export interface WorkerStart {
  readonly lambda: string;
  /** A CommonJS bundle; its `default` is the lambda. */
  readonly code: string;
  readonly config: unknown;
  readonly assets: Readonly<Record<string, string>>;
  readonly node: number;
  /** Key of the native member, for reading values in place; null: every item brings its bytes. */
  readonly memberKey: number | null;
  readonly niceness: number;
}

/** What one thread of a worker is started with. */
export interface ThreadStart extends WorkerStart {
  /** The word of the thread's NativeGate. */
  readonly gate: SharedArrayBuffer;
}

/** What a lambda runs for. */
export interface WorkEvent {
  readonly kind: 'put' | 'trigger' | 'remove';
  readonly key: string;
  readonly name: string;
  readonly shard: number;
  readonly version: number | null;
  readonly epoch: number | null;
  readonly time: number;
  readonly eventTime: number | null;
  readonly meta: Readonly<Record<string, string>>;
  /** null: to be read by (shard, version). */
  readonly bytes: Uint8Array | null;
  /** See `Arrival`. */
  readonly raw?: boolean;
}

/** The same on its way into a worker. */
export interface WorkItem extends WorkEvent {
  /** The number of the shared record that has its bytes (`ValueReader`), which the sender holds. */
  readonly shared: number | null;
}

export interface EmittedBytes {
  readonly output: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly eventTime: number | null;
  readonly meta: Readonly<Record<string, string>>;
}

export interface WorkOutcome {
  readonly emits: readonly EmittedBytes[];
  readonly error: ErrorObject | null;
}

export type ToWorker =
  | {
      readonly type: 'run';
      readonly id: number;
      readonly rank: number;
      readonly shardSize: number;
      readonly items: readonly WorkItem[];
    }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly value: unknown;
      /** Of an object whose value is left out: the shared record that has it, held until `took`. */
      readonly shared: number | null;
      readonly error: ErrorObject | null;
    }
  | { readonly type: 'abort' }
  | { readonly type: 'stop' };

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'broken'; readonly error: ErrorObject }
  | {
      readonly type: 'done';
      readonly id: number;
      /** ms since the Unix epoch when the first line ran. */
      readonly beganAt: number;
      readonly outcomes: readonly WorkOutcome[];
      readonly offHeapBytes: number;
    }
  | {
      readonly type: 'threw';
      readonly id: number;
      readonly beganAt: number;
      readonly error: ErrorObject;
    }
  | {
      readonly type: 'call';
      readonly id: number;
      readonly method: string;
      readonly args: readonly unknown[];
      /** May the answer be in a shared record? */
      readonly shares: boolean;
    }
  /** The shared record of this call's answer was opened, or is of no use. */
  | { readonly type: 'took'; readonly id: number }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: Readonly<Record<string, unknown>>;
      readonly message: string;
    };
