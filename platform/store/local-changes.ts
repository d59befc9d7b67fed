/**
 * Changes of a shard that this member holds and sends in: to the native side and, by what it
 * answered, to whoever made them.
 *
 * Thread: event loop.
 */
import {
  allOutcomes,
  type Clock,
  conditionError,
  type FreshetError,
  oneResult,
  type OutcomeSink,
  type PutOutcome,
  type PutResult,
} from '../base/mod.ts';
import { acks, recordKinds } from '../bridge/mod.ts';
import type { Completion, CoreChange, Group, MemberCore } from '../group/mod.ts';
import { encodeExtra } from './change-extra.ts';
import { leftError } from './current-store.ts';
import type { MadeChange, ShardCallLimits, ShardChange } from './shard-access.ts';
import { ShardWriter, Submission } from './shard-writer.ts';

export interface LocalChangesOptions {
  readonly core: MemberCore;
  readonly group: Group;
  readonly clock: Clock;
  /** The version of the key before this one; null: there is none, or it is not known any more. */
  readonly previousOf: (key: string, version: number) => number | null;
}

const nothingKnown: PutResult = Object.freeze({
  version: 0,
  epoch: 0,
  time: 0,
  previousVersionOfKey: null,
});

class LocalChange extends Submission {
  readonly #owner: LocalChanges;
  readonly #made: MadeChange;

  constructor(owner: LocalChanges, writer: ShardWriter, change: CoreChange, made: MadeChange) {
    super(writer, change, made.deadlineMs, made.signal);
    this.#owner = owner;
    this.#made = made;
  }

  protected onDone(completion: Completion | null): void {
    this.#owner.end(this.#made, completion);
  }

  protected onFailed(error: FreshetError): void {
    this.#made.settle(error);
  }
}

export class LocalChanges {
  readonly #shard: number;
  readonly #options: LocalChangesOptions;
  readonly #writer: ShardWriter;

  constructor(shard: number, options: LocalChangesOptions) {
    const { core, group, clock } = options;
    this.#shard = shard;
    this.#options = options;
    this.#writer = new ShardWriter(shard, core, group, clock);
  }

  make(change: ShardChange, call: ShardCallLimits): Promise<PutResult> {
    return oneResult((sink) => {
      this.begin(this.#made([change], call, sink));
    });
  }

  makeMany(changes: readonly ShardChange[], call: ShardCallLimits): Promise<readonly PutOutcome[]> {
    return allOutcomes(changes.length, (sink) => {
      this.begin(this.#made(changes, call, sink));
    });
  }

  begin(changes: readonly MadeChange[]): void {
    const [only] = changes;
    if (changes.length === 1 && only !== undefined) this.#writer.submit(this.#submission(only));
    else this.#writer.submitMany(changes.map((made) => this.#submission(made)));
  }

  /** null: nobody answers it. */
  end(made: MadeChange, completion: Completion | null): void {
    const { change, deadlineMs } = made;
    const { core, group, clock } = this.#options;
    if (completion === null) {
      made.settle(nothingKnown);
      return;
    }
    const { status, version, epoch, time, previousVersionOfKey } = completion;
    if (status === 0) {
      const told =
        previousVersionOfKey > 0 ? previousVersionOfKey : this.#previous(change, version);
      made.settle({ version, epoch, time, previousVersionOfKey: told });
      return;
    }
    const isCutOff = core.statusName(status) === 'SHARD_STOPPED';
    // Under a session identity it is applied once, however often it is sent.
    if (!isCutOff || change.session === null) {
      made.settle(this.#error(change, completion));
    } else if (!group.isHere(this.#shard)) {
      made.settle(leftError(this.#shard));
    } else if (clock.monotonicMs() >= deadlineMs) {
      made.settle(this.#error(change, completion));
    } else {
      this.#writer.submit(this.#submission(made));
    }
  }

  #made(
    changes: readonly ShardChange[],
    { timeoutMs, signal }: ShardCallLimits,
    sink: OutcomeSink,
  ): MadeChange[] {
    const deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
    return changes.map((change, nth) => {
      const settle = (outcome: PutOutcome): void => {
        sink.settle(nth, outcome);
      };
      return { change, deadlineMs, signal, settle };
    });
  }

  #submission(made: MadeChange): LocalChange {
    const { change } = made;
    const native = {
      shard: this.#shard,
      kind: recordKinds[change.kind],
      ack: acks[change.ack],
      pool: change.pool,
      key: change.key,
      value: change.value,
      meta: change.meta,
      extra: encodeExtra(change),
    };
    return new LocalChange(this, this.#writer, native, made);
  }

  #error({ key }: ShardChange, { status, previousVersionOfKey }: Completion): FreshetError {
    const { core, group } = this.#options;
    const name = core.statusName(status);
    if (name === 'CONDITION_FAILED') return conditionError(key, previousVersionOfKey);
    if (name === 'SHARD_STOPPED') {
      const what = `The change of ${key} may or may not have been made`;
      return group.stoppedError(this.#shard, what);
    }
    const what = `The change of ${key}`;
    if (name === 'DISK_FULL') return group.diskFullError(this.#shard, what);
    return core.error(status, what, { key, shard: this.#shard });
  }

  /** What is answered later than at delivery, or again to a retry, comes without it. */
  #previous({ kind, key, ack, session }: ShardChange, version: number): number | null {
    const isTold = ack !== 'persisted' && session === null;
    if (kind === 'control' || isTold || version === 0) return null;
    return this.#options.previousOf(key, version);
  }
}
