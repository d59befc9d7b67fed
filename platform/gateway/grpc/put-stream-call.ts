import type { ServerDuplexStream } from '@grpc/grpc-js';
import { FreshetError, toFreshetError } from '../../base/mod.ts';
import { outcomeToWire, putFromWire } from '../../client/grpc/mod.ts';
import type { Door } from '../../client/mod.ts';
import type { PutBatch, PutReplyBatch, WirePutOutcome } from '../../wire/mod.ts';

/** Puts of one stream under way; the stream is not read further beyond it. */
const putsInFlightMax = 8192;

/**
 * Purpose: one stream of put batches.
 * Thread: event loop.
 * Invariants
 *  1. Puts reach the door in the order of the stream; each is answered once.
 *  2. Answers that are there at the end of a turn go as one frame.
 *  3. While the other side does not read its answers, no further puts are read.
 */
export class PutStreamCall {
  readonly #door: Door;
  readonly #call: ServerDuplexStream<PutBatch, PutReplyBatch>;
  #outcomes: WirePutOutcome[] = [];
  #inFlight = 0;
  #isEnded = false;
  #isScheduled = false;
  #isBlocked = false;

  constructor(door: Door, call: ServerDuplexStream<PutBatch, PutReplyBatch>) {
    this.#door = door;
    this.#call = call;
  }

  start(): void {
    this.#call.on('data', (batch: PutBatch) => {
      this.#onBatch(batch);
    });
    this.#call.on('drain', () => {
      this.#isBlocked = false;
      this.#resumeWhenRoom();
    });
    this.#call.on('end', () => {
      this.#isEnded = true;
      this.#endWhenDone();
    });
    this.#call.on('error', () => {
      this.#isEnded = true;
    });
  }

  #onBatch({ firstSequence, puts }: PutBatch): void {
    puts.forEach((put, index) => {
      this.#put(firstSequence + index, put);
    });
    if (this.#inFlight >= putsInFlightMax) this.#call.pause();
  }

  #put(sequence: number, put: PutBatch['puts'][number]): void {
    this.#inFlight++;
    const answer = (result: Parameters<typeof outcomeToWire>[1]) => {
      this.#inFlight--;
      this.#outcomes.push(outcomeToWire(sequence, result));
      this.#schedule();
    };
    try {
      this.#door.put(putFromWire(put)).then(answer, (error: unknown) => {
        answer(toFreshetError(error));
      });
    } catch (error) {
      answer(error instanceof FreshetError ? error : toFreshetError(error));
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const outcomes = this.#outcomes;
      this.#outcomes = [];
      if (!this.#call.destroyed && !this.#call.write({ outcomes })) {
        this.#isBlocked = true;
        this.#call.pause();
      }
      this.#resumeWhenRoom();
      this.#endWhenDone();
    });
  }

  #resumeWhenRoom(): void {
    const hasRoom = this.#inFlight < putsInFlightMax / 2 && !this.#isBlocked;
    if (hasRoom && this.#call.isPaused()) this.#call.resume();
  }

  #endWhenDone(): void {
    if (this.#isEnded && this.#inFlight === 0 && this.#outcomes.length === 0) this.#call.end();
  }
}
