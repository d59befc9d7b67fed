import { FreshetError, type Random } from '../base/mod.ts';

/**
 * `ordered`: run by every member of the shard, in one order. `p2p`: run by one member, on what it
 * has applied so far; it may read the state and must not change it.
 */
export type CallKind = 'ordered' | 'p2p';

/** What an ordered call may depend on besides its arguments: alike at every member. */
export interface CallContext {
  /** Of the call in its shard: grows with every call, so it serves as a fencing token. */
  readonly version: number;
  readonly epoch: number;
  /** Commit time, µs, strictly monotone in version. Not the clock of any one member. */
  readonly time: number;
  /** Node id of the member that called. */
  readonly caller: number;
  /** Seeded by the version: the same numbers at every member. */
  readonly random: Random;
}

/**
 * An object of which every member of a shard has a copy. A subclass names in `static calls` which
 * of its methods are called how:
 *
 *     class Counter extends Replicated {
 *       static readonly calls = { add: 'ordered', total: 'p2p' } as const;
 *
 * Ordered methods are synchronous and deterministic: no clock, no random numbers, no I/O but what
 * `context` gives. Arguments and results are what MessagePack carries. One that throws has thrown
 * at every member; what it had changed before stays changed, at all of them.
 */
export abstract class Replicated {
  #context: CallContext | null = null;

  /** Of the ordered call that runs now. Throws INVALID_ARGUMENT outside of one. */
  protected get context(): CallContext {
    if (this.#context === null) {
      throw new FreshetError('INVALID_ARGUMENT', 'There is no context outside an ordered call', {
        mend: 'Read context in a method that static calls names as ordered',
      });
    }
    return this.#context;
  }

  /** The whole state, up to 64 MiB; of a member that has just run the last call before it. */
  abstract snapshot(): Uint8Array;

  /** Becomes what `snapshot` told. Called on a new object. */
  abstract restore(bytes: Uint8Array): void;

  /** For the platform: runs one ordered call. */
  static run<Result>(object: Replicated, context: CallContext, call: () => Result): Result {
    object.#context = context;
    try {
      return call();
    } finally {
      object.#context = null;
    }
  }
}
