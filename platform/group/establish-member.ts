/**
 * A member's part of the start protocol: it does what the leader's current attempt asks, step by
 * step, and says `hello` whenever what the leader should know has changed.
 *
 * Thread: event loop. See establish-machine.ts for the protocol.
 * Invariants
 *  1. At most one step is being executed; its outcome is reported to the attempt that asked for it.
 *  2. `highest` of a shard never goes back.
 */
import type { GroupEffect, MachineOptions, Position } from './establish-machine.ts';
import {
  type Attempt,
  type EpochStart,
  type GroupMessage,
  type GroupMessageOf,
  sameAttempt,
  type ShardReport,
} from './group-messages.ts';
import type { Layout } from './layout.ts';
import type { ViewRecord } from './view-record.ts';

type Step = 'idle' | 'collect' | 'seal' | 'fill' | 'prepare' | 'prepared' | 'start';

export class EstablishMember {
  readonly leader: number;
  readonly #me: number;
  readonly #layout: Layout;
  readonly #incarnation: number;
  readonly #up = new Set<number>();
  readonly #running = new Map<number, number>();
  readonly #highest = new Map<number, number>();
  #record: ViewRecord;
  #attempt: Attempt | null = null;
  #step: Step = 'idle';
  #starts: readonly EpochStart[] = [];

  constructor(options: MachineOptions) {
    this.#me = options.me;
    this.#layout = options.layout;
    this.#incarnation = options.incarnation;
    this.#record = options.record;
    this.leader = options.layout.members[0] as number;
    for (const { shard, epoch } of options.record.epochs) {
      this.#highest.set(shard, epoch);
    }
  }

  get view(): number {
    return this.#record.committed ? this.#record.number : this.#record.number - 1;
  }

  get missing(): readonly number[] {
    return this.#layout.members.filter((node) => node !== this.#me && !this.#up.has(node));
  }

  /** Some shard of mine does not run. */
  get isDisturbed(): boolean {
    return this.#layout.heldBy(this.#me).some(({ shard }) => this.runningEpoch(shard) === 0);
  }

  runningEpoch(shard: number): number {
    return this.#running.get(shard) ?? 0;
  }

  onBegin(effects: GroupEffect[]): void {
    this.#sayHello(effects);
  }

  onPeer(node: number, up: boolean, effects: GroupEffect[]): void {
    if (up) {
      this.#up.add(node);
    } else {
      this.#up.delete(node);
    }
    effects.push({ type: 'changed' });
    this.#sayHello(effects);
  }

  onShardStopped(shard: number, effects: GroupEffect[]): void {
    if (this.#running.delete(shard)) {
      effects.push({ type: 'changed' });
      this.#sayHello(effects);
    }
  }

  /** False: not mine, or not now. */
  onMessage(from: number, message: GroupMessage, effects: GroupEffect[]): boolean {
    if (from !== this.leader) {
      return false;
    }
    switch (message.type) {
      case 'collect':
        this.#attempt = message.attempt;
        this.#step = 'collect';
        effects.push({ type: 'readStates', attempt: message.attempt });
        return true;
      case 'seal':
        return this.#onSeal(message, effects);
      case 'fill':
        return this.#onFill(message, effects);
      case 'prepare':
        return this.#onPrepare(message, effects);
      case 'start':
        return this.#onStart(message, effects);
      case 'hello':
      case 'report':
      case 'sealed':
      case 'filled':
      case 'prepared':
      case 'started':
      case 'failed':
        return false;
    }
  }

  onStates(attempt: Attempt, positions: readonly Position[], effects: GroupEffect[]): void {
    if (!this.#isCurrent(attempt)) {
      return;
    }
    const shards = positions.map((position): ShardReport => {
      const { shard, epoch } = position;
      const highest = Math.max(epoch, this.#highest.get(shard) ?? 0);
      return { ...position, running: this.runningEpoch(shard), highest };
    });
    const step = this.#step;
    this.#step = 'idle';
    if (step === 'collect') {
      const view = this.#record.number;
      this.#send({ type: 'report', attempt, view, shards }, effects);
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
    if (this.#step === 'prepare') {
      this.#step = 'prepared';
      this.#send({ type: 'prepared', attempt }, effects);
    } else if (this.#step === 'start') {
      this.#step = 'idle';
      for (const { shard, epoch } of this.#starts) {
        this.#running.set(shard, epoch);
      }
      this.#record = { ...this.#record, committed: true };
      effects.push({ type: 'changed' });
      this.#sayHello(effects);
      this.#send({ type: 'started', attempt }, effects);
    }
  }

  onFailed(attempt: Attempt, reason: string, effects: GroupEffect[]): void {
    if (this.#isCurrent(attempt)) {
      this.#step = 'idle';
      this.#send({ type: 'failed', attempt, reason }, effects);
    }
  }

  #onSeal(message: GroupMessageOf<'seal'>, effects: GroupEffect[]): boolean {
    const mine = message.shards.filter((shard) => this.#holds(shard));
    if (!this.#isCurrent(message.attempt) || this.#step !== 'idle') {
      return false;
    }
    this.#step = 'seal';
    for (const shard of mine) {
      this.#running.delete(shard);
    }
    effects.push({ type: 'changed' });
    effects.push({ type: 'stopShards', attempt: message.attempt, shards: mine });
    return true;
  }

  #onFill(message: GroupMessageOf<'fill'>, effects: GroupEffect[]): boolean {
    const known = message.fills.every(({ shard }) => this.#holds(shard));
    if (!this.#isCurrent(message.attempt) || this.#step !== 'idle' || !known) {
      return false;
    }
    this.#step = 'fill';
    effects.push({ type: 'fill', attempt: message.attempt, fills: message.fills });
    return true;
  }

  #onPrepare(message: GroupMessageOf<'prepare'>, effects: GroupEffect[]): boolean {
    const { attempt, starts } = message;
    const fresh = starts.every(({ shard, epoch }) => epoch > (this.#highest.get(shard) ?? 0));
    if (!this.#isCurrent(attempt) || this.#step !== 'idle' || !fresh) {
      return false;
    }
    this.#step = 'prepare';
    for (const { shard, epoch } of starts) {
      this.#highest.set(shard, epoch);
    }
    this.#starts = starts.filter(({ shard }) => this.#holds(shard));
    this.#record = {
      format: 1,
      number: message.view,
      committed: false,
      members: [...this.#layout.members],
      epochs: [...this.#highest].map(([shard, epoch]) => ({ shard, epoch })),
    };
    effects.push({ type: 'prepare', attempt, starts: this.#starts, record: this.#record });
    return true;
  }

  #onStart(message: GroupMessageOf<'start'>, effects: GroupEffect[]): boolean {
    if (!this.#isCurrent(message.attempt) || this.#step !== 'prepared') {
      return false;
    }
    this.#step = 'start';
    const record = { ...this.#record, committed: true };
    effects.push({ type: 'start', attempt: message.attempt, starts: this.#starts, record });
    return true;
  }

  #isCurrent(attempt: Attempt): boolean {
    return this.#attempt !== null && sameAttempt(this.#attempt, attempt);
  }

  #holds(shard: number): boolean {
    return this.#layout.has(shard) && this.#layout.shard(shard).members.includes(this.#me);
  }

  #sayHello(effects: GroupEffect[]): void {
    const hello: GroupMessage = {
      type: 'hello',
      incarnation: this.#incarnation,
      fingerprint: this.#layout.fingerprint(),
      up: [...this.#up],
      disturbed: this.isDisturbed,
    };
    this.#send(hello, effects);
  }

  #send(message: GroupMessage, effects: GroupEffect[]): void {
    if (this.leader === this.#me || this.#up.has(this.leader)) {
      effects.push({ type: 'send', to: this.leader, message });
    }
  }
}
