import {
  EstablishMachine,
  type GroupEffect,
  type GroupEvent,
  type Position,
} from '../../../platform/group/establish-machine.ts';
import type { Layout, ShardLayout } from '../../../platform/group/layout.ts';
import { noView, type ViewRecord } from '../../../platform/group/view-record.ts';

/** A record is its place: two histories are equal when their places are. */
export interface Place {
  readonly epoch: number;
  readonly sequence: number;
}

interface Waiting {
  readonly to: number;
  readonly event: GroupEvent;
  /** Sent by this run of that member; void once it has died. Null: made by the receiver itself. */
  readonly from: { readonly node: number; readonly incarnation: number } | null;
  readonly incarnation: number;
}

export class World {
  readonly layout: Layout;
  readonly log: string[] = [];
  nowMs = 0;
  steps = 0;
  readonly #machines = new Map<number, EstablishMachine>();
  readonly #incarnations = new Map<number, number>();
  readonly #records = new Map<number, ViewRecord>();
  readonly #histories = new Map<string, Place[]>();
  /** shard → node → epoch that its native side runs. */
  readonly #native = new Map<string, number>();
  readonly #prepared = new Map<string, number>();
  readonly #queue: Waiting[] = [];
  #nextIncarnation = 1;

  constructor(layout: Layout) {
    this.layout = layout;
  }

  get alive(): readonly number[] {
    return [...this.#machines.keys()];
  }

  machine(node: number): EstablishMachine {
    return this.#machines.get(node) as EstablishMachine;
  }

  history(node: number, shard: number): Place[] {
    const name = nameOf(node, shard);
    const found = this.#histories.get(name) ?? [];
    this.#histories.set(name, found);
    return found;
  }

  start(node: number): void {
    const incarnation = this.#nextIncarnation++;
    this.#incarnations.set(node, incarnation);
    const record = this.#records.get(node) ?? noView;
    const others = this.alive;
    const options = { me: node, layout: this.layout, incarnation, record };
    this.#machines.set(node, new EstablishMachine(options));
    this.#put(node, { type: 'begin' });
    for (const other of others) {
      this.connect(node, other);
    }
  }

  connect(a: number, b: number): void {
    this.#put(a, { type: 'peer', node: b, up: true });
    this.#put(b, { type: 'peer', node: a, up: true });
  }

  /** Ends a member at once: what it had not on disk is gone, what it had sent may arrive or not. */
  kill(node: number): void {
    this.#machines.delete(node);
    this.#incarnations.delete(node);
    for (const { shard, persistent } of this.layout.heldBy(node)) {
      this.#native.delete(nameOf(node, shard));
      if (!persistent) {
        this.#histories.delete(nameOf(node, shard));
      }
    }
    for (const other of this.alive) {
      this.#put(other, { type: 'peer', node, up: false });
      this.#stopShared(other, node);
    }
  }

  /** The connection between two living members is lost; their shared shards stop. */
  cut(a: number, b: number): void {
    this.#put(a, { type: 'peer', node: b, up: false });
    this.#put(b, { type: 'peer', node: a, up: false });
    this.#stopShared(a, b);
    this.#stopShared(b, a);
  }

  inject(to: number, from: number, message: unknown): void {
    this.#put(to, { type: 'message', from, message });
  }

  /**
   * One event of the queue, or a tick of everybody when it is empty. Returns whether one was there.
   */
  step(): boolean {
    this.steps++;
    this.nowMs += 1;
    const next = this.#queue.shift();
    if (next === undefined) {
      this.nowMs += 200;
      for (const node of this.alive) {
        this.#enter(node, { type: 'tick' });
      }
      return false;
    }
    const sent = next.from;
    const isFromDead = sent !== null && this.#incarnations.get(sent.node) !== sent.incarnation;
    if (this.#incarnations.get(next.to) === next.incarnation && !isFromDead) {
      this.#enter(next.to, next.event);
    }
    return true;
  }

  /** Steps until all run and nothing is under way. */
  settle(stepsMax = 3000): boolean {
    for (let step = 0; step < stepsMax; step++) {
      const busy = this.step();
      if (!busy && this.isEstablished()) {
        return true;
      }
    }
    return false;
  }

  isEstablished(): boolean {
    const { members } = this.layout;
    if (this.alive.length < members.length || this.#queue.length > 0) {
      return false;
    }
    return (
      members.every((node) => this.machine(node).status.running) &&
      this.machine(members[0] as number).status.phase === 'established'
    );
  }

  /** A record that every member of the shard has: acknowledged. */
  deliver({ shard, members }: ShardLayout): Place {
    const epoch = this.#native.get(nameOf(members[0] as number, shard)) ?? 0;
    const histories = members.map((node) => this.history(node, shard));
    const sequence = Math.max(-1, ...histories.map((one) => lastIn(one, epoch))) + 1;
    for (const history of histories) {
      history.push({ epoch, sequence });
    }
    return { epoch, sequence };
  }

  /** A record that only some have delivered when something happens: not acknowledged. */
  deliverAt(node: number, shard: number): void {
    const epoch = this.#native.get(nameOf(node, shard)) ?? 0;
    const history = this.history(node, shard);
    history.push({ epoch, sequence: lastIn(history, epoch) + 1 });
  }

  nativeEpoch(node: number, shard: number): number {
    return this.#native.get(nameOf(node, shard)) ?? 0;
  }

  #enter(node: number, event: GroupEvent): void {
    for (const effect of this.machine(node).onEvent(event, this.nowMs)) {
      this.#execute(node, effect);
    }
  }

  #execute(node: number, effect: GroupEffect): void {
    switch (effect.type) {
      case 'send': {
        const incarnation = this.#incarnations.get(node) ?? 0;
        const event = { type: 'message', from: node, message: effect.message } as const;
        this.#put(effect.to, event, { node, incarnation });
        return;
      }
      case 'log':
        this.log.push(`${String(node)} ${effect.level}: ${effect.text}`);
        return;
      case 'changed':
        return;
      case 'readStates': {
        const shards = this.layout.heldBy(node).map(({ shard }) => this.#position(node, shard));
        this.#put(node, { type: 'states', attempt: effect.attempt, shards });
        return;
      }
      case 'stopShards': {
        for (const shard of effect.shards) {
          this.#native.delete(nameOf(node, shard));
        }
        const shards = effect.shards.map((shard) => this.#position(node, shard));
        this.#put(node, { type: 'states', attempt: effect.attempt, shards });
        return;
      }
      case 'fill': {
        for (const { shard, donor } of effect.fills) {
          this.#histories.set(nameOf(node, shard), [...this.history(donor, shard)]);
        }
        const shards = effect.fills.map(({ shard }) => this.#position(node, shard));
        this.#put(node, { type: 'states', attempt: effect.attempt, shards });
        return;
      }
      case 'prepare':
        this.#records.set(node, effect.record);
        for (const { shard, epoch } of effect.starts) {
          this.#prepared.set(nameOf(node, shard), epoch);
        }
        this.#put(node, { type: 'done', attempt: effect.attempt });
        return;
      case 'start':
        this.#start(node, effect.starts);
        this.#records.set(node, effect.record);
        this.#put(node, { type: 'done', attempt: effect.attempt });
        return;
    }
  }

  /** Invariant 1 of the machine: everybody has prepared what anybody starts. */
  #start(node: number, starts: readonly { shard: number; epoch: number }[]): void {
    for (const { shard, epoch } of starts) {
      for (const other of this.layout.shard(shard).members) {
        if (this.#prepared.get(nameOf(other, shard)) !== epoch) {
          throw new Error(`member ${String(other)} has not prepared ${String(epoch)}`);
        }
      }
      this.#native.set(nameOf(node, shard), epoch);
    }
  }

  #position(node: number, shard: number): Position {
    const history = this.history(node, shard);
    const last = history.at(-1) ?? { epoch: 0, sequence: -1 };
    const digest = JSON.stringify(history);
    return { shard, ...last, version: history.length, digest };
  }

  #stopShared(node: number, lost: number): void {
    for (const { shard, members } of this.layout.heldBy(node)) {
      if (members.includes(lost) && this.#native.delete(nameOf(node, shard))) {
        this.#put(node, { type: 'shardStopped', shard });
      }
    }
  }

  #put(to: number, event: GroupEvent, from: Waiting['from'] = null): void {
    const incarnation = this.#incarnations.get(to) ?? 0;
    this.#queue.push({ to, event, from, incarnation });
  }
}

function nameOf(node: number, shard: number): string {
  return `${String(node)}/${String(shard)}`;
}

function lastIn(history: readonly Place[], epoch: number): number {
  const last = history.at(-1);
  return last?.epoch === epoch ? last.sequence : -1;
}
