import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type Clock, FreshetError, type PutOutcome } from '../../base/mod.ts';
import type { PutBatch, PutReplyBatch, WirePutRequest } from '../../wire/mod.ts';
import { outcomeFromWire } from './convert.ts';
import { errorOfCall } from './status.ts';

type Answer = (result: PutOutcome) => void;

interface Waiting {
  readonly request: WirePutRequest;
  /** Monotonic ms after which nobody waits any more. */
  readonly until: number;
  readonly answer: Answer;
}

/** Puts sent and not yet answered; further ones wait in the queue. */
const inFlightMax = 4096;
/** Puts that wait for the stream; beyond it they are refused as OVERLOADED. */
const queueMax = 65_536;
/** Bytes of one frame; a larger value travels alone. */
const frameBytesMax = 1024 * 1024;
const frameCountMax = 1000;
/** How often overdue puts are looked for. */
const sweepMs = 100;
/** The member answers TIMEOUT itself; this is for one that says nothing at all. */
const graceMs = 500;

/**
 * Purpose: one stream of put batches: whatever has been asked for by the end of a turn of the event
 * loop goes as one frame; nothing waits for company.
 * Thread: event loop.
 * Invariants
 *  1. Every put is answered once: by the member, with the error that ended the stream, or TIMEOUT.
 *  2. Puts leave in the order they were given.
 *  3. After a stream has ended the next put opens another; nothing is sent twice.
 */
export class PutStream {
  readonly #open: () => ClientDuplexStream<PutBatch, PutReplyBatch>;
  readonly #address: string;
  readonly #clock: Clock;
  readonly #sent = new Map<number, Waiting>();
  #stream: ClientDuplexStream<PutBatch, PutReplyBatch> | null = null;
  #queue: Waiting[] = [];
  #next = 1;
  #isScheduled = false;
  #isBlocked = false;
  #isSweeping = false;
  #isClosed = false;

  constructor(
    open: () => ClientDuplexStream<PutBatch, PutReplyBatch>,
    address: string,
    clock: Clock,
  ) {
    this.#open = open;
    this.#address = address;
    this.#clock = clock;
  }

  put(request: WirePutRequest, timeoutMs: number, answer: Answer): void {
    const refusal = this.#refusal();
    if (refusal !== null) {
      answer(refusal);
      return;
    }
    const until = this.#clock.monotonicMs() + timeoutMs + graceMs;
    this.#queue.push({ request, until, answer });
    this.#schedule();
    this.#sweepLater();
  }

  close(): void {
    this.#isClosed = true;
    // There is no way any more for those that wait to be sent.
    const unsent = this.#queue;
    this.#queue = [];
    for (const { answer } of unsent) answer(this.#lost());
    this.#stream?.end();
  }

  #refusal(): FreshetError | null {
    if (this.#isClosed) return new FreshetError('CLOSED', 'The connection was closed');
    if (this.#queue.length < queueMax) return null;
    const text = `${String(queueMax)} puts already wait for ${this.#address}`;
    return new FreshetError('OVERLOADED', text);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isBlocked) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    let taken = 0;
    while (taken < this.#queue.length && this.#sent.size < inFlightMax && !this.#isBlocked) {
      taken += this.#sendFrame(taken);
    }
    // One cut for all frames: shifting one by one would cost the square of the queue.
    this.#queue = this.#queue.slice(taken);
  }

  /** Sends one frame from `start` on; returns how many puts it holds. */
  #sendFrame(start: number): number {
    const puts: WirePutRequest[] = [];
    const firstSequence = this.#next;
    let bytes = 0;
    for (let i = start; i < this.#queue.length && puts.length < frameCountMax; i++) {
      const waiting = this.#queue[i];
      if (waiting === undefined || this.#sent.size >= inFlightMax) break;
      bytes += waiting.request.value.byteLength + waiting.request.key.length;
      if (puts.length > 0 && bytes > frameBytesMax) break;
      puts.push(waiting.request);
      this.#sent.set(this.#next++, waiting);
    }
    const stream = this.#stream ?? this.#connect();
    if (!stream.write({ firstSequence, puts })) {
      this.#isBlocked = true;
      stream.once('drain', () => {
        if (stream !== this.#stream) return;
        this.#isBlocked = false;
        this.#flush();
      });
    }
    return puts.length;
  }

  #connect(): ClientDuplexStream<PutBatch, PutReplyBatch> {
    const stream = this.#open();
    this.#stream = stream;
    stream.on('data', ({ outcomes }: PutReplyBatch) => {
      for (const outcome of outcomes) {
        const waiting = this.#sent.get(outcome.sequence);
        this.#sent.delete(outcome.sequence);
        waiting?.answer(outcomeFromWire(outcome));
      }
      if (this.#queue.length > 0) this.#schedule();
    });
    stream.on('error', (failure: unknown) => {
      this.#onEnd(stream, errorOfCall(failure, this.#address));
    });
    stream.on('end', () => {
      this.#onEnd(stream, this.#lost());
    });
    return stream;
  }

  #onEnd(stream: ClientDuplexStream<PutBatch, PutReplyBatch>, cause: FreshetError): void {
    if (stream !== this.#stream) return;
    this.#stream = null;
    this.#isBlocked = false;
    // However the transport puts it: nobody refused these puts, the way to the member is gone.
    const isVague = cause.code === 'CLOSED' || cause.code === 'INTERNAL';
    const error = isVague ? this.#lost(cause) : cause;
    const waiting = [...this.#sent.values(), ...this.#queue];
    this.#sent.clear();
    this.#queue = [];
    for (const { answer } of waiting) answer(error);
  }

  #lost(cause?: FreshetError): FreshetError {
    if (this.#isClosed) return new FreshetError('CLOSED', 'The connection was closed');
    const text = `The connection to the member at ${this.#address} was lost`;
    return new FreshetError('UNREACHABLE', `${text}; what was under way may have happened`, {
      mend: 'Try again once it runs',
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #sweepLater(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#clock.after(sweepMs, () => {
      this.#isSweeping = false;
      this.#sweep();
      if (this.#sent.size > 0 || this.#queue.length > 0) this.#sweepLater();
    });
  }

  #sweep(): void {
    const now = this.#clock.monotonicMs();
    const overdue: Waiting[] = [];
    for (const [sequence, waiting] of this.#sent) {
      if (waiting.until > now) continue;
      this.#sent.delete(sequence);
      overdue.push(waiting);
    }
    if (this.#queue.some(({ until }) => until <= now)) {
      overdue.push(...this.#queue.filter(({ until }) => until <= now));
      this.#queue = this.#queue.filter(({ until }) => until > now);
    }
    const text = `The member at ${this.#address} did not answer in time`;
    for (const { answer } of overdue) answer(new FreshetError('TIMEOUT', text));
  }
}
