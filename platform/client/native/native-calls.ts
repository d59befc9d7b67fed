/** What changes, reads and watches have in common: where a key lies, whom to ask, and whom next. */
import {
  checkKey,
  type Clock,
  type ErrorCode,
  FreshetError,
  KeptByKey,
  limits,
  type NativePool,
  outageCodes,
} from '../../base/mod.ts';
import { insist, type InsistOptions } from '../insist.ts';
import { isGone } from '../retry-policy.ts';
import type { MemberDoors } from './member-doors.ts';
import type { RoutedShard, Topology, TopologyKeeper } from './topology.ts';

export interface NativeCallsOptions {
  readonly doors: MemberDoors;
  readonly topology: TopologyKeeper;
  /** The native table. */
  readonly statusNames: readonly string[];
  /** Of calls that name no limit of their own. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Resolves after so many ms, and keeps the process alive until then. */
  readonly pause: (delayMs: number) => Promise<void>;
}

/** Where a key lies, as far as this client knows. */
export interface Placed {
  readonly pool: NativePool;
  readonly shard: RoutedShard;
}

/** Nothing was queued, the shard's ring being full. */
const passing: ReadonlySet<ErrorCode> = new Set(['OVERLOADED']);
/** Told natively as a member's TypeScript tells it. */
const told: ReadonlySet<ErrorCode> = new Set([
  'CONDITION_FAILED',
  'SESSION_EXPIRED',
  'CANCELLED',
  'UNSUPPORTED',
]);

/** A member's TypeScript is to be asked: it mends what is wrong, or knows more of it. */
export function isForGrpc({ code }: FreshetError): boolean {
  return !isGone(code) && !passing.has(code) && !told.has(code);
}

export class NativeCalls {
  readonly options: NativeCallsOptions;
  readonly #placed = new KeptByKey<Placed>();
  #placedBy: Topology | null = null;
  #isClosed = false;

  constructor(options: NativeCallsOptions) {
    this.options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * null: it is not known here, or this is closed; a member says what is the matter. Throws
   * INVALID_KEY or KEY_TOO_LONG.
   */
  place(key: string): Placed | null {
    const current = this.#isClosed ? null : this.options.topology.current;
    if (current !== this.#placedBy) {
      this.#placed.clear();
      this.#placedBy = current;
    }
    return this.#placed.get(key) ?? this.#placeAnew(key, current);
  }

  #placeAnew(key: string, current: Topology | null): Placed | null {
    checkKey(key);
    if (current === null) return null;
    const pool = current.poolOf(key);
    const shard = pool === null ? null : current.shardOf(pool, key);
    if (pool === null || shard === null) {
      this.options.topology.refresh();
      return null;
    }
    const placed = { pool, shard };
    this.#placed.keep(key, placed);
    return placed;
  }

  /** A call was answered so: where things are may have changed. */
  onFailure({ code }: FreshetError): void {
    if (outageCodes.has(code) || code === 'UNKNOWN_POOL') this.options.topology.refresh();
  }

  limitOf(timeoutMs: number | undefined): number {
    return Math.min(timeoutMs ?? this.options.timeoutMs, limits.requestTimeoutMsMax);
  }

  insist<Result>(
    call: Pick<InsistOptions, 'timeoutMs' | 'deadline' | 'signal' | 'key' | 'members'>,
    run: (timeoutMs: number) => Promise<Result>,
    failed: FreshetError | null,
  ): Promise<Result> {
    const { clock, pause } = this.options;
    const isClosed = (): boolean => this.#isClosed;
    const leave = (error: FreshetError): void => {
      this.onFailure(error);
    };
    return insist({ ...call, clock, pause, passing, isClosed, leave }, run, failed);
  }

  close(): void {
    this.#isClosed = true;
    this.options.topology.close();
    this.options.doors.close();
  }
}

/** As the promise, but rejects CANCELLED as soon as the caller gives up. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const cancel = (): void => {
      reject(new FreshetError('CANCELLED', 'The caller gave up'));
    };
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    void work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', cancel);
    });
  });
}
