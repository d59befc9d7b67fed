/**
 * A member's part of a total restart: it does what the leader's current attempt asks, step by step.
 *
 * Thread: event loop. See group-machine.ts for the protocol.
 * Invariants
 *  1. At most one step is being executed; its outcome is reported to the attempt that asked for it.
 *  2. `highest` of a shard never goes back.
 *  3. Only a member without a view takes part.
 *  4. A leader whose attempt is not current any more is told so.
 */
import type { GroupEffect, Position } from './group-events.ts';
import {
  type Attempt,
  type GroupMessage,
  type GroupMessageOf,
  sameAttempt,
  type ShardReport,
} from './group-messages.ts';
import type { GroupState } from './group-state.ts';
import { type CoreView, decodeView, encodeView, nodesOf } from './view-codec.ts';
import { layoutFromText } from './view-layout.ts';
import { noView, type ViewRecord } from './view-record.ts';

type StepMessage = GroupMessageOf<'seal' | 'fill' | 'adopt' | 'prepare' | 'start'>;
type Step = 'idle' | 'collect' | 'seal' | 'fill' | 'adopt' | 'prepare' | 'prepared' | 'start';

export class RestartMember {
  readonly #state: GroupState;
  readonly #highest = new Map<number, number>();
  #record: ViewRecord;
  #leader = 0;
  #attempt: Attempt | null = null;
  #step: Step = 'idle';
  #view: CoreView | null = null;

  constructor(state: GroupState, record: ViewRecord) {
    this.#state = state;
    this.#record = record;
    this.#noteEpochs(record.committed);
    this.#noteEpochs(record.prepared);
  }

  /** The core installed a view: its record is on disk by now, or will be before the next step. */
  onInstalled(view: CoreView): void {
    const { offered } = this.#record;
    this.#record = { ...noView, committed: view, offered };
    this.#noteEpochs(view);
  }

  /** The core prepares a view: its record may be on disk. */
  onProposal(view: CoreView): void {
    this.#noteEpochs(view);
  }

  /** What this member holds is changed by something else now. */
  giveUp(): void {
    this.#attempt = null;
    this.#step = 'idle';
  }

  /** False: not mine, or not now. */
  onMessage(from: number, message: GroupMessage, effects: GroupEffect[]): boolean {
    if (!this.#state.isBlank) {
      return false;
    }
    if (message.type === 'collect') {
      this.#leader = from;
      this.#attempt = message.attempt;
      this.#step = 'collect';
      effects.push({ type: 'readStates', attempt: message.attempt });
      return true;
    }
    if (!isStep(message)) return false;
    const { attempt } = message;
    if (this.#isCurrent(attempt)) return this.#onStep(message, effects);
    // Or its leader would wait for as long as the step may take.
    const reason = 'it takes part in another start';
    effects.push({ type: 'send', to: from, message: { type: 'failed', attempt, reason } });
    return true;
  }

  #onStep(message: StepMessage, effects: GroupEffect[]): boolean {
    switch (message.type) {
      case 'seal':
        return this.#onSeal(message, effects);
      case 'fill':
        return this.#onFill(message, effects);
      case 'adopt':
        return this.#onAdopt(message, effects);
      case 'prepare':
        return this.#onPrepare(message, effects);
      case 'start':
        return this.#onStart(message, effects);
    }
  }

  reportsOf(positions: readonly Position[]): ShardReport[] {
    return positions.map((position) => {
      const { shard, epoch } = position;
      return { ...position, highest: Math.max(epoch, this.#highest.get(shard) ?? 0) };
    });
  }

  /** `record` is what lies on disk now. */
  onStates(
    attempt: Attempt,
    positions: readonly Position[],
    record: ViewRecord | null,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    if (!this.#isCurrent(attempt) || !this.#state.isBlank) {
      return;
    }
    const shards = this.reportsOf(positions);
    const step = this.#step;
    this.#step = 'idle';
    if (step === 'collect') {
      this.#report(attempt, shards, record, nowMs, effects);
    } else if (step === 'seal') {
      this.#send({ type: 'sealed', attempt, shards }, effects);
    } else if (step === 'fill') {
      this.#send({ type: 'filled', attempt, shards }, effects);
    }
  }

  onDone(attempt: Attempt, effects: GroupEffect[]): void {
    if (!this.#isCurrent(attempt)) {
      return;
    }
    if (this.#step === 'adopt') {
      this.#step = 'idle';
      this.#send({ type: 'adopted', attempt }, effects);
    } else if (this.#step === 'prepare') {
      this.#step = 'prepared';
      this.#send({ type: 'prepared', attempt }, effects);
    } else if (this.#step === 'start') {
      this.#step = 'idle';
      this.#send({ type: 'started', attempt }, effects);
    }
  }

  onFailed(attempt: Attempt, reason: string, effects: GroupEffect[]): void {
    if (this.#isCurrent(attempt)) {
      this.#step = 'idle';
      this.#send({ type: 'failed', attempt, reason }, effects);
    }
  }

  #report(
    attempt: Attempt,
    shards: ShardReport[],
    record: ViewRecord | null,
    nowMs: number,
    effects: GroupEffect[],
  ): void {
    this.#record = record ?? this.#record;
    const { committed, prepared, ballot, adoptedAt, offered } = this.#record;
    const base64 = (view: CoreView | null): string =>
      view === null ? '' : encodeView(view).toString('base64');
    const message: GroupMessage = {
      type: 'report',
      attempt,
      incarnation: this.#state.core.incarnation,
      ageMs: this.#state.ageMs(nowMs),
      committed: base64(committed),
      prepared: base64(prepared),
      ballot: String(ballot),
      adoptedAt,
      offered,
      shards,
    };
    this.#send(message, effects);
  }

  #onSeal(message: GroupMessageOf<'seal'>, effects: GroupEffect[]): boolean {
    const { attempt, view, shards } = message;
    if (this.#step !== 'idle') {
      return false;
    }
    this.#step = 'seal';
    this.#state.layouts.follow(layoutFromText(message.layout));
    this.#record = { ...this.#record, offered: Math.max(this.#record.offered, view) };
    const known = shards.filter((shard) => this.#state.layout.has(shard));
    effects.push({ type: 'stopShards', attempt, shards: known, offered: this.#record.offered });
    return true;
  }

  #onFill({ attempt, fills }: GroupMessageOf<'fill'>, effects: GroupEffect[]): boolean {
    const known = fills.every(({ shard }) => this.#state.layout.has(shard));
    if (this.#step !== 'idle' || !known) {
      return false;
    }
    this.#step = 'fill';
    effects.push({ type: 'fill', attempt, fills });
    return true;
  }

  /** After filling: its record says that this member has all of the view's epochs. */
  #onAdopt(message: GroupMessageOf<'adopt'>, effects: GroupEffect[]): boolean {
    const { attempt, base, ballot } = message;
    if (this.#step !== 'idle') {
      return false;
    }
    this.#step = 'adopt';
    const view = decodeView(Buffer.from(message.view, 'base64'));
    this.#noteEpochs(view);
    const committed = base === '' ? null : decodeView(Buffer.from(base, 'base64'));
    // Put forward again by this restart, whose number was noted when the shards were sealed.
    const { offered } = this.#record;
    this.#record = {
      committed,
      prepared: view,
      ballot: BigInt(ballot),
      adoptedAt: offered,
      offered,
    };
    // It is never begun here: no epoch of it is made.
    const bare = { ...view, shards: [] };
    effects.push({ type: 'prepare', attempt, view: bare, record: this.#record });
    return true;
  }

  #onPrepare(message: GroupMessageOf<'prepare'>, effects: GroupEffect[]): boolean {
    const { attempt, before } = message;
    const view = decodeView(Buffer.from(message.view, 'base64'));
    const fresh = view.shards.every((core) => {
      const isMine = nodesOf(view, core).includes(this.#state.me);
      return !isMine || core.epoch > (this.#highest.get(core.shard) ?? 0);
    });
    if (this.#step !== 'idle' || !fresh) {
      return false;
    }
    this.#step = 'prepare';
    this.#noteEpochs(view);
    this.#view = view;
    const committed = before === '' ? null : decodeView(Buffer.from(before, 'base64'));
    this.#record = { ...noView, committed, prepared: view, offered: this.#record.offered };
    for (const apart of message.apart) {
      if (apart.minority.includes(this.#state.me)) effects.push({ type: 'refuse', apart });
    }
    effects.push({ type: 'prepare', attempt, view, record: this.#record });
    return true;
  }

  #onStart({ attempt }: GroupMessageOf<'start'>, effects: GroupEffect[]): boolean {
    if (this.#step !== 'prepared' || this.#view === null) {
      return false;
    }
    this.#step = 'start';
    this.#record = { ...this.#record, committed: this.#view, prepared: null };
    effects.push({ type: 'start', attempt, view: this.#view, record: this.#record });
    return true;
  }

  #noteEpochs(view: CoreView | null): void {
    for (const { shard, epoch } of view?.shards ?? []) {
      this.#highest.set(shard, Math.max(epoch, this.#highest.get(shard) ?? 0));
    }
  }

  #isCurrent(attempt: Attempt): boolean {
    return this.#attempt !== null && sameAttempt(this.#attempt, attempt);
  }

  #send(message: GroupMessage, effects: GroupEffect[]): void {
    effects.push({ type: 'send', to: this.#leader, message });
  }
}

const stepTypes: ReadonlySet<string> = new Set<StepMessage['type']>([
  'seal',
  'fill',
  'adopt',
  'prepare',
  'start',
]);

function isStep(message: GroupMessage): message is StepMessage {
  return stepTypes.has(message.type);
}
