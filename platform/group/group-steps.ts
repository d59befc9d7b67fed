/**
 * Executes what the group machine asks for and that takes time: reading states, stopping, filling,
 * preparing and beginning shards, joining a view, becoming another incarnation.
 *
 * Thread: event loop.
 * Invariants
 *  1. Steps of restarts and joins run one after another; a new attempt gives up what an older one
 *     still does.
 *  2. A view record is written here only while the core has no view.
 *  3. Becoming another incarnation is never given up: nobody would ask for it again.
 */
import { FreshetError, isFreshetError, type Logger, messageOf } from '../base/mod.ts';
import { DiskRecovery } from './disk-recovery.ts';
import { catchUp } from './epoch-catch-up.ts';
import { FillProgress, type WhileLocal } from './fill-progress.ts';
import { groupLimits } from './group-limits.ts';
import { answerEnded, type EpochEndOptions, fillBefore } from './epoch-end.ts';
import type { GroupEffect, GroupEvent, Position } from './group-events.ts';
import type { Attempt, Fill } from './group-messages.ts';
import type { GroupOptions } from './group-options.ts';
import type { ShardLayout } from './layout.ts';
import type { LogCare } from './log-care.ts';
import type { MemberCore } from './member-core.ts';
import { ObserverFeed } from './observer-feed.ts';
import type { PeerMessages } from './peer-messages.ts';
import { ShardFiller } from './shard-filler.ts';
import { closeSubgroups } from './subgroup-closing.ts';
import {
  accuseMember,
  beginView,
  prepareEpoch,
  proposeView,
  renew,
  seeViews,
} from './view-calls.ts';
import { type CoreShard, type CoreView, nodesOf } from './view-codec.ts';
import { type Crc32c, readViewRecord, writeViewOffer, writeViewRecord } from './view-record.ts';

type Step = Exclude<GroupEffect, { readonly type: 'send' | 'changed' | 'log' | 'refuse' }>;

export interface StepsOptions extends GroupOptions {
  readonly care: LogCare;
  /** Logs have no room for more than what is under way. */
  readonly isDiskFull: () => boolean;
  /** As the layout has it that counts now, or that of a view on its way. */
  readonly shardOf: (shard: number) => ShardLayout;
  /** Bytes of each ring of the epochs that begin now. */
  readonly ringSize: () => number;
}

const endedCall = 'group.ended';

export class GroupSteps {
  readonly #options: StepsOptions;
  readonly #core: MemberCore;
  readonly #messages: PeerMessages;
  readonly #filler: ShardFiller;
  readonly #observer: ObserverFeed;
  readonly #progress: FillProgress;
  readonly #disk: DiskRecovery;
  readonly #log: Logger;
  readonly #crc32c: Crc32c = (bytes) => this.#core.addon.crc32c(bytes, 0);
  readonly #enter: (event: GroupEvent) => void;
  /** shard → the donor that has not answered. */
  readonly #asked = new Map<number, number>();
  readonly #isPersistent = (shard: number): boolean => this.#options.shardOf(shard).persistent;
  readonly #isRaw = (shard: number): boolean => this.#options.shardOf(shard).delivery === 'raw';
  readonly #mayGoOn = (shard: number): boolean => this.#isPersistent(shard) || this.#isRaw(shard);
  #steps: Promise<void> = Promise.resolve();
  #abort = new AbortController();
  #fillAbort = new AbortController();
  #closed = false;

  constructor(options: StepsOptions, enter: (event: GroupEvent) => void) {
    this.#options = options;
    this.#core = options.core;
    this.#messages = options.messages;
    this.#log = options.log;
    this.#enter = enter;
    this.#filler = new ShardFiller({
      ...options,
      cutBack: (shard, position) => options.care.cutBack(shard, position),
    });
    this.#progress = new FillProgress(options.clock, (attempt) => {
      enter({ type: 'filling', attempt });
    });
    const answering = {
      ...{ core: options.core, clock: options.clock },
      position: (shard: number) => this.#position(shard),
      pause: (delayMs: number) => this.#pause(delayMs),
      isClosed: () => this.#closed,
    };
    options.messages.handle(endedCall, (_from, argument) => answerEnded(answering, argument));
    this.#observer = new ObserverFeed({
      ...options,
      filler: this.#filler,
      position: (shard) => this.#position(shard),
      queue: (round) => this.#queueRound(round),
      onKeepsUp: (shard, ready) => {
        enter({ type: 'keepsUp', shard, ready });
      },
    });
    this.#disk = new DiskRecovery({
      ...options,
      logs: () => options.care.logs,
      reopen: (shard) => options.care.reopen(shard),
      run: (work) => {
        this.runAside(work);
      },
      onWell: () => {
        enter({ type: 'disk', failed: false });
      },
    });
  }

  /** How old what this member has of a shard that it observes may be, ms; null: it does not. */
  observedLagMs(shard: number): number | null {
    return this.#observer.lagMs(shard);
  }

  run(step: Step): void {
    if (step.type === 'observe') {
      this.#observer.set(step.shards);
      return;
    }
    if (step.type === 'heal') {
      this.#disk.begin();
      return;
    }
    if (step.type === 'close') {
      void closeSubgroups(this.#options, step.closing, this.#enter);
      return;
    }
    if (step.type === 'readStates' || step.type === 'admit' || step.type === 'renew') {
      // Whatever an older attempt is doing has no meaning any more.
      this.#abort.abort();
      this.#abort = new AbortController();
    }
    if (step.type === 'renew') {
      this.#steps = this.#steps.then(() => this.#renew(step.why));
      return;
    }
    this.#queue(
      step.type,
      (signal) => this.#runStep(step, signal),
      (reason) => {
        const { type, attempt } = step;
        this.#enter(
          type === 'admit'
            ? { type: 'admitted', attempt, reason, shards: [] }
            : { type: 'failed', attempt, reason },
        );
      },
    );
  }

  /** The core prepares a view that gives this member shards: their histories are fetched. */
  fillProposal(proposal: CoreView, vote: string): void {
    this.#fillAbort.abort();
    const superseded = new AbortController();
    this.#fillAbort = superseded;
    this.#queue(
      'fillProposal',
      (signal) => this.#fillNew(proposal, vote, AbortSignal.any([signal, superseded.signal])),
      (reason) => {
        if (superseded.signal.aborted) return;
        // Nobody waits for one that cannot go along: as another one it may join again.
        this.#enter({ type: 'outdated', why: `it could not be filled: ${reason}` });
      },
    );
  }

  /** Epochs ended beyond what this member received: it fetches their ends. */
  catchUp(): void {
    const { core, messages, log } = this.#options;
    const options = {
      ...{ core, messages, log, filler: this.#filler },
      ends: this.#endsWithin(groupLimits.endedWaitMs),
      position: (shard: number) => this.#position(shard),
      pause: (delayMs: number) => this.#pause(delayMs),
    };
    this.#queue(
      'catchUp',
      (signal) => catchUp(options, signal),
      (reason) => {
        this.#enter({ type: 'outdated', why: `it lacks the end of an epoch: ${reason}` });
      },
    );
  }

  /** Between two steps, and whatever attempts there are. */
  runAside(work: () => Promise<void>): void {
    this.#steps = this.#steps.then(async () => {
      if (!this.#closed) await work();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#observer.close();
    this.#disk.end();
    this.#abort.abort();
    await this.#steps;
  }

  #queue(
    what: string,
    run: (signal: AbortSignal) => Promise<void>,
    onFailed: (reason: string) => void,
  ): void {
    const { signal } = this.#abort;
    this.#steps = this.#steps.then(async () => {
      if (signal.aborted) {
        return;
      }
      try {
        await run(signal);
      } catch (caught) {
        if (!isAborted(signal)) {
          this.#log.warn({ step: what, error: messageOf(caught) }, 'a step of the group failed');
          if (isFreshetError(caught, 'DISK_FAILED')) this.#enter({ type: 'disk', failed: true });
          onFailed(messageOf(caught));
        }
      }
    });
  }

  /** A round catches what it throws. */
  #queueRound(round: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#abort;
    this.#steps = this.#steps.then(() => (signal.aborted ? undefined : round(signal)));
    return this.#steps;
  }

  /** Tried until it succeeds: a machine that waits for it takes part in nothing. */
  async #renew(why: string): Promise<void> {
    this.#log.warn({ why }, 'this member gives up its view and begins anew');
    while (!this.#closed && !this.#core.closed) {
      try {
        await renew(this.#core);
        this.#enterCore();
        return;
      } catch (caught) {
        this.#log.error({ error: messageOf(caught) }, 'beginning anew failed, it is tried again');
        await this.#pause(groupLimits.retryPauseMs);
      }
    }
  }

  async #runStep(
    step: Exclude<Step, { readonly type: 'renew' | 'observe' | 'heal' | 'close' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { recordFiles, care } = this.#options;
    const crc32c = this.#crc32c;
    switch (step.type) {
      case 'readStates': {
        await care.openRest();
        const record = await readViewRecord(recordFiles, crc32c);
        await this.#reportStates(step.attempt, this.#held(), record);
        return;
      }
      case 'stopShards':
        await writeViewOffer(recordFiles, step.offered);
        await this.#openShards(step.shards);
        await Promise.all(step.shards.map((shard) => this.#sealShard(shard)));
        await this.#reportStates(step.attempt, step.shards, null);
        return;
      case 'fill':
        await this.#fillShards(step.fills, signal);
        await this.#reportStates(
          step.attempt,
          step.fills.map(({ shard }) => shard),
          null,
        );
        return;
      case 'prepare':
        await this.#prepareEpochs(step.view);
        await writeViewRecord(recordFiles, step.record, crc32c);
        this.#enter({ type: 'done', attempt: step.attempt });
        return;
      case 'start':
        await writeViewRecord(recordFiles, step.record, crc32c);
        await beginView(this.#core, step.view, this.#options.ringSize());
        this.#enter({ type: 'done', attempt: step.attempt });
        return;
      case 'admit': {
        const local = this.#progress.during(step.attempt);
        await local(this.#openShards(step.sealed));
        await local(Promise.all(step.sealed.map((shard) => this.#sealShard(shard))));
        await this.#fillShards(step.fills, signal, local);
        this.#enter({
          type: 'admitted',
          attempt: step.attempt,
          reason: null,
          shards: await Promise.all(step.shards.map((shard) => this.#position(shard))),
        });
        return;
      }
      case 'accuse': {
        const { status } = await accuseMember(this.#core, step.node);
        if (status !== 0) {
          const { node } = step;
          this.#log.info({ node, reason: this.#core.statusName(status) }, 'it is not suspected');
        }
        return;
      }
      case 'propose': {
        const { status } = await proposeView(this.#core, step.view);
        if (status !== 0) {
          this.#log.info({ reason: this.#core.statusName(status) }, 'a view was not proposed');
        }
        this.#enter({ type: 'proposed', attempt: step.attempt, taken: status === 0 });
        return;
      }
    }
  }

  #enterCore(): void {
    const view = seeViews(this.#core);
    if (view !== null) {
      this.#enter({ type: 'core', core: view.core, proposal: view.proposal });
    }
  }

  /** What this member delivered is on its disk before it counts as history. */
  async #sealShard(shard: number): Promise<void> {
    await this.#core.stopEpoch(shard);
    if (this.#isPersistent(shard)) {
      await this.#core.appendLog(shard, new Uint8Array());
    }
  }

  /** Those that this member was not told to hold before are opened now. */
  async #openShards(shards: readonly number[]): Promise<void> {
    const { care, shardOf } = this.#options;
    for (const shard of shards) await care.open(shardOf(shard));
    await care.openRest();
  }

  async #fillShards(
    fills: readonly Fill[],
    signal: AbortSignal,
    local: WhileLocal = (work) => work,
    through = Infinity,
  ): Promise<void> {
    for (const fill of fills) {
      const mine = await this.#position(fill.shard);
      await this.#filler.fill(fill, mine, signal, local, through);
      const { shard, donor } = fill;
      this.#log.info({ shard, donor, from: mine.version }, 'filled a shard from another member');
    }
  }

  async #prepareEpochs(view: CoreView): Promise<void> {
    await Promise.all(
      this.#mine(view).map((shard) =>
        prepareEpoch(this.#core, {
          shard: shard.shard,
          epoch: shard.epoch,
          members: nodesOf(view, shard),
          senders: shard.senders,
          ringSize: this.#options.ringSize(),
          dispatchLagMax: Infinity,
        }),
      ),
    );
  }

  #mine(view: CoreView): CoreShard[] {
    return view.shards.filter((shard) => this.#isIn(view, shard));
  }

  #isIn(view: CoreView | null, shard: CoreShard): boolean {
    return view !== null && nodesOf(view, shard).includes(this.#core.nodeId);
  }

  /** The rest, from members whose epochs have ended for the view that lets this one in. */
  async #fillNew(proposal: CoreView, vote: string, signal: AbortSignal): Promise<void> {
    const installed = seeViews(this.#core)?.core.installed ?? null;
    for (const core of this.#mine(proposal)) {
      const before = installed?.shards.find(({ shard }) => shard === core.shard);
      // A closed one was filled before this view was proposed.
      if (before?.closed === true || before?.epoch === core.epoch) continue;
      if (before !== undefined && this.#isIn(installed, before)) continue;
      // It was when this member was filled for it, but that may be long ago.
      await this.#openShards([core.shard]);
      // It begins with this view: there is no history.
      if (before === undefined && installed !== null) continue;
      const donors = nodesOf(proposal, core).filter((node) => node !== this.#core.nodeId);
      await this.#fillFromAny(core, donors, signal);
    }
    this.#core.addon.viewFilled(this.#core.handle, vote, this.#options.ringSize());
  }

  #endsWithin(timeoutMs: number): EpochEndOptions {
    const { messages } = this.#options;
    return { messages, mayGoOn: this.#mayGoOn, endedCall, timeoutMs };
  }

  /** One donor after the other: some may join themselves, others may go. */
  async #fillFromAny(
    core: CoreShard,
    donors: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    let failure: unknown = null;
    for (let round = 0; round < groupLimits.fillRounds && donors.length > 0; round++) {
      for (const donor of this.#inTurn(core.shard, donors)) {
        try {
          this.#asked.set(core.shard, donor);
          await this.#fillEnded(core, donor, signal);
          this.#asked.delete(core.shard);
          return;
        } catch (caught) {
          if (isAborted(signal) || isFreshetError(caught, 'DISK_FULL')) throw caught;
          failure = caught;
          this.#log.info({ shard: core.shard, donor, error: messageOf(caught) }, 'a donor failed');
        }
      }
      await this.#pause(groupLimits.retryPauseMs);
    }
    if (donors.length > 0) {
      const text = `No member could fill shard ${String(core.shard)}`;
      throw new FreshetError('INTERNAL', text, { cause: failure });
    }
  }

  /** Those that are connected; who was asked last and did not answer comes last. */
  #inTurn(shard: number, donors: readonly number[]): number[] {
    const up = donors.filter((node) => this.#messages.up.has(node));
    const next = up.indexOf(this.#asked.get(shard) ?? 0) + 1;
    return [...up.slice(next), ...up.slice(0, next)];
  }

  async #fillEnded({ shard, epoch }: CoreShard, donor: number, signal: AbortSignal): Promise<void> {
    const ends = this.#endsWithin(groupLimits.fillTimeoutMs);
    const end = await fillBefore(ends, { shard, epoch }, donor, signal, () =>
      this.#fillShards([{ shard, donor }], signal, undefined, epoch - 1),
    );
    if (this.#isRaw(shard)) return;
    const mine = await this.#position(shard);
    if (mine.epoch >= epoch || (end !== null && mine.version !== end.version)) {
      throw new FreshetError('INTERNAL', `Filling ended at version ${String(mine.version)}`);
    }
    if (end !== null && this.#isPersistent(shard) && mine.digest !== end.digest) {
      this.#options.care.refuseHistory(shard, end.version, [this.#core.nodeId]);
    }
  }

  async #reportStates(
    attempt: Attempt,
    shards: readonly number[],
    record: Awaited<ReturnType<typeof readViewRecord>> | null,
  ): Promise<void> {
    const positions = await Promise.all(shards.map((shard) => this.#position(shard)));
    this.#enter({ type: 'states', attempt, shards: positions, record });
  }

  /** Shards that are open here and that this member does not refuse. */
  #held(): number[] {
    const { care } = this.#options;
    const refused = new Set(care.refused);
    return care.opened.filter((shard) => !refused.has(shard));
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(delayMs, resolve);
    });
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
}

/** It may have changed while something was awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
