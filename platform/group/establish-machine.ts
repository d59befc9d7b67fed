/**
 * The start protocol of a fixed membership, as one synchronous machine: (state, event, now) →
 * effects. It holds no promise, no timer and does no I/O; `group-driver.ts` executes the effects
 * and brings their outcome back as events. The lowest node id leads; a member leads itself by
 * messages too.
 *
 * The leader's phases, all members being part of each:
 *
 *   waiting      for a `hello` of every member that shows all connections up
 *   collecting   collect → report: view, and per shard position, running epoch, highest epoch
 *   sealing      seal → sealed: shards that do not run everywhere are stopped; positions are final
 *   filling      fill → filled: who is behind fetches from the longest history (cut back first to
 *                the common point if its own history went another way)
 *   preparing    prepare → prepared: the epochs' memory is made, the view record durable
 *   starting     start → started: the epochs run, the record is marked committed
 *   established  every shard runs at every member of it
 *
 * A lost connection, a failure or a timeout in any phase leads back to `waiting` and to a new
 * attempt once all are connected; nothing is undone, as every step can be repeated. Epochs are
 * above every epoch that anyone ever prepared, so what an abandoned attempt made is never used
 * again.
 *
 * Thread: event loop.
 * Invariants
 *  1. An epoch starts only after every member of its shard has prepared it in the same attempt.
 *  2. A new epoch starts from the longest history among all members: nothing acknowledged is lost.
 *  3. A message of another attempt, sender or phase changes nothing and is counted.
 */
import { EstablishLeader, type LeaderPhase } from './establish-leader.ts';
import { EstablishMember } from './establish-member.ts';
import type { Attempt, EpochStart, Fill, GroupMessage, ShardReport } from './group-messages.ts';
import { parseGroupMessage } from './group-messages.ts';
import type { Layout } from './layout.ts';
import type { ViewRecord } from './view-record.ts';

export type GroupEvent =
  | { readonly type: 'begin' }
  | { readonly type: 'peer'; readonly node: number; readonly up: boolean }
  | { readonly type: 'message'; readonly from: number; readonly message: unknown }
  | { readonly type: 'shardStopped'; readonly shard: number }
  /** Outcome of readStates, stopShards and fill. */
  | { readonly type: 'states'; readonly attempt: Attempt; readonly shards: readonly Position[] }
  /** Outcome of prepare and start. */
  | { readonly type: 'done'; readonly attempt: Attempt }
  | { readonly type: 'failed'; readonly attempt: Attempt; readonly reason: string }
  | { readonly type: 'tick' };

/** What the native side knows of a shard's history. */
export type Position = Pick<ShardReport, 'shard' | 'epoch' | 'sequence' | 'version' | 'digest'>;

export type GroupEffect =
  | { readonly type: 'send'; readonly to: number; readonly message: GroupMessage }
  | { readonly type: 'readStates'; readonly attempt: Attempt }
  | { readonly type: 'stopShards'; readonly attempt: Attempt; readonly shards: readonly number[] }
  | { readonly type: 'fill'; readonly attempt: Attempt; readonly fills: readonly Fill[] }
  | {
      readonly type: 'prepare';
      readonly attempt: Attempt;
      readonly starts: readonly EpochStart[];
      readonly record: ViewRecord;
    }
  | {
      readonly type: 'start';
      readonly attempt: Attempt;
      readonly starts: readonly EpochStart[];
      readonly record: ViewRecord;
    }
  | { readonly type: 'changed' }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly text: string };

export interface MachineOptions {
  readonly me: number;
  readonly layout: Layout;
  /** Random, new with every start of this process; below 2^48. */
  readonly incarnation: number;
  readonly record: ViewRecord;
}

/** What can be told about the group at any time. */
export interface GroupStatus {
  readonly view: number;
  readonly leader: number;
  /** Every shard of mine runs. */
  readonly running: boolean;
  /** Members that are not connected with me. */
  readonly missing: readonly number[];
  /** At the leader: where the start protocol is; elsewhere null. */
  readonly phase: LeaderPhase | null;
  /** Why the last attempt failed, until one succeeds. */
  readonly problem: string | null;
  /** Messages that belonged nowhere. */
  readonly ignored: number;
}

export class EstablishMachine {
  readonly #me: number;
  readonly #member: EstablishMember;
  readonly #leader: EstablishLeader | null;
  #ignored = 0;

  constructor(options: MachineOptions) {
    this.#me = options.me;
    this.#member = new EstablishMember(options);
    const leads = options.layout.members[0] === options.me;
    this.#leader = leads ? new EstablishLeader(options) : null;
  }

  get status(): GroupStatus {
    const member = this.#member;
    return {
      view: member.view,
      leader: member.leader,
      running: !member.isDisturbed,
      missing: member.missing,
      phase: this.#leader?.phase ?? null,
      problem: this.#leader?.problem ?? null,
      ignored: this.#ignored,
    };
  }

  /** The epoch of a shard that runs here; 0: none. */
  runningEpoch(shard: number): number {
    return this.#member.runningEpoch(shard);
  }

  /** Whether something is due after a while, without any event: ticks are wanted then. */
  get wantsTicks(): boolean {
    return this.#leader !== null && this.#leader.phase !== 'established';
  }

  /** `nowMs` is monotonic. */
  onEvent(event: GroupEvent, nowMs: number): GroupEffect[] {
    const effects: GroupEffect[] = [];
    switch (event.type) {
      case 'begin':
        this.#member.onBegin(effects);
        break;
      case 'peer':
        this.#member.onPeer(event.node, event.up, effects);
        this.#leader?.onPeer(event.node, event.up, nowMs, effects);
        break;
      case 'message':
        this.#onMessage(event.from, event.message, nowMs, effects);
        break;
      case 'shardStopped':
        this.#member.onShardStopped(event.shard, effects);
        break;
      case 'states':
        this.#member.onStates(event.attempt, event.shards, effects);
        break;
      case 'done':
        this.#member.onDone(event.attempt, effects);
        break;
      case 'failed':
        this.#member.onFailed(event.attempt, event.reason, effects);
        break;
      case 'tick':
        this.#leader?.onTick(nowMs, effects);
        break;
    }
    return effects;
  }

  #onMessage(from: number, value: unknown, nowMs: number, effects: GroupEffect[]): void {
    const message = parseGroupMessage(value);
    const taken =
      message !== null &&
      (this.#member.onMessage(from, message, effects) ||
        this.#leader?.onMessage(from, message, nowMs, effects) === true);
    if (!taken) {
      this.#ignored++;
      const what = message === null ? 'a malformed group message' : `a stale ${message.type}`;
      const text = `member ${String(this.#me)} ignored ${what} of ${String(from)}`;
      effects.push({ type: 'log', level: 'warn', text });
    }
  }
}
