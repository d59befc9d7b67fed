/**
 * A channel among the members of a shard: messages in the order that is asked for, from no order at
 * all to one order for all, and views between them. See cast-machine.ts for what is promised.
 *
 * Thread: event loop.
 */
import { type Clock, FreshetError } from '../base/mod.ts';
import type { Abcast } from './abcast.ts';
import { decodeValue, encodeValue } from './call-record.ts';
import type { CastEffect, CastMachine } from './cast-machine.ts';
import type { CastMessage, CastOrder } from './cast-messages.ts';
import { replicatedLimits } from './replicated-limits.ts';
import type { ViewEvent } from './view-events.ts';

export type ChannelEvent<Message> =
  | {
      readonly type: 'message';
      readonly order: CastOrder | 'abcast';
      /** Node id of the sender. */
      readonly from: number;
      readonly message: Message;
      /** abcast: its place in the order, growing; else null. */
      readonly version: number | null;
    }
  | (ViewEvent & {
      readonly type: 'view';
      /**
       * False: the first view here, or this member was left out of one and may have missed some.
       */
      readonly continuous: boolean;
    })
  /** abcasts were missed: this member was too slow, or left out of a view. */
  | { readonly type: 'gap' };

/** What a channel stands on. */
export interface ChannelOptions<Message> {
  readonly name: string;
  readonly nodeId: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly machine: CastMachine;
  /** Throws nothing. */
  readonly onEvent: (event: ChannelEvent<Message>) => void;
  readonly send: (to: number, message: CastMessage) => void;
}

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: FreshetError) => void;
}

export class Channel<Message> {
  readonly name: string;
  readonly #options: ChannelOptions<Message>;
  readonly #pending = new Map<number, Pending>();
  #abcast: Abcast | null = null;
  #ordered = 0;
  #operations = 0;
  #timeoutMs: number;
  #isTicking = false;
  #closed = false;

  constructor(options: ChannelOptions<Message>) {
    this.name = options.name;
    this.#options = options;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Members of the view in which messages are sent, in rank order; empty while a view changes. */
  get members(): readonly number[] {
    return this.#options.machine.view?.members ?? [];
  }

  /**
   * To all members of the view, this one included, in no order. These three resolve once the
   * message is in a view (which may take a view change); delivery is told by `flush`. They reject
   * TIMEOUT (it may be sent later), OVERLOADED, VALUE_TOO_LARGE, INVALID_ARGUMENT, CLOSED.
   */
  async mcast(message: Message): Promise<void> {
    return this.#cast('mcast', message);
  }

  /** As `mcast`; what one member sends is delivered as it was sent. */
  async fbcast(message: Message): Promise<void> {
    return this.#cast('fbcast', message);
  }

  /** As `mcast`; delivered nowhere before a cbcast that its sender had delivered, or sent. */
  async cbcast(message: Message): Promise<void> {
    return this.#cast('cbcast', message);
  }

  /**
   * In one order at all members, among abcasts; views and other messages have no place in it.
   * Resolves with its version once it is delivered here. Rejects as `mcast`, SHARD_STOPPED.
   */
  async abcast(message: Message): Promise<number> {
    const bytes = encoded(message);
    if (this.#abcast === null || this.#closed) throw this.#closedError();
    const version = await this.#abcast.send(bytes, this.#timeoutMs);
    this.#ordered = Math.max(this.#ordered, version);
    return version;
  }

  /**
   * Resolves once everything that this member has sent before is delivered at all members of the
   * view. Rejects TIMEOUT, NOT_CURRENT (this member was left out of a view: some may be lost).
   */
  async flush(): Promise<void> {
    return this.#operate((id) => this.#options.machine.flush(id, this.#ordered));
  }

  /** For the platform, as all below. */
  get hasBegun(): boolean {
    return this.#abcast !== null;
  }

  setTimeout(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
  }

  begin(abcast: Abcast): void {
    this.#abcast = abcast;
    this.#take(this.#options.machine.onOrdered(abcast.newest));
  }

  onView(number: number, members: readonly number[]): void {
    // Who has closed it takes no part in views, so that the others do not count on it.
    if (!this.#closed) this.#take(this.#options.machine.onView({ number, members }));
  }

  onMessage(from: number, message: CastMessage): void {
    if (!this.#closed) this.#take(this.#options.machine.onMessage(from, message));
  }

  onAbcast(from: number, version: number, bytes: Uint8Array): void {
    if (this.#closed) return;
    const message = decodeValue(bytes) as Message;
    this.#options.onEvent({ type: 'message', order: 'abcast', from, message, version });
    this.#take(this.#options.machine.onOrdered(version));
  }

  close(): void {
    this.#closed = true;
    this.#abcast?.close();
    for (const { reject } of [...this.#pending.values()]) reject(this.#closedError());
  }

  async #cast(order: CastOrder, message: Message): Promise<void> {
    const bytes = encoded(message);
    if (this.#closed) throw this.#closedError();
    const { machine } = this.#options;
    if (machine.unstable >= replicatedLimits.unstableMessages) {
      throw new FreshetError('OVERLOADED', `Members of ${this.name} have not told what they have`, {
        mend: 'Await flush() now and then, or send less',
        details: { unstable: machine.unstable },
      });
    }
    return this.#operate((id) => machine.cast(id, order, bytes));
  }

  #operate(begin: (id: number) => readonly CastEffect[]): Promise<void> {
    if (this.#closed) {
      return Promise.reject(this.#closedError());
    }
    const id = ++this.#operations;
    const { clock, machine } = this.#options;
    const timeoutMs = this.#timeoutMs;
    return new Promise((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        const { missing } = machine;
        const whom = missing.length > 0 ? ` by member ${missing.map(String).join(', ')}` : '';
        const message = `${this.name}: not answered in ${String(timeoutMs)} ms${whom}`;
        settle(() => {
          const mend = 'Open the channel at every member of its shard, or wait longer';
          reject(new FreshetError('TIMEOUT', message, { mend }));
        });
      });
      const settle = (end: () => void): void => {
        this.#pending.delete(id);
        cancel();
        end();
      };
      this.#pending.set(id, {
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      });
      this.#take(begin(id));
    });
  }

  #take(effects: readonly CastEffect[]): void {
    const { nodeId, onEvent, send } = this.#options;
    for (const effect of effects) {
      switch (effect.type) {
        case 'send':
          send(effect.to, effect.message);
          break;
        case 'deliver': {
          const { order, sender: from, bytes } = effect.cast;
          const message = decodeValue(bytes) as Message;
          onEvent({ type: 'message', order, from, message, version: null });
          break;
        }
        case 'view': {
          const { view, joined, left, continuous } = effect;
          const { number, members } = view;
          const place = { rank: members.indexOf(nodeId), leader: members[0] ?? 0 };
          onEvent({ type: 'view', number, members, joined, left, ...place, continuous });
          break;
        }
        case 'done':
          this.#pending.get(effect.operation)?.resolve();
          break;
        case 'lost':
          this.#pending.get(effect.operation)?.reject(this.#lostError());
          break;
      }
    }
    this.#tickLater();
  }

  #tickLater(): void {
    if (this.#isTicking || this.#closed || !this.#options.machine.wantsTick) {
      return;
    }
    this.#isTicking = true;
    this.#options.clock.after(replicatedLimits.channelTickMs, () => {
      this.#isTicking = false;
      if (!this.#closed) this.#take(this.#options.machine.onTick());
    });
  }

  #lostError(): FreshetError {
    const message = `This member was left out of a view of ${this.name}: what it sent may be lost`;
    return new FreshetError('NOT_CURRENT', message, {
      mend: 'Ask the others what they have, then send again',
    });
  }

  #closedError(): FreshetError {
    return new FreshetError('CLOSED', `The channel ${this.name} was closed`);
  }
}

function encoded(message: unknown): Uint8Array {
  const bytes = encodeValue(message, 'The message');
  if (bytes.byteLength > replicatedLimits.messageBytes) {
    const size = String(bytes.byteLength);
    throw new FreshetError('VALUE_TOO_LARGE', `The message has ${size} bytes`, {
      mend: `Send up to ${String(replicatedLimits.messageBytes)} bytes`,
    });
  }
  return bytes;
}
