import type { FreshetError } from '../base/mod.ts';
import type { CallPlace } from './replica-state.ts';

/**
 * What the log of a replicated object has: calls, and now and then the state after some of them.
 */
export type LogEntry =
  | {
      readonly kind: 'call';
      readonly place: CallPlace;
      /** Version of the call before; null: none, or no longer kept. */
      readonly previous: number | null;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'snapshot'; readonly count: number }
  /** The calls before are gone, with the pool: the object begins anew. */
  | { readonly kind: 'removed'; readonly place: CallPlace };

/** The order of one shard, as a replicated object uses it. Every rejection is a FreshetError. */
export interface ReplicaLog {
  /** Whether calls before the newest snapshot may be gone. */
  readonly forgets: boolean;
  /** Why nothing can be called now: the pool was removed. */
  refusal(): FreshetError | null;
  /** Resolves once the call has its place in the log, as durable as its pool makes it. */
  append(call: Uint8Array, timeoutMs: number): Promise<void>;
  /** null: there is none. */
  readSnapshot(): Promise<{ readonly bytes: Uint8Array; readonly count: number } | null>;
  /** Not written when another one has come in between. */
  writeSnapshot(bytes: Uint8Array, count: number): Promise<void>;
  /**
   * Entries from a version on, in order, none twice, none before this has returned. `onEnd` once,
   * with why; COMPACTED: some are no longer kept.
   */
  follow(
    from: number,
    onEntries: (entries: readonly LogEntry[]) => void,
    onEnd: (error: Error) => void,
  ): { close(): void };
  /** False: the shard's history is another one than that in which this place was seen. */
  holds(place: CallPlace): boolean;
}
