import type { ClientDuplexStream } from '@grpc/grpc-js';
import { FreshetError } from '../../base/mod.ts';
import type { PutBatch, PutReplyBatch, WirePutRequest } from '../../wire/mod.ts';
import type { PutResult } from '../door.ts';
import { outcomeFromWire } from './convert.ts';
import { errorOfCall } from './status.ts';

type Waiting = (result: PutResult | FreshetError) => void;

/** Puts sent and not yet answered; further ones wait in the queue. */
const inFlightMax = 4096;
/** Puts that wait for the stream; beyond it they are refused as OVERLOADED. */
const queueMax = 65_536;
/** Value bytes of one frame; a larger value travels alone. */
const frameBytesMax = 1024 * 1024;
const frameCountMax = 1000;

/**
 * Purpose: one stream of put batches: whatever has been asked for by the end of a turn of the event
 * loop goes as one frame; nothing waits for company.
 * Invariants
 *  1. Every put is answered once: by the member, or with the error that ended the stream.
 *  2. Puts leave in the order they were given.
 */
export class PutStream {
  readonly #open: () => ClientDuplexStream<PutBatch, PutReplyBatch>;
  readonly #address: string;
  readonly #waiting = new Map<number, Waiting>();
  #stream: ClientDuplexStream<PutBatch, PutReplyBatch> | null = null;
  #queue: { request: WirePutRequest; waiting: Waiting }[] = [];
  #next = 1;
  #isScheduled = false;
  #isBlocked = false;

  constructor(open: () => ClientDuplexStream<PutBatch, PutReplyBatch>, address: string) {
    this.#open = open;
    this.#address = address;
  }

  put(request: WirePutRequest, waiting: Waiting): void {
    if (this.#queue.length >= queueMax) {
      waiting(
        new FreshetError(
          'OVERLOADED',
          `${String(queueMax)} puts already wait for ${this.#address}`,
        ),
      );
      return;
    }
    this.#queue.push({ request, waiting });
    this.#schedule();
  }

  close(): void {
    this.#stream?.end();
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
    while (taken < this.#queue.length && this.#waiting.size < inFlightMax && !this.#isBlocked) {
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
      const entry = this.#queue[i];
      if (entry === undefined || this.#waiting.size >= inFlightMax) break;
      bytes += entry.request.value.byteLength;
      if (puts.length > 0 && bytes > frameBytesMax) break;
      puts.push(entry.request);
      this.#waiting.set(this.#next++, entry.waiting);
    }
    const stream = this.#stream ?? this.#connect();
    if (!stream.write({ firstSequence, puts })) {
      this.#isBlocked = true;
      stream.once('drain', () => {
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
        const waiting = this.#waiting.get(outcome.sequence);
        this.#waiting.delete(outcome.sequence);
        waiting?.(outcomeFromWire(outcome));
      }
      if (this.#queue.length > 0) this.#schedule();
    });
    const end = (failure: unknown) => {
      this.#onEnd(stream, failure);
    };
    stream.on('error', end);
    stream.on('end', () => {
      end(
        new FreshetError('UNREACHABLE', `The member at ${this.#address} ended the stream of puts`),
      );
    });
    return stream;
  }

  #onEnd(stream: ClientDuplexStream<PutBatch, PutReplyBatch>, failure: unknown): void {
    if (stream !== this.#stream) return;
    this.#stream = null;
    this.#isBlocked = false;
    const error = errorOfCall(failure, this.#address);
    const waiting = [...this.#waiting.values(), ...this.#queue.map((entry) => entry.waiting)];
    this.#waiting.clear();
    this.#queue = [];
    for (const answer of waiting) answer(error);
  }
}
