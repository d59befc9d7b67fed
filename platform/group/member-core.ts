/**
 * One member's native side, made into promises and listeners.
 *
 * Thread: event loop.
 * Invariants
 *  1. Every accepted call is settled exactly once: by its row, or by close.
 *  2. Bytes that the native side borrows are held until their `released` row.
 *  3. Rows are handled in the order in which they were drained; none is handled inside a call.
 */
import { check, type FreshetError, isFreshetError, type Logger, messageOf } from '../base/mod.ts';
import {
  acks,
  coreError,
  type DiskRoom,
  headWidth,
  type MemberHandle,
  type MemberOptions,
  type NativeAddon,
  rowKinds,
  rowWidth,
  type ScanOptions,
  type ShardOptions,
  thrownCoreError,
} from '../bridge/mod.ts';
import { CoreSubscriptions } from './core-subscriptions.ts';
import {
  type Completion,
  type CoreChange,
  type CoreListener,
  type CoreResult,
  type EventShare,
  noSessions,
  type SessionsRead,
  type SubscriptionHandler,
} from './core-types.ts';
import { groupLimits } from './group-limits.ts';
import { lagIn } from './slow-members.ts';
import { TokenTable } from './token-table.ts';
import { ViewDecoder } from './view-codec.ts';
import { type ChangeWaiter, unanswered, type Waiter } from './waiter.ts';

export class MemberCore {
  readonly addon: NativeAddon;
  readonly views = new ViewDecoder();
  readonly nodeId: number;
  /** Values longer than this are borrowed instead of copied. */
  readonly borrowThreshold: number;
  readonly #member: MemberHandle;
  readonly #log: Logger;
  readonly #tokens = new TokenTable<Waiter>();
  readonly #rows = new Float64Array(groupLimits.drainRows * rowWidth);
  readonly #listeners: CoreListener[] = [];
  readonly #subscriptions = new CoreSubscriptions();
  #draining = false;
  #closed = false;
  #mender: (shard: number) => Promise<void> = () => Promise.resolve();
  #head: Float64Array = new Float64Array(headWidth);

  /** Starts the native threads. Throws a coded error: ADDRESS_IN_USE, DATA_IN_USE … */
  constructor(addon: NativeAddon, options: MemberOptions, log: Logger) {
    this.addon = addon;
    this.nodeId = options.nodeId;
    this.#log = log;
    const threshold = addon.limits['borrowThreshold'];
    check(threshold !== undefined, 'the native side names its borrowThreshold');
    this.borrowThreshold = threshold;
    try {
      this.#member = addon.openMember(options, () => {
        this.#onWake();
      });
    } catch (caught) {
      throw thrownCoreError(caught, `Starting member ${String(options.nodeId)}`);
    }
  }

  get handle(): MemberHandle {
    return this.#member;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Calls that wait for the native side. */
  get waiting(): number {
    return this.#tokens.count;
  }

  /** Calls that may wait besides. */
  get room(): number {
    return groupLimits.waitingTokens - this.#tokens.count;
  }

  listen(listener: CoreListener): void {
    this.#listeners.push(listener);
  }

  error(status: number, what: string, details = {}): FreshetError {
    return coreError(this.addon.statusNames, status, what, details);
  }

  statusName(status: number): string {
    return this.addon.statusNames[Math.abs(status)] ?? 'INTERNAL';
  }

  /**
   * Queues a change; its completion goes to `end`, but with ack none nobody answers. Returns 0, or a
   * status above 0: nothing was queued. Throws OVERLOADED: too many calls wait.
   */
  submit(change: CoreChange, end: ChangeWaiter): number {
    const { value, ack } = change;
    const held = value !== null && value.byteLength > this.borrowThreshold ? value : null;
    let waiter: Waiter = end;
    if (ack !== acks.none) end.held = held;
    else if (held === null) return this.#submitNative(change, 0);
    else waiter = unanswered(held);
    const token = this.#tokens.add(waiter);
    const refused = this.#submitNative(change, token);
    if (refused !== 0) this.#tokens.remove(token);
    return refused;
  }

  #submitNative(change: CoreChange, token: number): number {
    const flags = change.kind | (change.ack << 4);
    return -this.addon.submit(
      this.#member,
      change.shard,
      flags,
      change.pool,
      token,
      change.key,
      change.value,
      change.meta,
      change.extra,
    );
  }

  /**
   * Queues `count` packed changes (see `NativeAddon.submitMany`), whose tokens came from `reserve`.
   * Returns how many were queued; the tokens of the rest are the caller's to give back.
   */
  submitMany(packed: Uint8Array, count: number): number {
    const queued = this.addon.submitMany(this.#member, packed, count);
    return Math.max(0, queued);
  }

  /** A token for `submitMany`. Throws OVERLOADED: too many calls wait. */
  reserve(end: ChangeWaiter): number {
    return this.#tokens.add(end);
  }

  giveBack(token: number): void {
    this.#tokens.remove(token);
  }

  /** Starts a call whose answer comes as a result row. A refusal at once is a result too. */
  request(start: (token: number) => number): Promise<CoreResult> {
    return new Promise((resolve, reject) => {
      const waiter = { complete: null, result: resolve, fail: reject };
      const token = this.#tokens.add({ ...waiter, held: null, answered: false });
      const refused = start(token);
      if (refused < 0) {
        this.#tokens.remove(token);
        resolve({ status: -refused, bytes: null });
      }
    });
  }

  /** As `request`, rejecting on any status but OK. */
  async call(what: string, start: (token: number) => number): Promise<Buffer | null> {
    const { status, bytes } = await this.request(start);
    if (status !== 0) {
      throw this.error(status, what);
    }
    return bytes;
  }

  /** Waits until what was received here up to now is delivered (and persisted). */
  async waitCurrent(shard: number, persisted: boolean): Promise<void> {
    const completion = await new Promise<Completion>((resolve, fail) => {
      const waiter = { complete: resolve, result: null, fail, held: null, answered: false };
      const token = this.#tokens.add(waiter);
      const refused = this.addon.waitCurrent(this.#member, shard, persisted, token);
      if (refused < 0) {
        this.#tokens.remove(token);
        resolve({ status: -refused, epoch: 0, version: 0, time: 0, previousVersionOfKey: 0 });
      }
    });
    if (completion.status !== 0) {
      throw this.error(completion.status, `A current read of shard ${String(shard)}`, { shard });
    }
  }

  openShard(options: ShardOptions): Promise<Buffer | null> {
    return this.call(`Opening shard ${String(options.shard)}`, (token) =>
      this.addon.openShard(this.#member, options, token),
    );
  }

  shardState(shard: number): Promise<Buffer | null> {
    return this.call(`Asking shard ${String(shard)} for its state`, (token) =>
      this.addon.shardState(this.#member, shard, token),
    );
  }

  readLog(
    shard: number,
    epoch: number,
    sequence: number,
    maxBytes: number,
    sessions: SessionsRead = noSessions,
  ): Promise<Buffer | null> {
    return this.call(`Reading the log of shard ${String(shard)}`, (token) =>
      this.addon.readLog(this.#member, shard, epoch, sequence, ...sessions, maxBytes, token),
    );
  }

  appendLog(shard: number, records: Uint8Array): Promise<Buffer | null> {
    return this.call(`Filling shard ${String(shard)}`, (token) =>
      this.addon.appendLog(this.#member, shard, records, token),
    );
  }

  cutBack(shard: number, epoch: number, sequence: number): Promise<Buffer | null> {
    return this.call(`Cutting shard ${String(shard)} back`, (token) =>
      this.addon.cutBack(this.#member, shard, epoch, sequence, token),
    );
  }

  /** The incarnation of this member now: 16 hexadecimal digits. */
  get incarnation(): string {
    return this.addon.incarnation(this.#member);
  }

  /** Ends what runs or was prepared; a shard without either is no error. */
  stopEpoch(shard: number): Promise<CoreResult> {
    return this.request((token) => this.addon.stopEpoch(this.#member, shard, token));
  }

  /**
   * Who is asked when a read finds a log damaged: it resolves once that is mended, and the read is
   * made again; what it throws is the read's answer.
   */
  setMender(mender: (shard: number) => Promise<void>): void {
    this.#mender = mender;
  }

  /** What `read` gives of a shard's log, mended if it is found damaged. */
  async readMended(shard: number, read: () => Promise<Buffer | null>): Promise<Buffer | null> {
    try {
      return await read();
    } catch (caught) {
      if (!isFreshetError(caught, 'LOG_CORRUPT')) throw caught;
      await this.#mender(shard);
      return read();
    }
  }

  scan(options: ScanOptions): Promise<Buffer | null> {
    const { shard } = options;
    return this.readMended(shard, () =>
      this.call(`A scan of shard ${String(shard)}`, (token) =>
        this.addon.scan(this.#member, options, token),
      ),
    );
  }

  readCold(shard: number, segment: number, offset: number, length: number): Promise<Buffer | null> {
    return this.readMended(shard, () =>
      this.call(`A read of shard ${String(shard)} from disk`, (token) =>
        this.addon.readCold(this.#member, shard, segment, offset, length, token),
      ),
    );
  }

  /** The head of the last `get`; overwritten by the next one. */
  get head(): Float64Array {
    return this.#head;
  }

  /** A point read from memory; its head is in `head` until the next call. */
  get(
    shard: number,
    key: string,
    point: number,
    value: number,
    floor: number,
    wantValue: boolean,
  ): Buffer | null {
    return this.addon.get(this.#member, shard, key, point, value, floor, wantValue, this.#head);
  }

  /**
   * Events go to `handler` until `unsubscribe`; the result is that of `NativeAddon.subscribe`. Those
   * outside `share` come along with others, or a little later. null: all are of use. `onEnd`: it
   * ended without being asked to.
   */
  subscribe(
    shard: number,
    prefix: string,
    from: number,
    frontier: number,
    share: EventShare | null,
    handler: SubscriptionHandler,
    onEnd: () => void,
  ): { readonly id: number; readonly started: Promise<CoreResult> } {
    const id = this.#subscriptions.add(shard, handler, onEnd);
    const { rank, size } = share ?? { rank: 0, size: 0 };
    const started = this.request((token) =>
      this.addon.subscribe(this.#member, shard, id, prefix, from, frontier, rank, size, token),
    ).then((result) => {
      if (result.status !== 0) {
        // Refused: there is nothing to unsubscribe from.
        this.#subscriptions.remove(id);
      }
      return result;
    });
    return { id, started };
  }

  unsubscribe(shard: number, id: number): void {
    if (this.#subscriptions.remove(id) && !this.#closed) {
      this.addon.unsubscribe(this.#member, shard, id);
    }
  }

  /** Its store is about to be another one: who is subscribed to it is told so. */
  endSubscriptions(shard: number): void {
    this.#subscriptions.end(shard, (id) => this.addon.unsubscribe(this.#member, shard, id));
  }

  /** Stops the native threads; everything that waits is rejected as CLOSED. Idempotent. */
  close(): void {
    if (this.#closed) {
      return;
    }
    // Rows that are there already answer their callers truthfully.
    this.#drain();
    this.#closed = true;
    this.addon.closeMember(this.#member);
    const closed = this.addon.statusNames.indexOf('CLOSED');
    for (const waiter of this.#tokens.clear()) {
      if (!waiter.answered) {
        waiter.fail(this.error(closed, 'A call of a member that was closed'));
      }
    }
    this.#subscriptions.clear();
  }

  #onWake(): void {
    if (!this.#closed) {
      this.#drain();
    }
  }

  #drain(): void {
    if (this.#draining || this.#closed) {
      return;
    }
    this.#draining = true;
    try {
      for (let round = 0; round < groupLimits.drainRounds; round++) {
        const count = this.addon.drain(this.#member, this.#rows);
        for (let row = 0; row < count; row++) {
          this.#onRow(row * rowWidth);
        }
        if (count < groupLimits.drainRows) {
          return;
        }
      }
      // Others get a turn; no new wake comes while rows are left.
      setImmediate(() => {
        this.#drain();
      });
    } finally {
      this.#draining = false;
    }
  }

  #onRow(at: number): void {
    const rows = this.#rows;
    const kind = rows[at] as number;
    const a = rows[at + 1] as number;
    const b = rows[at + 2] as number;
    const c = rows[at + 3] as number;
    const d = rows[at + 4] as number;
    const e = rows[at + 5] as number;
    switch (kind) {
      case rowKinds.completion:
        this.#onCompletion(a, b, c, d, e, rows[at + 6] as number);
        return;
      case rowKinds.event:
        this.#subscriptions.find(a)?.(b, c, d, e);
        return;
      case rowKinds.result:
        this.#onResult(a, b);
        return;
      case rowKinds.released:
        this.#onReleased(a);
        return;
      case rowKinds.message:
      case rowKinds.trigger: {
        const bytes = this.addon.takeMessage(this.#member);
        if (bytes === null) return;
        const name = kind === rowKinds.message ? 'onMessage' : 'onTrigger';
        this.#tell((listener) => listener[name]?.(a, bytes));
        return;
      }
      case rowKinds.peer:
        this.#tell((listener) => listener.onPeer?.(a, peerStates[b] ?? 'down', c));
        return;
      case rowKinds.shardStopped:
        this.#tell((listener) => listener.onShardStopped?.(a, b, c));
        return;
      case rowKinds.damage:
        this.#tell((listener) => listener.onDamage?.(a, b, c, d));
        return;
      case rowKinds.lag:
        this.#tell((listener) => listener.onLag?.(lagIn(rows, at)));
        return;
      case rowKinds.disk:
        this.#tell((listener) => listener.onDisk?.(a, b, c as DiskRoom));
        return;
      case rowKinds.view:
        this.#tell((listener) => listener.onView?.(a));
        return;
      default:
        this.#log.warn({ kind }, 'native row of an unknown kind');
    }
  }

  #onCompletion(
    token: number,
    status: number,
    epoch: number,
    version: number,
    time: number,
    previousVersionOfKey: number,
  ): void {
    const waiter = this.#tokens.find(token);
    if (waiter === null || waiter.complete === null) {
      return;
    }
    waiter.answered = true;
    if (waiter.held === null) {
      this.#tokens.remove(token);
    }
    waiter.complete({ status, epoch, version, time, previousVersionOfKey });
  }

  #onResult(token: number, status: number): void {
    const bytes = this.addon.takeResult(this.#member, token);
    const waiter = this.#tokens.find(token);
    if (waiter === null || waiter.result === null) {
      return;
    }
    this.#tokens.remove(token);
    waiter.result({ status, bytes });
  }

  #onReleased(token: number): void {
    const waiter = this.#tokens.find(token);
    if (waiter === null) {
      return;
    }
    waiter.held = null;
    if (waiter.answered) {
      this.#tokens.remove(token);
    }
  }

  #tell(say: (listener: CoreListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        say(listener);
      } catch (caught) {
        this.#log.error({ error: messageOf(caught) }, 'a listener of the native side threw');
      }
    }
  }
}

const peerStates = ['down', 'up', 'refused'] as const;
