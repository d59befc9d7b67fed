/**
 * One connection with the native threads of a member: what one turn of the event loop asks goes in
 * one write, or in a few where it is much; answers come in any order.
 *
 * Thread: event loop.
 * Invariants
 *  1. Every call is answered once: by the member, as overdue, or with what ended the connection.
 *  2. A number is used again once it was answered; those of watches never.
 *  3. No more is unanswered than the member said that it takes, but for one change of any size.
 *  4. It keeps the process alive only while something is waited for.
 */
import type { Socket } from 'node:net';
import {
  type Clock,
  formatAddress,
  FreshetError,
  messageOf,
  type NativeAddress,
  type NativeTicket,
  type Random,
  toFreshetError,
} from '../../base/mod.ts';
import { coreError, readPoints } from '../../bridge/mod.ts';
import { FrameWriter, readLevels, type WatchFrame } from './door-frames.ts';
import { type Dial, openSocket } from './door-socket.ts';
import { type FramedObject, FrameReader } from './frame-reader.ts';
import { Handshake } from './handshake.ts';

/** A request that is answered once. */
export interface DoorCall {
  /** About what it takes on the wire, bytes. */
  readonly size: number;
  /** Monotonic ms after which nobody waits any more. */
  readonly until: number;
  /** Session of its stamp; 0: none. */
  readonly session: number;
  /** Nobody answers it: it is done once it is written. */
  readonly isUnanswered: boolean;
  write(out: FrameWriter, number: number): void;
  onDone(status: number, epoch: number, version: number, time: number, previous: number): void;
  onObject(object: FramedObject, removed: boolean, value: Uint8Array | null): void;
  /** UNREACHABLE, TIMEOUT (it may have been made), OVERLOADED, CLOSED. */
  onFailed(error: FreshetError): void;
}

/** Events of a shard, until it ends. */
export interface DoorWatch {
  onWatching(version: number): void;
  onEvent(kind: number, key: string, object: FramedObject, value: Uint8Array): void;
  /** `status` null: the connection is lost. */
  onEnded(status: number | null): void;
}

/** A watch that was asked for. */
export interface OpenWatch {
  /** So many events in all may be sent. */
  allow(events: number): void;
  close(): void;
}

export interface DoorConnectionOptions {
  readonly address: NativeAddress;
  readonly ticket: NativeTicket;
  /** The native table. */
  readonly statusNames: readonly string[];
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  readonly onOpen: () => void;
  /** Number of the view that the member has installed. */
  readonly onView: (view: number) => void;
  /** Why it is no more; not after `close`. */
  readonly onLost: (error: FreshetError) => void;
}

const handshakeMs = 3000;
/** Nothing was heard for so long although something is unanswered: the member is lost. */
const silentMs = 3000;
/** A watch without events asks so often whether the member is there. */
const pingMs = 5000;
/** How often overdue calls are looked for, and the silence of watches. */
const sweepMs = 100;
const idleSweepMs = 1000;
const standstillMs = 200;
/** The member answers TIMEOUT itself; this is for one that says nothing at all. */
const graceMs = 500;
/** Calls that wait to be sent; beyond it they are refused as OVERLOADED. */
const queueMax = 65_536;
const writeBytes = 1024 * 1024;
/** So much is sent before the turn ends: the member works on it meanwhile. */
const sendBytes = 32 * 1024;
const firstWatch = 2 ** 40;

type State = 'connecting' | 'open' | 'ended';

export class DoorConnection {
  readonly nodeId: number;
  readonly #options: DoorConnectionOptions;
  readonly #clock: Clock;
  readonly #handshake: Handshake;
  readonly #reader: FrameReader;
  readonly #out = new FrameWriter();
  readonly #socket: Socket;
  readonly #since: number;
  #state: State = 'connecting';
  /** By number; null: given up, undefined: free. */
  readonly #calls: (DoorCall | null | undefined)[] = [null];
  readonly #free: number[] = [];
  readonly #watches = new Map<number, DoorWatch>();
  #queue: DoorCall[] = [];
  #unanswered = 0;
  #unansweredBytes = 0;
  #requestsMax = 0;
  #bytesMax = 0;
  #nextWatch = firstWatch;
  #session = 0;
  #heardAt = 0;
  #hasHeard = false;
  #isScheduled = false;
  #turnMs = 0;
  #isBlocked = false;
  #isSweeping = false;
  #isHeld = true;

  constructor(options: DoorConnectionOptions) {
    const { address, ticket, clock, random } = options;
    this.#options = options;
    this.#clock = clock;
    this.nodeId = address.nodeId;
    this.#handshake = new Handshake(ticket, address.nodeId, random);
    this.#reader = this.#makeReader();
    this.#since = clock.monotonicMs();
    this.#socket = openSocket(options.dial, address, this.#onRead);
    this.#out.hello(this.nodeId, ticket.clusterId, this.#handshake.nonce, ticket.ticket);
    this.#send();
    this.#socket.on('drain', () => {
      this.#isBlocked = false;
      this.#flush();
    });
    this.#socket.on('error', (cause) => {
      this.#end(this.#unreachable(messageOf(cause), cause));
    });
    this.#socket.on('close', () => {
      this.#end(this.#unreachable('the connection was lost'));
    });
    this.#hold();
    this.#sweepLater();
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Monotonic, whole ms: when the first of what goes with this was asked; else now. */
  get turnMs(): number {
    // A look at the clock takes longer than much else of a read.
    return this.#isScheduled ? this.#turnMs : Math.ceil(this.#clock.monotonicMs());
  }

  ask(call: DoorCall): void {
    if (this.#state === 'ended') {
      call.onFailed(this.#unreachable('the connection was lost'));
      return;
    }
    if (this.#queue.length === 0 && this.#mayWrite(call)) {
      this.#write(call);
      if (this.#out.bytes >= sendBytes) this.#send();
      this.#schedule();
    } else if (this.#queue.length < queueMax) {
      this.#queue.push(call);
    } else {
      const text = `${String(queueMax)} calls already wait for member ${String(this.nodeId)}`;
      call.onFailed(new FreshetError('OVERLOADED', text));
      return;
    }
    if (!this.#isHeld) this.#hold();
    if (!this.#isSweeping) this.#sweepLater();
  }

  /** Of an open connection. */
  watch(frame: WatchFrame, watch: DoorWatch): OpenWatch {
    const number = this.#nextWatch++;
    this.#watches.set(number, watch);
    this.#out.watch(number, frame);
    this.#schedule();
    this.#hold();
    this.#sweepLater();
    return {
      allow: (events) => {
        if (!this.#watches.has(number)) return;
        this.#out.credit(number, events);
        this.#schedule();
      },
      close: () => {
        if (!this.#watches.delete(number)) return;
        this.#out.unwatch(number);
        this.#schedule();
        this.#hold();
      },
    };
  }

  close(): void {
    this.#finish(new FreshetError('CLOSED', 'The connection was closed'));
  }

  #mayWrite({ size }: DoorCall): boolean {
    if (this.#state !== 'open' || this.#isBlocked || this.#unanswered >= this.#requestsMax) {
      return false;
    }
    return this.#unanswered === 0 || this.#unansweredBytes + size <= this.#bytesMax;
  }

  #write(call: DoorCall): void {
    if (call.session !== 0 && call.session !== this.#session) {
      this.#session = call.session;
      this.#out.session(call.session);
    }
    if (call.isUnanswered) {
      call.write(this.#out, 0);
      call.onDone(0, 0, 0, 0, 0);
      return;
    }
    const number = this.#free.pop() ?? this.#calls.length;
    this.#calls[number] = call;
    if (this.#unanswered === 0) this.#heardAt = this.#clock.monotonicMs();
    this.#unanswered++;
    this.#unansweredBytes += call.size;
    call.write(this.#out, number);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#turnMs = Math.ceil(this.#clock.monotonicMs());
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    let taken = 0;
    for (const call of this.#queue) {
      if (!this.#mayWrite(call)) break;
      taken++;
      this.#write(call);
      if (this.#out.bytes >= writeBytes) this.#send();
    }
    // One cut for all: shifting one by one would cost the square of the queue.
    if (taken > 0) this.#queue = this.#queue.slice(taken);
    if (this.#state !== 'ended') this.#send();
  }

  #send(): void {
    const parts = this.#out.take();
    const last = parts.at(-1);
    if (last === undefined) return;
    const socket = this.#socket;
    socket.cork();
    for (const part of parts.slice(0, -1)) socket.write(part);
    const hasRoom = socket.write(last, () => {
      this.#out.giveBack(parts);
    });
    socket.uncork();
    // What is corked counts as waiting; what the system took at once does not.
    if (!hasRoom && socket.writableNeedDrain) this.#isBlocked = true;
  }

  readonly #onRead = (size: number, buffer: Uint8Array): boolean => {
    this.#hasHeard = true;
    try {
      this.#reader.push(Buffer.from(buffer.buffer, buffer.byteOffset, size));
    } catch (caught) {
      this.#end(toFreshetError(caught));
    }
    if (this.#queue.length > 0) this.#schedule();
    this.#hold();
    return true;
  };

  #makeReader(): FrameReader {
    return new FrameReader({
      onChallenge: (nonce, proof) => {
        this.#onChallenge(nonce, proof);
      },
      onWelcome: (view, requestsMax, bytesMax) => {
        this.#onWelcome(view, requestsMax, bytesMax);
      },
      onRefused: (status) => {
        this.#end(this.#refused(status));
      },
      onDone: (number, status, epoch, version, time, previous) => {
        // A watch that failed is answered like a call.
        if (number >= firstWatch) this.#endWatch(number, status);
        else this.#answered(number)?.onDone(status, epoch, version, time, previous);
      },
      onObject: (number, object, removed, value) => {
        this.#answered(number)?.onObject(object, removed, value);
      },
      onEvent: (number, kind, key, object, value) => {
        this.#watches.get(number)?.onEvent(kind, key, object, value);
      },
      onWatching: (number, version) => {
        this.#watches.get(number)?.onWatching(version);
      },
      onEnded: (number, status) => {
        this.#endWatch(number, status);
      },
      onView: (view) => {
        this.#options.onView(view);
      },
    });
  }

  #onChallenge(nonce: Uint8Array, proof: Uint8Array): void {
    const answer = this.#handshake.answer(nonce, proof);
    if (answer === null || this.#state !== 'connecting') {
      const text = `The ${this.#name()} did not prove that it belongs to the cluster`;
      this.#end(new FreshetError('UNAUTHENTICATED', text));
      return;
    }
    this.#out.proof(answer);
    this.#send();
  }

  #onWelcome(view: number, requestsMax: number, bytesMax: number): void {
    this.#state = 'open';
    this.#requestsMax = Math.max(1, requestsMax);
    this.#bytesMax = bytesMax;
    this.#options.onView(view);
    this.#options.onOpen();
    this.#schedule();
  }

  /** Whose answer it is; null: nobody waits for it. */
  #answered(number: number): DoorCall | null {
    const call = this.#calls[number];
    if (call === undefined || number === 0) return null;
    this.#calls[number] = undefined;
    this.#free.push(number);
    this.#unanswered--;
    this.#unansweredBytes -= call?.size ?? 0;
    return call;
  }

  #endWatch(number: number, status: number): void {
    const watch = this.#watches.get(number);
    this.#watches.delete(number);
    watch?.onEnded(status);
  }

  #sweepLater(): void {
    if (this.#isSweeping || this.#state === 'ended') return;
    const waits = this.#unanswered > 0 || this.#queue.length > 0 || this.#state === 'connecting';
    if (!waits && this.#watches.size === 0) return;
    this.#isSweeping = true;
    const due = this.#clock.monotonicMs() + (waits ? sweepMs : idleSweepMs);
    this.#clock.after(waits ? sweepMs : idleSweepMs, () => {
      this.#isSweeping = false;
      const now = this.#clock.monotonicMs();
      // This side stood still: what came meanwhile is not read yet.
      if (now - due > standstillMs) this.#heardAt = now;
      else this.#sweep(now);
      this.#sweepLater();
    });
  }

  #sweep(now: number): void {
    if (this.#hasHeard) this.#heardAt = now;
    this.#hasHeard = false;
    const isLate = this.#state === 'connecting' && now - this.#since > handshakeMs;
    const isSilent = this.#unanswered > 0 && now - this.#heardAt > silentMs;
    if (isLate || isSilent) {
      this.#end(this.#unreachable('it did not answer in time'));
      return;
    }
    const overdue = this.#queue.filter(({ until }) => until + graceMs <= now);
    if (overdue.length > 0) this.#queue = this.#queue.filter((call) => !overdue.includes(call));
    this.#calls.forEach((call, number) => {
      if (call === null || call === undefined || call.until + graceMs > now) return;
      // Its number stays taken until the member answers.
      this.#calls[number] = null;
      this.#unansweredBytes -= call.size;
      overdue.push(call);
    });
    const text = `The ${this.#name()} did not answer in time`;
    for (const call of overdue) call.onFailed(new FreshetError('TIMEOUT', text));
    const mayPing = this.#state === 'open' && this.#unanswered === 0 && this.#watches.size > 0;
    if (mayPing && now - this.#heardAt > pingMs) this.ask(ping(now));
  }

  /** The member, or the way to it, has failed. */
  #end(error: FreshetError): void {
    if (this.#state === 'ended') return;
    this.#finish(error);
    this.#options.onLost(error);
  }

  #finish(error: FreshetError): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#socket.destroy();
    const calls = [...this.#calls, ...this.#queue];
    const watches = [...this.#watches.values()];
    this.#calls.length = 0;
    this.#queue = [];
    this.#watches.clear();
    for (const call of calls) call?.onFailed(error);
    for (const watch of watches) watch.onEnded(null);
  }

  #hold(): void {
    const isAsked = this.#unanswered > 0 || this.#queue.length > 0 || this.#watches.size > 0;
    // Who opens a client waits for its first connection.
    const waits = isAsked || this.#state === 'connecting';
    if (waits === this.#isHeld) return;
    this.#isHeld = waits;
    if (waits) this.#socket.ref();
    else this.#socket.unref();
  }

  #name(): string {
    const { host, port } = this.#options.address;
    return `native door of member ${String(this.nodeId)} at ${formatAddress(host, port)}`;
  }

  #refused(status: number): FreshetError {
    const { statusNames } = this.#options;
    return coreError(statusNames, status, `A client of the ${this.#name()}`);
  }

  #unreachable(why: string, cause?: unknown): FreshetError {
    const text = `The ${this.#name()} cannot be reached: ${why}`;
    return new FreshetError('UNREACHABLE', `${text}; what was under way may have happened`, {
      mend: 'Try again once it runs',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** Asks for what no member has; any answer will do. */
function ping(now: number): DoorCall {
  const ignore = (): void => undefined;
  return {
    size: 0,
    until: now + silentMs,
    session: 0,
    isUnanswered: false,
    write: (out, number) => {
      const { local: level } = readLevels;
      const point = { point: readPoints.newest, at: 0, wantValue: false };
      out.get(number, { level, shard: 0, key: '/ping', ...point });
    },
    onDone: ignore,
    onObject: ignore,
    onFailed: ignore,
  };
}
