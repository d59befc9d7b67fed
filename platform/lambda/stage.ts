import { type Clock, FreshetError, limits, type Logger, toFreshetError } from '../base/mod.ts';
import type {
  Arrival,
  ArrivalSource,
  ArrivalSubscription,
  Position,
  ShardPlace,
} from './arrivals.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Emitter } from './emit.ts';
import { type Batch, KeyQueue, type QueuedItem } from './key-queue.ts';
import { LowWater } from './low-water.ts';
import type { LambdaNode } from './pipeline.ts';
import type { StageReach } from './reaches.ts';
import { StageMetrics } from './stage-metrics.ts';
import { type Before, haveSameMembers, isLeftOver, lookAgainFrom, type Reach } from './takeover.ts';
import { startVersion } from './start-version.ts';
import type { WorkerHost } from './worker-host.ts';
import type { WorkEvent, WorkItem, WorkOutcome } from './worker-protocol.ts';

/** An arrival on its way through the stage. */
export interface StageItem extends QueuedItem, WorkEvent {
  attempts: number;
  isAlone: boolean;
  /** Where its end is noted: the shard may have been lost and read anew since. */
  readonly water: LowWater | null;
}

export interface StageOptions {
  readonly pipeline: string;
  readonly node: LambdaNode;
  readonly source: ArrivalSource;
  readonly emitter: Emitter;
  readonly deadLetters: DeadLetters;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where to go on in a shard; null: this member has not read it yet. */
  readonly startOf: (shard: number) => Position | null;
  /** Where the shard stood when the pipeline was deployed; null: not known. */
  readonly deployedAt: (shard: number) => Position | null;
  /** How far the other members of a shard told to be, as long as its members were these. */
  readonly reached: (place: ShardPlace) => ReadonlyMap<number, Reach>;
  readonly makeWorker: (
    onChange: () => void,
    onBegan: WorkerBegan,
    isWanted: () => boolean,
  ) => WorkerHost;
}

type WorkerBegan = (at: number, items: readonly WorkItem[]) => void;

interface Input {
  readonly place: ShardPlace;
  readonly done: LowWater;
  /** Where it began to act as one of these members: a newcomer among them begins there as well. */
  readonly from: number;
  /** Up to there it acted as one of others; null: what lies there was looked at again. */
  before: Before | null;
  subscription: ArrivalSubscription | null;
}

/**
 * Purpose: one lambda of one pipeline node at this member: takes in arrivals that are this member's
 * to act on, runs them in workers in the order asked for, sends the emits, moves the cursor.
 * Thread: the event loop's; the lambda itself runs in worker threads.
 * Invariants
 *  1. A version's cursor passes only after its emits are answered or its dead letter is written.
 *  2. What waits is bounded by `limits.lambdaQueueEvents`: beyond it a shard is read again later,
 *  and
 *     a trigger is refused as OVERLOADED.
 */
export class Stage {
  readonly name: string;
  readonly node: LambdaNode;
  readonly metrics = new StageMetrics();
  readonly #options: StageOptions;
  readonly #queue: KeyQueue<StageItem>;
  readonly #workers: readonly WorkerHost[];
  readonly #inputs = new Map<number, Input>();
  #wake: NodeJS.Timeout | null = null;
  #serial = 0;
  /** Begins nothing more. */
  #retired = false;
  #closed = false;
  #onQuiet: (() => void) | null = null;

  constructor(options: StageOptions) {
    const { node, pipeline } = options;
    this.name = `${pipeline}:${node.lambda}@${node.prefix}`;
    this.node = node;
    this.#options = options;
    this.#queue = new KeyQueue({
      sizeMax: limits.lambdaQueueEvents,
      batchMax: node.batch.maxSize,
      delayMs: node.batch.maxDelayMs,
    });
    this.#workers = Array.from({ length: node.workers }, () =>
      options.makeWorker(
        () => {
          this.#pump();
        },
        (at, items) => {
          this.metrics.onBegan(at, items);
        },
        () => this.#queue.waiting > 0,
      ),
    );
  }

  /** Takes up its shards: after the start, and after every change of the view. */
  attach(): void {
    if (this.node.on === 'trigger' || this.#retired) return;
    const { source } = this.#options;
    const places = source.places(this.node.prefix);
    for (const [shard, left] of this.#inputs) {
      if (places.some((place) => place.shard === shard)) continue;
      // Another member acts on it now, from where this one was.
      left.subscription?.close();
      this.#inputs.delete(shard);
    }
    for (const place of places) {
      const old = this.#inputs.get(place.shard);
      old?.subscription?.close();
      const input = old === undefined ? this.#newInput(place) : this.#goOn(old, place);
      this.#inputs.set(place.shard, input);
      this.#subscribe(input);
    }
  }

  #newInput(place: ShardPlace): Input {
    const { source, startOf, deployedAt } = this.#options;
    const { shard, raw } = place;
    const from = startVersion({
      raw,
      mine: startOf(shard),
      deployedAt: deployedAt(shard),
      newest: source.newest(shard),
      epochOf: (version) => source.epochOf(shard, version),
    });
    return { place, from, done: new LowWater(from), before: null, subscription: null };
  }

  /** From where it was, or from where a member was that left something over (takeover.ts). */
  #goOn(old: Input, place: ShardPlace): Input {
    const { done } = old;
    if (place.raw || haveSameMembers(old.place, place) || this.node.dispatch === 'all') {
      return { ...old, place, subscription: null };
    }
    const last = old.before ?? { place: old.place, seen: done.seen };
    const before = { ...last, reached: this.#options.reached(last.place) };
    const from = lookAgainFrom(before, place, done);
    done.lookAgain(from);
    return { place, from, done, before, subscription: null };
  }

  /** Shards that are held here by now and not read yet. */
  newShards(): readonly number[] {
    if (this.node.on === 'trigger' || this.#retired) return [];
    const places = this.#options.source.places(this.node.prefix);
    return places.map(({ shard }) => shard).filter((shard) => !this.#inputs.has(shard));
  }

  /** Every shard up to here is finished. */
  cursors(): ReadonlyMap<number, number> {
    return new Map([...this.#inputs].map(([shard, { done }]) => [shard, done.done]));
  }

  /** How far it is with each shard, to be told to the shard's other members. */
  reaches(): readonly { readonly place: ShardPlace; readonly reach: StageReach }[] {
    const ordered = [...this.#inputs.values()].filter(({ place }) => !place.raw);
    return ordered.map(({ place, done: { done, seen } }) => ({
      place,
      reach: { stage: this.name, done, seen },
    }));
  }

  /**
   * From where a member that is new in the shard has to begin, be it one of the members already, as
   * far as is known here, or not yet. Null: it is not read here.
   */
  startFor(newcomer: number, shard: number): number | null {
    const input = this.#inputs.get(shard);
    if (input === undefined || input.place.raw) return null;
    const { place, from, done } = input;
    const others = [...this.#options.reached(place).values()].map((reach) => reach.done);
    return Math.min(done.done, ...(place.members.includes(newcomer) ? [from] : others));
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  get inFlight(): number {
    return this.#queue.inFlight;
  }

  get workerErrors(): readonly FreshetError[] {
    return this.#workers.flatMap(({ lastError }) => (lastError === null ? [] : [lastError]));
  }

  get restarts(): number {
    return this.#workers.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /** A trigger put that reached this member. Throws OVERLOADED when there is no room. */
  onTrigger(arrival: Arrival): void {
    if (this.node.on === 'put') return;
    if (this.#push(arrival)) return;
    this.metrics.refused++;
    const text = `The lambda '${this.name}' has ${String(this.#queue.waiting)} events waiting at member`;
    throw new FreshetError('OVERLOADED', text);
  }

  /**
   * Begins nothing more, waits `patienceMs` for what is under way and closes. Triggers are still
   * taken in: what has not run by then is in `takeTriggers`.
   */
  async retire(patienceMs: number): Promise<void> {
    this.#endInputs();
    if (this.#queue.inFlight > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.after(patienceMs, resolve);
        this.#onQuiet = () => {
          cancel();
          resolve();
        };
      });
    }
    await this.close();
  }

  /** Triggers that were taken in and have not run. Versions are not among them: they are stored. */
  takeTriggers(): readonly Arrival[] {
    return this.#queue.clear().filter(({ version }) => version === null);
  }

  /** Takes over what another stage took in for this lambda, room or not. */
  adopt(triggers: readonly Arrival[]): void {
    for (const trigger of triggers) {
      this.#queue.add(this.#itemOf(trigger), this.#options.clock.monotonicMs());
      this.metrics.arrived++;
    }
    this.#pump();
  }

  /** Dead letters for triggers that no lambda is left to run. */
  async giveUp(triggers: readonly Arrival[]): Promise<void> {
    const text = `The lambda '${this.name}' was removed before it ran for this trigger`;
    const error = new FreshetError('CLOSED', text, { mend: 'Deploy it and put the trigger again' });
    for (const trigger of triggers) await this.#bury(this.#itemOf(trigger), error);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#endInputs();
    await Promise.all(this.#workers.map(async (worker) => worker.stop()));
  }

  #endInputs(): void {
    this.#retired = true;
    if (this.#wake !== null) clearTimeout(this.#wake);
    for (const input of this.#inputs.values()) {
      input.subscription?.close();
      input.subscription = null;
    }
  }

  #subscribe(input: Input): void {
    const { source } = this.#options;
    const { prefix, eager } = this.node;
    const from = input.done.seen + 1;
    const share = this.#shareOf(input.place);
    const request = { shard: input.place.shard, prefix, from, eager, share };
    const subscription = source.subscribe(
      request,
      (arrivals) => {
        this.#onArrivals(input, subscription, arrivals);
      },
      (error) => {
        this.#onEnded(input, subscription, error);
      },
    );
    input.subscription = subscription;
  }

  #onEnded(input: Input, ended: ArrivalSubscription, error: FreshetError): void {
    if (input.subscription !== ended) return;
    input.subscription = null;
    this.#options.log.warn({ stage: this.name, error: error.toJSON() }, 'input ended');
    if (error.code !== 'COMPACTED') return;
    // What was pruned before it could run is counted as lost to this lambda; go on with what is
    // there.
    const newest = this.#options.source.newest(input.place.shard).version;
    this.metrics.skipped += newest - input.done.seen;
    input.done.pass(newest);
    this.#subscribe(input);
  }

  #onArrivals(input: Input, from: ArrivalSubscription, arrivals: readonly Arrival[]): void {
    for (const arrival of arrivals) {
      if (input.subscription !== from) return;
      const version = arrival.version ?? 0;
      if (version <= input.done.seen) continue;
      if (!this.#isToDo(input, arrival.key, version)) {
        input.done.pass(version);
      } else if (this.#push(arrival, input.done)) {
        input.done.begin(version);
      } else {
        // No room: leave the rest in the log and come back for it.
        from.close();
        input.subscription = null;
      }
    }
    this.#pump();
  }

  /** The keys of `#isMine`: for others it is enough to know of them some time. */
  #shareOf({ rank, size }: ShardPlace): { readonly rank: number; readonly size: number } | null {
    switch (this.node.dispatch) {
      case 'all':
        return null;
      case 'primary':
        return rank === 0 ? null : { rank: 1, size: 1 };
      case 'one':
        return { rank, size };
    }
  }

  #isToDo(input: Input, key: string, version: number): boolean {
    const { place, before, done } = input;
    if (before !== null && version > before.seen) input.before = null;
    if (!this.#isMine(place, key)) return false;
    if (input.before === null) return true;
    const owner = this.#ownerRank(input.before.place, key);
    const wasMine = owner === input.before.place.rank;
    if (wasMine || done.isUnderWay(version)) return false;
    const node = input.before.place.members[owner] as number;
    return isLeftOver(input.before, place, node, version);
  }

  #isMine(place: ShardPlace, key: string): boolean {
    return this.node.dispatch === 'all' || this.#ownerRank(place, key) === place.rank;
  }

  /** Who acts on a key, where not all members do. */
  #ownerRank({ size }: ShardPlace, key: string): number {
    if (this.node.dispatch !== 'one') return 0;
    return Number(this.#options.source.hash(key) % BigInt(size));
  }

  #push(arrival: Arrival, water: LowWater | null = null): boolean {
    if (!this.#queue.push(this.#itemOf(arrival, water), this.#options.clock.monotonicMs()))
      return false;
    this.metrics.arrived++;
    if (arrival.version === null) this.#pump();
    return true;
  }

  #itemOf(arrival: Arrival, water: LowWater | null = null): StageItem {
    return {
      ...arrival,
      name: arrival.key.slice(this.node.prefix.length + 1),
      orderKey: this.#orderKey(arrival),
      isAlone: false,
      attempts: 0,
      water,
    };
  }

  #orderKey({ key }: Arrival): string {
    switch (this.node.order) {
      case 'key':
        return key;
      case 'single':
        return '';
      case 'none':
        return String(this.#serial++);
    }
  }

  #pump(): void {
    if (this.#retired) return;
    const now = this.#options.clock.monotonicMs();
    for (const worker of this.#workers) {
      if (!worker.isIdle) continue;
      const batch = this.#queue.take(now);
      if (batch === null) break;
      void this.#run(worker, batch);
    }
    this.#resumeInputs();
    this.#planWake(now);
  }

  #resumeInputs(): void {
    if (this.#queue.waiting > limits.lambdaQueueEvents / 2) return;
    for (const input of this.#inputs.values()) {
      if (input.subscription === null) this.#subscribe(input);
    }
  }

  #planWake(now: number): void {
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#wake = null;
    const due = this.#queue.nextWake(now);
    if (due === null || (due <= now && !this.#workers.some(({ isIdle }) => isIdle))) return;
    this.#wake = setTimeout(
      () => {
        this.#pump();
      },
      Math.max(1, due - now),
    );
  }

  async #run(worker: WorkerHost, batch: Batch<StageItem>): Promise<void> {
    const first = batch.items[0];
    const place = (first === undefined ? undefined : this.#inputs.get(first.shard)?.place) ?? {
      rank: 0,
      size: 1,
    };
    const items = batch.items.map((item) => this.#workItem(item));
    try {
      const outcomes = await worker.run(
        items,
        { rank: place.rank, shardSize: place.size },
        this.node.timeoutMs,
      );
      await Promise.all(batch.items.map(async (item, i) => this.#conclude(item, outcomes[i])));
      this.#queue.finish(batch.items);
    } catch (error) {
      await this.#onThrown(batch, toFreshetError(error, 'LAMBDA_FAILED'));
    }
    if (this.#queue.inFlight === 0) this.#onQuiet?.();
    this.#pump();
  }

  /** Sends the emits of one event or writes its dead letter; then the event is over. */
  async #conclude(item: StageItem, outcome: WorkOutcome | undefined): Promise<void> {
    try {
      if (outcome === undefined)
        throw new FreshetError('INTERNAL', 'A worker answered too few outcomes');
      if (outcome.error !== null) throw new FreshetError(outcome.error.code, outcome.error.message);
      await this.#options.emitter.send(this.node, outcome.emits, item);
      this.metrics.succeeded++;
    } catch (error) {
      if (!(await this.#bury(item, toFreshetError(error, 'LAMBDA_FAILED')))) return;
    }
    this.#finishVersion(item);
  }

  async #onThrown(batch: Batch<StageItem>, error: FreshetError): Promise<void> {
    if (this.#closed) {
      this.#queue.retry(batch.items, 0);
      return;
    }
    this.metrics.thrown++;
    const isIsolated = batch.items.length === 1;
    const again: StageItem[] = [];
    const over: StageItem[] = [];
    for (const item of batch.items) {
      // In a batch of several it is not known which one threw: each is tried alone before it
      // counts.
      if (isIsolated) item.attempts++;
      item.isAlone = true;
      (item.attempts > this.node.retries.max ? over : again).push(item);
    }
    for (const item of over) {
      if (await this.#bury(item, error)) this.#finishVersion(item);
    }
    this.#queue.finish(over);
    if (again.length > 0)
      this.#queue.retry(again, this.#options.clock.monotonicMs() + this.#backoff(again));
  }

  #backoff(items: readonly StageItem[]): number {
    const [first, longest] = this.node.retries.backoffMs;
    const attempts = Math.max(0, ...items.map((item) => item.attempts - 1));
    return Math.min(longest, first * 2 ** Math.min(attempts, 16));
  }

  /** False: the member stops first; the event is run again when it is back. */
  async #bury(item: StageItem, error: FreshetError): Promise<boolean> {
    this.metrics.failed++;
    return this.#options.deadLetters.write(this.#options.pipeline, this.node, item, error);
  }

  /** What is shared stays here, held by the item, and is opened in the worker. */
  #workItem(item: StageItem): WorkItem {
    const { kind, key, name, shard, version, epoch, time, eventTime, meta, raw } = item;
    const shared = item.bytes === null ? null : this.#options.source.sharedAt(item.bytes);
    const bytes = shared === null ? item.bytes : null;
    const place = { shard, version, epoch, raw: raw === true };
    return { kind, key, name, ...place, time, eventTime, meta, bytes, shared };
  }

  #finishVersion({ version, water }: StageItem): void {
    if (version !== null) water?.finish(version);
  }
}
