/**
 * The copy of a replicated object at this member: follows the log, answers who waits for a call,
 * and writes snapshots when it is its turn.
 *
 * Thread: event loop.
 * Invariants
 *  1. The state is that after all calls up to `state.last`, no more and no fewer: a gap in the log,
 *     or another history, is answered by beginning again from a snapshot.
 *  2. Whoever waits for a call is answered when it is applied here, or when this is closed.
 */
import { type Clock, FreshetError, type Logger, toFreshetError } from '../base/mod.ts';
import {
  type CallId,
  type CallRecord,
  decodeCall,
  encodeCall,
  type Outcome,
} from './call-record.ts';
import type { LogEntry, ReplicaLog } from './replica-log.ts';
import type { CallPlace, ReplicaState } from './replica-state.ts';
import { replicatedLimits } from './replicated-limits.ts';

export interface ReplicaOptions {
  readonly name: string;
  readonly state: ReplicaState;
  readonly log: ReplicaLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly snapshotCalls: number;
  /** Whether it is this member that writes snapshots now. */
  readonly leads: () => boolean;
  /** Has the member that leads write one; what goes wrong is tried again. */
  readonly askSnapshot: () => Promise<void>;
}

interface Waiter {
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: FreshetError) => void;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #state: ReplicaState;
  readonly #waiters = new Map<string, { readonly id: CallId; readonly all: Set<Waiter> }>();
  #follower: { close(): void } | null = null;
  /** Calls in the newest snapshot known, and from which count on the next one is due. */
  #snapshotCount = 0;
  #notBefore = 0;
  #pauseMs = replicatedLimits.retryPauseMs;
  /** What was said of why nothing can be followed, since the last call that came. */
  readonly #told = new Set<string>();
  #writing: Promise<void> | null = null;
  #closed = false;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Resolves once the copy begins to follow. Rejects what reading the snapshot rejects. */
  async start(): Promise<void> {
    await this.#load();
    this.#follow();
  }

  /**
   * Puts a call into the log and waits until it is applied here; what fails has no known effect.
   */
  async submit(call: CallRecord, timeoutMs: number): Promise<Outcome> {
    const waiting = new AbortController();
    const applied = this.whenApplied(call.id, waiting.signal);
    if (this.#state.outcomeOf(call.id) !== null || this.#closed) {
      return applied;
    }
    // That it is applied here is not enough: who is cut off applies what the others never see.
    const written = this.#options.log
      .append(encodeCall(call), timeoutMs)
      .catch((caught: unknown) => {
        waiting.abort();
        throw caught;
      });
    const [outcome] = await Promise.all([applied, written]);
    return outcome;
  }

  /** What a call came to, once it is applied here; never, once given up. Rejects CLOSED. */
  whenApplied(id: CallId, givenUp?: AbortSignal): Promise<Outcome> {
    const known = this.#state.outcomeOf(id);
    if (known !== null) {
      return Promise.resolve(known);
    }
    if (this.#closed) {
      return Promise.reject(this.#closedError());
    }
    const name = nameOf(id);
    return new Promise((resolve, reject) => {
      const waiting = this.#waiters.get(name) ?? { id, all: new Set() };
      const waiter = { resolve, reject };
      waiting.all.add(waiter);
      this.#waiters.set(name, waiting);
      givenUp?.addEventListener('abort', () => {
        waiting.all.delete(waiter);
        if (waiting.all.size === 0) this.#waiters.delete(name);
      });
    });
  }

  /** The view changed: what was applied may be of a history that did not go on. */
  onView(): void {
    if (this.#leaveOtherHistory() && this.#follower !== null) this.#beginAgain();
  }

  /** Resolves once a snapshot of the state as it is now is in the log. */
  async writeSnapshot(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  /** A p2p method, on what is applied here. Rejects UNKNOWN_POOL: the object was removed. */
  async read(method: string, args: Uint8Array): Promise<Outcome> {
    const refusal = this.#options.log.refusal();
    if (refusal !== null) throw refusal;
    return this.#state.read(method, args);
  }

  close(): void {
    this.#closed = true;
    this.#follower?.close();
    this.#follower = null;
    for (const { all } of this.#waiters.values()) {
      for (const { reject } of all) reject(this.#closedError());
    }
    this.#waiters.clear();
  }

  async #load(): Promise<void> {
    const snapshot = await this.#options.log.readSnapshot();
    if (snapshot === null || this.#closed) {
      return;
    }
    this.#snapshotCount = Math.max(this.#snapshotCount, snapshot.count);
    // What was applied here meanwhile is not undone by an older snapshot.
    if (snapshot.count > this.#state.count) {
      this.#state.restore(snapshot.bytes);
      this.#answerApplied();
    }
  }

  /** True: what was applied is of a history that did not go on, and is undone. */
  #leaveOtherHistory(): boolean {
    const { log, logger, name } = this.#options;
    if (log.holds(this.#state.last)) return false;
    logger.warn({ object: name }, 'the copy is of another history');
    this.#clear();
    return true;
  }

  #clear(place?: CallPlace): void {
    this.#state.clear(place);
    this.#snapshotCount = 0;
    this.#notBefore = 0;
  }

  #follow(): void {
    if (this.#closed) return;
    // The snapshot that it begins with may have been read before a view that came meanwhile.
    if (this.#leaveOtherHistory()) {
      this.#beginAgain();
      return;
    }
    const from = this.#state.last.version + 1;
    const follower = this.#options.log.follow(
      from,
      (entries) => {
        if (this.#follower === follower) this.#onEntries(entries);
      },
      (error) => {
        if (this.#follower === follower) this.#onEnd(toFreshetError(error));
      },
    );
    this.#follower = follower;
  }

  #onEnd(error: FreshetError): void {
    this.#follower = null;
    if (error.code !== 'COMPACTED') this.#tell(error, 'following the log again');
    this.#beginAgain();
  }

  /** Once, however often it is met, until calls come again. */
  #tell(error: FreshetError, event: string): void {
    const { logger, name } = this.#options;
    const told = `${event}: ${error.code}`;
    if (!this.#told.has(told)) logger.warn({ object: name, error: error.toJSON() }, event);
    this.#told.add(told);
  }

  #onEntries(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.kind === 'snapshot') {
        this.#snapshotCount = Math.max(this.#snapshotCount, entry.count);
      } else if (entry.kind === 'removed') {
        this.#clear(entry.place);
      } else if (this.#isGap(entry.previous)) {
        this.#beginAgain();
        return;
      } else {
        this.#apply(entry);
      }
    }
    this.#considerSnapshot();
  }

  /** In a log that forgets, the call before this one may be gone. */
  #isGap(previous: number | null): boolean {
    const { version } = this.#state.last;
    const expected = version === 0 ? null : version;
    return previous !== expected && (previous !== null || this.#options.log.forgets);
  }

  #apply({ place, bytes }: Extract<LogEntry, { kind: 'call' }>): void {
    this.#pauseMs = replicatedLimits.retryPauseMs;
    this.#told.clear();
    let call: CallRecord;
    try {
      call = decodeCall(bytes);
    } catch (caught) {
      // Alike at every member that runs this version, so the copies stay alike.
      const { logger, name } = this.#options;
      logger.error({ object: name, version: place.version, error: String(caught) }, 'no call');
      this.#state.skip(place);
      return;
    }
    const outcome = this.#state.apply(call, place);
    this.#answer(call.id, outcome);
  }

  #answer(id: CallId, outcome: Outcome): void {
    const waiting = this.#waiters.get(nameOf(id));
    if (waiting !== undefined) {
      this.#waiters.delete(nameOf(id));
      for (const { resolve } of waiting.all) resolve(outcome);
    }
  }

  /** Calls that a snapshot brought. */
  #answerApplied(): void {
    for (const { id } of [...this.#waiters.values()]) {
      const outcome = this.#state.outcomeOf(id);
      if (outcome !== null) this.#answer(id, outcome);
    }
  }

  /** From the newest snapshot; a new one is asked for where the log no longer leads on from it. */
  #beginAgain(): void {
    this.#follower?.close();
    this.#follower = null;
    const { clock, askSnapshot, log } = this.#options;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, replicatedLimits.followPauseMsMax);
    clock.after(pauseMs, () => {
      const again = async (): Promise<void> => {
        if (this.#closed || this.#follower !== null) return;
        try {
          if (log.forgets) await askSnapshot();
          await this.#load();
          this.#follow();
        } catch (caught) {
          this.#tell(toFreshetError(caught), 'no snapshot yet');
          this.#beginAgain();
        }
      };
      void again();
    });
  }

  #considerSnapshot(): void {
    const { snapshotCalls, leads, logger, name } = this.#options;
    const { count } = this.#state;
    const isDue = count - this.#snapshotCount >= snapshotCalls && count >= this.#notBefore;
    if (!isDue || this.#writing !== null || !leads()) {
      return;
    }
    // One that cannot be written is not tried with every call.
    this.#notBefore = count + Math.ceil(snapshotCalls / 10);
    this.writeSnapshot().catch((caught: unknown) => {
      const error = toFreshetError(caught);
      if (error.code === 'CLOSED') return;
      logger.warn({ object: name, error: error.toJSON() }, 'a snapshot was not written');
    });
  }

  async #write(): Promise<void> {
    const { count } = this.#state;
    await this.#options.log.writeSnapshot(this.#state.snapshot(), count);
    this.#snapshotCount = Math.max(this.#snapshotCount, count);
  }

  #closedError(): FreshetError {
    return new FreshetError('CLOSED', `The replicated object ${this.#options.name} was closed`);
  }
}

function nameOf({ node, run, request }: CallId): string {
  return `${String(node)}/${run}/${String(request)}`;
}
