/**
 * Messages between members above the native pair rings: parts, channels, and calls with an answer.
 *
 *   part: u8 channel | u8 flags (1: last part, 2: first part) | bytes
 *   call and answer: MessagePack [id, method, argument] and [id, error or null, result]
 *
 * Thread: event loop.
 * Invariants
 *  1. The parts of one message to a peer are not mixed with others of its channel.
 *  2. What a lost connection left half sent or half received is dropped on both sides.
 *     The end of a message that is sent on over the next connection has no first part there.
 *  3. What is malformed is counted and ignored; it never throws into the drain loop.
 *  4. What the other side would not take, being too long, is refused where it is sent.
 *  5. An answer belongs to a call of this process: what an earlier one on this node asked for may
 *     be answered while this one waits for something else.
 */
import { decode, encode } from '@msgpack/msgpack';
import {
  type CancelTimer,
  check,
  type Clock,
  errorFromObject,
  FreshetError,
  type Logger,
  toFreshetError,
} from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import type { MemberCore } from './member-core.ts';

export const channels = { group: 1, call: 2, answer: 3 } as const;

export const partFlags = { last: 1, first: 2 } as const;
const partHead = 2;

/** Answers a call of another member. What it throws goes back as a coded error. */
export type CallHandler = (from: number, argument: unknown) => Promise<unknown>;

export interface CallOptions {
  readonly timeoutMs: number | null;
  readonly signal: AbortSignal | null;
}

interface OpenCall {
  readonly node: number;
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: FreshetError) => void;
  readonly cancelTimer: CancelTimer;
}

interface Outbox {
  readonly parts: Uint8Array[];
  bytes: number;
  pausing: boolean;
}

interface Inbox {
  readonly parts: Buffer[];
  bytes: number;
}

export class PeerMessages {
  readonly #core: MemberCore;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #overloaded: number;
  readonly #outboxes = new Map<number, Outbox>();
  readonly #inboxes = new Map<string, Inbox>();
  readonly #calls = new Map<number, OpenCall>();
  readonly #handlers = new Map<string, CallHandler>();
  readonly #up = new Set<number>();
  #onGroup: (from: number, message: unknown) => void = () => undefined;
  #nextCall: number;
  #served = 0;
  #ignored = 0;
  #closed = false;

  constructor(core: MemberCore, clock: Clock, log: Logger) {
    this.#core = core;
    this.#clock = clock;
    this.#log = log;
    this.#nextCall = firstCallOf(core.incarnation);
    this.#overloaded = core.addon.statusNames.indexOf('OVERLOADED');
    const logBytes = core.addon.limits['logBytesMax'] ?? Infinity;
    check(logBytes <= groupLimits.logReadBytes, 'a message has room for any record', { logBytes });
    core.listen({
      onPeer: (node, state) => {
        if (state === 'up') {
          this.#forget(node);
          this.#up.add(node);
        } else if (state === 'down') {
          this.#up.delete(node);
          this.#forget(node);
        }
      },
      onMessage: (from, bytes) => {
        this.#onPart(from, bytes);
      },
    });
  }

  /** Members connected to this one. */
  get up(): ReadonlySet<number> {
    return this.#up;
  }

  /** Messages that made no sense. */
  get ignored(): number {
    return this.#ignored;
  }

  onGroupMessage(handler: (from: number, message: unknown) => void): void {
    this.#onGroup = handler;
  }

  handle(method: string, handler: CallHandler): void {
    this.#handlers.set(method, handler);
  }

  sendGroup(node: number, message: unknown): void {
    const refusal = this.#send(node, channels.group, encode(message, encoding));
    if (refusal !== null) {
      this.#log.warn({ node, error: refusal.message }, 'a group message was dropped');
    }
  }

  /**
   * Calls a method of another member. Rejects UNREACHABLE, OVERLOADED, TIMEOUT, or as it did;
   * VALUE_TOO_LARGE: argument or result is longer than a message.
   */
  call(node: number, method: string, argument: unknown, options: CallOptions): Promise<unknown> {
    if (this.#closed) {
      return Promise.reject(new FreshetError('CLOSED', `${method} of a closed member`));
    }
    if (node === this.#core.nodeId) {
      return this.#serveLocally(method, argument);
    }
    if (!this.#up.has(node)) {
      return Promise.reject(unreachable(node, method));
    }
    if (this.#calls.size >= groupLimits.openCalls) {
      const message = `${String(this.#calls.size)} calls to other members have no answer yet`;
      return Promise.reject(new FreshetError('OVERLOADED', message));
    }
    return this.#openCall(node, method, argument, options);
  }

  #openCall(
    node: number,
    method: string,
    argument: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const id = this.#nextCall++;
    const timeoutMs = options.timeoutMs ?? groupLimits.callTimeoutMs;
    const { signal } = options;
    return new Promise((resolve, reject) => {
      const giveUp = (error: FreshetError): void => {
        const open = this.#calls.get(id);
        this.#calls.delete(id);
        open?.cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        reject(error);
      };
      const onAbort = (): void => {
        giveUp(new FreshetError('CANCELLED', `${method} at member ${String(node)} was given up`));
      };
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        const message = `Member ${String(node)} did not answer ${method} in ${String(timeoutMs)} ms`;
        giveUp(new FreshetError('TIMEOUT', message, { details: { node, method, timeoutMs } }));
      });
      const done = (result: unknown): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve(result);
      };
      this.#calls.set(id, { node, method, resolve: done, reject: giveUp, cancelTimer });
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      const refusal = this.#send(node, channels.call, encode([id, method, argument], encoding));
      if (refusal !== null) giveUp(refusal);
    });
  }

  close(): void {
    this.#closed = true;
    for (const open of [...this.#calls.values()]) {
      open.reject(new FreshetError('CLOSED', `${open.method} was cut off: the member was closed`));
    }
    this.#outboxes.clear();
    this.#inboxes.clear();
  }

  async #serveLocally(method: string, argument: unknown): Promise<unknown> {
    const handler = this.#handlers.get(method);
    if (handler === undefined) {
      throw new FreshetError('UNSUPPORTED', `This member knows no call ${method}`);
    }
    return handler(this.#core.nodeId, argument);
  }

  /** null: it is on its way; else why nothing of it is. */
  #send(node: number, channel: number, bytes: Uint8Array): FreshetError | null {
    const outbox = this.#outboxOf(node);
    if (bytes.byteLength > groupLimits.messageBytes) return tooLong(node, bytes.byteLength);
    if (outbox.bytes + bytes.byteLength > groupLimits.outboxBytes) {
      const most = String(groupLimits.outboxBytes);
      const text = `The way to member ${String(node)} is full: ${most} bytes may wait for it`;
      return new FreshetError('OVERLOADED', text);
    }
    const size = groupLimits.messagePartBytes - partHead;
    for (let start = 0; start === 0 || start < bytes.byteLength; start += size) {
      const piece = bytes.subarray(start, start + size);
      const part = new Uint8Array(partHead + piece.byteLength);
      part[0] = channel;
      part[1] =
        (start === 0 ? partFlags.first : 0) |
        (start + size >= bytes.byteLength ? partFlags.last : 0);
      part.set(piece, partHead);
      outbox.parts.push(part);
      outbox.bytes += part.byteLength;
    }
    this.#flush(node, outbox);
    return null;
  }

  #flush(node: number, outbox: Outbox): void {
    let sent = 0;
    while (sent < outbox.parts.length && !outbox.pausing && !this.#core.closed) {
      const part = outbox.parts[sent] as Uint8Array;
      const status = -this.#core.addon.sendMessage(this.#core.handle, node, part);
      if (status === this.#overloaded) {
        outbox.pausing = true;
        this.#clock.after(groupLimits.outboxPauseMs, () => {
          outbox.pausing = false;
          this.#flush(node, outbox);
        });
        break;
      }
      // Anything else but success means that the peer is gone: a `down` row tells the callers.
      sent++;
      outbox.bytes -= part.byteLength;
    }
    outbox.parts.splice(0, sent);
  }

  #onPart(from: number, bytes: Buffer): void {
    const channel = bytes[0];
    const flags = bytes[1];
    if (channel === undefined || flags === undefined || channel < 1 || channel > 3 || flags > 3) {
      this.#ignored++;
      return;
    }
    const [isFirst, isLast] = [(flags & partFlags.first) !== 0, (flags & partFlags.last) !== 0];
    const name = `${String(from)}/${String(channel)}`;
    const piece = bytes.subarray(partHead);
    if (isFirst) {
      this.#inboxes.delete(name);
      if (isLast) {
        this.#onMessage(from, channel, piece);
        return;
      }
    }
    const inbox = isFirst ? { parts: [], bytes: 0 } : this.#inboxes.get(name);
    if (inbox === undefined) {
      this.#ignored++;
      return;
    }
    inbox.parts.push(piece);
    inbox.bytes += piece.byteLength;
    this.#inboxes.set(name, inbox);
    if (inbox.bytes > groupLimits.messageBytes) {
      this.#ignored++;
      this.#inboxes.delete(name);
    } else if (isLast) {
      this.#inboxes.delete(name);
      this.#onMessage(from, channel, Buffer.concat(inbox.parts, inbox.bytes));
    }
  }

  #onMessage(from: number, channel: number, bytes: Buffer): void {
    let message: unknown;
    try {
      message = decode(bytes, decoding);
    } catch {
      this.#ignored++;
      return;
    }
    if (channel === channels.group) {
      this.#onGroup(from, message);
    } else if (!Array.isArray(message) || typeof message[0] !== 'number') {
      this.#ignored++;
    } else if (channel === channels.call) {
      void this.#onCall(from, message[0], message[1], message[2]);
    } else {
      this.#onAnswer(from, message[0], message[1], message[2]);
    }
  }

  async #onCall(from: number, id: number, method: unknown, argument: unknown): Promise<void> {
    const handler = typeof method === 'string' ? this.#handlers.get(method) : undefined;
    let answer: unknown[];
    if (handler === undefined) {
      this.#ignored++;
      const error = new FreshetError('UNSUPPORTED', `This member knows no call ${String(method)}`);
      answer = [id, error.toJSON(), null];
    } else if (this.#served >= groupLimits.servedCalls) {
      answer = [id, new FreshetError('OVERLOADED', 'This member serves many calls').toJSON(), null];
    } else {
      this.#served++;
      try {
        answer = [id, null, await handler(from, argument)];
      } catch (caught) {
        answer = [id, toFreshetError(caught).toJSON(), null];
      } finally {
        this.#served--;
      }
    }
    if (!this.#closed && this.#up.has(from)) {
      const refusal = this.#send(from, channels.answer, encode(answer, encoding));
      if (refusal !== null) this.#refuse(from, id, method, refusal);
    }
  }

  /** Whoever called hears why there is no answer, which is short, if that can be sent. */
  #refuse(from: number, id: number, method: unknown, refusal: FreshetError): void {
    this.#log.warn({ from, method, error: refusal.message }, 'an answer was dropped');
    this.#send(from, channels.answer, encode([id, refusal.toJSON(), null], encoding));
  }

  #onAnswer(from: number, id: number, error: unknown, result: unknown): void {
    const open = this.#calls.get(id);
    if (open === undefined || open.node !== from) {
      this.#ignored++;
      return;
    }
    if (error !== null) {
      open.reject(errorFromObject(error));
      return;
    }
    this.#calls.delete(id);
    open.cancelTimer();
    open.resolve(result);
  }

  /** The connection to the peer is new or gone: nothing of the old one goes on. */
  #forget(node: number): void {
    // A pausing flush still holds the outbox: it must find it empty.
    this.#outboxes.get(node)?.parts.splice(0);
    this.#outboxes.delete(node);
    for (const channel of Object.values(channels)) {
      this.#inboxes.delete(`${String(node)}/${String(channel)}`);
    }
    for (const open of [...this.#calls.values()]) {
      if (open.node === node) {
        open.reject(unreachable(node, open.method));
      }
    }
  }

  #outboxOf(node: number): Outbox {
    let outbox = this.#outboxes.get(node);
    if (outbox === undefined) {
      outbox = { parts: [], bytes: 0, pausing: false };
      this.#outboxes.set(node, outbox);
    }
    return outbox;
  }
}

const encoding = { ignoreUndefined: true, initialBufferSize: 512 };
const decoding = { maxStrLength: 1 << 20, maxBinLength: groupLimits.messageBytes };

/** 51 bits of what no other process has: calls are counted from there. */
function firstCallOf(incarnation: string): number {
  return Number(BigInt.asUintN(51, BigInt(`0x${incarnation}`)));
}

function tooLong(node: number, bytes: number): FreshetError {
  const limit = groupLimits.messageBytes;
  const text = `A message of ${String(bytes)} bytes to member ${String(node)} is too long`;
  return new FreshetError('VALUE_TOO_LARGE', `${text}: ${String(limit)} are allowed`, {
    mend: 'Put or ask for less at once',
    details: { node, bytes, limit },
  });
}

function unreachable(node: number, method: string): FreshetError {
  return new FreshetError('UNREACHABLE', `Member ${String(node)} is not connected, for ${method}`, {
    mend: `Start member ${String(node)} again, or check the network to it`,
    details: { node, method },
  });
}
