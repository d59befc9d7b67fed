/**
 * Drives the start protocol: executes the effects of the machine on the native side, the disk and
 * the connections, and tells it their outcome.
 *
 * Thread: event loop.
 * Invariants
 *  1. Steps are executed one after the other; a newer attempt aborts the step of an older one
 *  first.
 *  2. The machine is entered by one event at a time.
 */
import {
  type CancelTimer,
  type Clock,
  FreshetError,
  type Logger,
  messageOf,
  type Random,
} from '../base/mod.ts';
import { frontierColumns, frontierWidth } from '../bridge/mod.ts';
import {
  EstablishMachine,
  type GroupEffect,
  type GroupEvent,
  type GroupStatus,
  type Position,
} from './establish-machine.ts';
import { EventStream } from './event-stream.ts';
import { groupLimits } from './group-limits.ts';
import type { Attempt, EpochStart, Fill } from './group-messages.ts';
import type { Layout } from './layout.ts';
import { LogCare, type LogCareConfig } from './log-care.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import { ShardFiller } from './shard-filler.ts';
import { type ViewRecord, writeViewRecord } from './view-record.ts';

export interface MemberAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface GroupOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  readonly layout: Layout;
  readonly members: readonly MemberAddress[];
  readonly dataFolder: string;
  readonly record: ViewRecord;
  readonly ringBudgetBytes: number;
  readonly shardMemoryBytes: number;
  readonly logCare: LogCareConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface MemberState extends MemberAddress {
  readonly up: boolean;
  readonly leads: boolean;
  readonly me: boolean;
}

/** How the group stands; given at every change. */
export interface GroupView {
  /** Number of the newest view that began; 0: none yet. */
  readonly number: number;
  readonly members: readonly MemberState[];
  /** Every shard that this member holds runs. */
  readonly running: boolean;
  /** Shards of this member that stand still. */
  readonly stopped: readonly number[];
  readonly problem: string | null;
}

type StepEffect = Extract<
  GroupEffect,
  { readonly type: 'readStates' | 'stopShards' | 'fill' | 'prepare' | 'start' }
>;

export class Group {
  readonly layout: Layout;
  readonly care: LogCare;
  readonly #options: GroupOptions;
  readonly #core: MemberCore;
  readonly #messages: PeerMessages;
  readonly #machine: EstablishMachine;
  readonly #filler: ShardFiller;
  readonly #log: Logger;
  readonly #ringSize: number;
  readonly #watchers = new Set<EventStream<GroupView>>();
  readonly #queue: GroupEvent[] = [];
  #entered = false;
  #steps: Promise<void> = Promise.resolve();
  #abort = new AbortController();
  #cancelTick: CancelTimer | null = null;
  #closed = false;

  constructor(options: GroupOptions) {
    const { core, messages, layout, random, record } = options;
    this.layout = layout;
    this.#options = options;
    this.#core = core;
    this.#messages = messages;
    this.#log = options.log;
    this.#ringSize = layout.commonRingSize(options.ringBudgetBytes);
    this.#filler = new ShardFiller(core, messages);
    this.care = new LogCare({
      ...options,
      ...options.logCare,
      onRefused: (shard) => {
        void this.#refuse(shard);
      },
    });
    const incarnation = random.u32() * 2 ** 16 + (random.u32() >>> 16);
    this.#machine = new EstablishMachine({ me: core.nodeId, layout, incarnation, record });
  }

  get status(): GroupStatus {
    return this.#machine.status;
  }

  get view(): GroupView {
    const { core, layout, members } = this.#options;
    const status = this.#machine.status;
    return {
      number: status.view,
      members: members.map((member) => ({
        ...member,
        up: member.id === core.nodeId || this.#messages.up.has(member.id),
        leads: member.id === status.leader,
        me: member.id === core.nodeId,
      })),
      running: status.running,
      stopped: layout
        .heldBy(core.nodeId)
        .map(({ shard }) => shard)
        .filter((shard) => !this.isRunning(shard)),
      problem: status.problem,
    };
  }

  isRunning(shard: number): boolean {
    return this.runningEpoch(shard) > 0;
  }

  /** 0: the shard stands still, or is not held here. */
  runningEpoch(shard: number): number {
    return this.#machine.runningEpoch(shard);
  }

  /** The view now, then at every change, until the iterator is returned or the member closes. */
  watchView(): EventStream<GroupView> {
    const stream: EventStream<GroupView> = new EventStream(groupLimits.viewEvents, () => {
      this.#watchers.delete(stream);
    });
    this.#watchers.add(stream);
    stream.push(this.view);
    return stream;
  }

  /**
   * Opens the shards of this member; what they hold on disk is read. One that is damaged stays
   * closed until the others have mended it; LOG_CORRUPT: there are no others.
   */
  async openShards(): Promise<void> {
    for (const layout of this.layout.heldBy(this.#core.nodeId)) {
      await this.care.open(layout);
    }
  }

  /** Connects with the other members and begins the start protocol. After `openShards`. */
  begin(): void {
    const { core, members } = this.#options;
    core.listen({
      onPeer: (node, state, status) => {
        if (state === 'refused') {
          const reason = core.statusName(status);
          // While members start, some dial before they are known: that mends itself.
          const level = reason === 'NOT_A_MEMBER' ? 'info' : 'warn';
          this.#log[level]({ node, reason }, 'a connection was refused');
          return;
        }
        this.#log.info({ node, state }, 'member connection');
        this.#enter({ type: 'peer', node, up: state === 'up' });
      },
      onShardStopped: (shard) => {
        this.#enterIfStopped(shard);
      },
    });
    this.#messages.onGroupMessage((from, message) => {
      this.#enter({ type: 'message', from, message });
    });
    for (const { id, host, port } of members) {
      if (id !== core.nodeId) {
        const status = core.addon.addPeer(core.handle, id, host, port);
        if (status < 0) {
          throw core.error(status, `Connecting to member ${String(id)} at ${host}`);
        }
      }
    }
    this.#enter({ type: 'begin' });
    this.care.begin();
  }

  /** The shard may not go on here: it stops, and no attempt to start it gets beyond that. */
  async #refuse(shard: number): Promise<void> {
    if (this.isRunning(shard)) {
      await this.#core.stopEpoch(shard);
      this.#enter({ type: 'shardStopped', shard });
    }
    this.#publishView();
  }

  /**
   * Resolves once every shard of this member runs. Rejects TIMEOUT, saying whom it waits for;
   * LOG_CORRUPT, HISTORY_DIFFERS: a shard of this member may not go on.
   */
  async whenRunning(timeoutMs: number): Promise<void> {
    const views = this.watchView();
    const cancel = this.#options.clock.after(timeoutMs, () => {
      views.end();
    });
    for await (const view of views) {
      const { refusal } = this.care;
      if (view.running || refusal !== null) {
        cancel();
        if (refusal !== null) throw refusal;
        return;
      }
    }
    if (this.#closed) {
      throw new FreshetError('CLOSED', 'The member was closed before its shards ran');
    }
    throw new FreshetError('TIMEOUT', `The shards do not run yet: ${this.explain()}`, {
      mend: 'Start the missing members, or wait longer',
    });
  }

  /** Why shards stand still, in words. */
  explain(): string {
    const { missing, problem, leader } = this.status;
    if (missing.length > 0) {
      return `waiting for member ${missing.map(String).join(', ')}`;
    }
    return (
      this.care.refusal?.message ??
      problem ??
      `member ${String(leader)} is taking all members through the start`
    );
  }

  /** SHARD_STOPPED with whom the shard waits for; or why it may not go on here. */
  stoppedError(shard: number, what: string): FreshetError {
    const refusal = this.care.refusalOf(shard);
    if (refusal !== null) return refusal;
    const message = `${what}: shard ${String(shard)} stands still, ${this.explain()}`;
    const missing = this.status.missing.map(String).join(', ');
    return new FreshetError('SHARD_STOPPED', message, {
      ...(missing === '' ? {} : { mend: `Start member ${missing} again` }),
      details: { shard, missing },
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTick?.();
    this.#abort.abort();
    await this.care.close();
    for (const watcher of [...this.#watchers]) {
      watcher.end();
    }
    // A step may wait for the native side, whose close answers it: no waiting for that here.
    await Promise.race([this.#steps, this.#pause(groupLimits.closeWaitMs)]);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(delayMs, resolve);
    });
  }

  /** A group that runs has nothing to wait for, and its members sleep. */
  #tickLater(): void {
    if (this.#cancelTick !== null || this.#closed || !this.#machine.wantsTicks) {
      return;
    }
    this.#cancelTick = this.#options.clock.after(groupLimits.tickMs, () => {
      this.#cancelTick = null;
      this.#enter({ type: 'tick' });
    });
  }

  #enter(event: GroupEvent): void {
    this.#queue.push(event);
    if (this.#entered || this.#closed) {
      return;
    }
    this.#entered = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const now = this.#options.clock.monotonicMs();
      for (const effect of this.#machine.onEvent(next, now)) {
        this.#execute(effect);
      }
    }
    this.#entered = false;
    this.#tickLater();
  }

  #execute(effect: GroupEffect): void {
    switch (effect.type) {
      case 'send':
        if (effect.to === this.#core.nodeId) {
          this.#enter({ type: 'message', from: effect.to, message: effect.message });
        } else {
          this.#messages.sendGroup(effect.to, effect.message);
        }
        return;
      case 'log':
        this.#log[effect.level](effect.text);
        return;
      case 'changed':
        this.#publishView();
        return;
      case 'readStates':
        // A new attempt: whatever an older one is doing has no meaning any more.
        this.#abort.abort();
        this.#abort = new AbortController();
        this.#queueStep(effect);
        return;
      case 'stopShards':
      case 'fill':
      case 'prepare':
      case 'start':
        this.#queueStep(effect);
        return;
    }
  }

  #queueStep(effect: StepEffect): void {
    const { signal } = this.#abort;
    this.#steps = this.#steps.then(async () => {
      if (signal.aborted) {
        return;
      }
      try {
        await this.#runStep(effect, signal);
      } catch (caught) {
        if (!isAborted(signal)) {
          this.#log.warn({ step: effect.type, error: messageOf(caught) }, 'a start step failed');
          const { attempt } = effect;
          this.#enter({ type: 'failed', attempt, reason: messageOf(caught) });
        }
      }
    });
  }

  async #runStep(effect: StepEffect, signal: AbortSignal): Promise<void> {
    const { attempt } = effect;
    switch (effect.type) {
      case 'readStates': {
        await this.care.openRest();
        const held = this.layout.heldBy(this.#core.nodeId).map(({ shard }) => shard);
        await this.#reportStates(attempt, held);
        return;
      }
      case 'stopShards':
        await Promise.all(effect.shards.map((shard) => this.#sealShard(shard)));
        await this.#reportStates(attempt, effect.shards);
        return;
      case 'fill':
        await this.#fillShards(attempt, effect.fills, signal);
        return;
      case 'prepare':
        await Promise.all(effect.starts.map((start) => this.#prepareEpoch(start)));
        await writeViewRecord(this.#options.dataFolder, effect.record);
        this.#enter({ type: 'done', attempt });
        return;
      case 'start':
        await writeViewRecord(this.#options.dataFolder, effect.record);
        await Promise.all(
          effect.starts.map(({ shard, epoch }) => this.#core.startEpoch(shard, epoch)),
        );
        this.#enter({ type: 'done', attempt });
        // One that stopped at once was told before the machine knew that it ran.
        for (const { shard } of effect.starts) {
          this.#enterIfStopped(shard);
        }
        return;
    }
  }

  /** What this member delivered is on its disk before it counts as history. */
  async #sealShard(shard: number): Promise<void> {
    await this.#core.stopEpoch(shard);
    if (this.layout.shard(shard).persistent) {
      await this.#core.appendLog(shard, new Uint8Array());
    }
  }

  async #fillShards(attempt: Attempt, fills: readonly Fill[], signal: AbortSignal): Promise<void> {
    for (const fill of fills) {
      const mine = await this.#position(fill.shard);
      await this.#filler.fill(fill, mine, signal);
      const { shard, donor } = fill;
      this.#log.info({ shard, donor, from: mine.version }, 'filled a shard from another member');
    }
    await this.#reportStates(
      attempt,
      fills.map(({ shard }) => shard),
    );
  }

  async #prepareEpoch({ shard, epoch }: EpochStart): Promise<void> {
    const { members, senders } = this.layout.shard(shard);
    await this.#core.prepareEpoch({
      shard,
      epoch,
      members,
      senders,
      ringSize: this.#ringSize,
      dispatchLagMax: Infinity,
    });
  }

  async #reportStates(attempt: Attempt, shards: readonly number[]): Promise<void> {
    const positions = await Promise.all(shards.map((shard) => this.#position(shard)));
    this.#enter({ type: 'states', attempt, shards: positions });
  }

  async #position(shard: number): Promise<Position> {
    const bytes = await this.#core.shardState(shard);
    const state = JSON.parse((bytes ?? Buffer.from('{}')).toString('utf8')) as Partial<Position>;
    const { epoch, sequence, version, digest } = state;
    const whole = [epoch, sequence, version].every((item) => Number.isSafeInteger(item));
    if (!whole || digest === undefined) {
      throw new FreshetError('INTERNAL', `Shard ${String(shard)} told no state`);
    }
    return {
      shard,
      epoch: epoch as number,
      sequence: sequence as number,
      version: version as number,
      digest,
    };
  }

  /** A row about an epoch that is over says nothing about the one that runs now. */
  #enterIfStopped(shard: number): void {
    const frontiers = new Float64Array(frontierWidth);
    this.#core.addon.frontiers(this.#core.handle, shard, frontiers);
    const runs = frontiers[frontierColumns.stopped] === 0;
    if (!runs || frontiers[frontierColumns.epoch] !== this.#machine.runningEpoch(shard)) {
      this.#enter({ type: 'shardStopped', shard });
    }
  }

  #publishView(): void {
    if (this.#watchers.size > 0) {
      const { view } = this;
      for (const watcher of this.#watchers) {
        watcher.push(view);
      }
    }
  }
}

/** It may have changed while something was awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
