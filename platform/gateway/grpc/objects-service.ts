import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { FreshetError, toFreshetError } from '../../base/mod.ts';
import { type Door, wireConvert as convert } from '../../client/mod.ts';
import type {
  KeyBatch,
  ObjectBatch,
  ObjectsServer,
  PutBatch,
  PutOutcome,
  PutReplyBatch,
  RowBatch,
  WatchBatch,
} from '../../wire/mod.ts';
import { batched, pump } from './batches.ts';
import { parseJson } from './parse-json.ts';
import { serviceError } from './service-error.ts';

/** Puts of one stream under way; the stream is not read further beyond it. */
const putsInFlightMax = 8192;

/** The `Objects` service on a member's door. Every failure is a coded error in the trailers. */
export function objectsService(door: Door): ObjectsServer {
  return {
    put: unary(async (request) =>
      convert.putResultToWire(await door.put(convert.putFromWire(request))),
    ),
    remove: unary(async (request) =>
      convert.putResultToWire(await door.remove(convert.removeFromWire(request))),
    ),
    get: unary(async (request) => {
      const object = await door.get(convert.getFromWire(request));
      return { object: object === null ? undefined : convert.objectToWire(object) };
    }),
    stat: unary(async (request) => {
      const object = await door.stat(convert.getFromWire(request));
      return { object: object === null ? undefined : convert.objectToWire(object) };
    }),
    triggerPut: unary(async (request) => {
      const { members, time } = await door.triggerPut(convert.triggerFromWire(request));
      return { members: [...members], time };
    }),
    putStream: (call) => {
      new PutStreamCall(door, call).start();
    },
    history: streaming((request, signal) => {
      const { key, reverse, limit, fromVersion, toVersion } = request;
      const objects = door.history({
        key,
        reverse,
        signal,
        ...(limit === 0 ? {} : { limit }),
        ...(fromVersion === undefined ? {} : { fromVersion }),
        ...(toVersion === undefined ? {} : { toVersion }),
      });
      return batched(objects, sizeOfObject, (batch): ObjectBatch => ({
        objects: batch.map(convert.objectToWire),
      }));
    }),
    list: streaming((request, signal) => {
      const { prefix, after, limit, at } = request;
      const keys = door.list({
        prefix,
        signal,
        ...(after === '' ? {} : { after }),
        ...(limit === 0 ? {} : { limit }),
        ...(at === undefined ? {} : { at }),
      });
      return batched(
        keys,
        (key) => key.length,
        (batch): KeyBatch => ({ keys: [...batch] }),
      );
    }),
    watch: streaming((request, signal) => {
      const frontier = request.persistedOnly ? 'persisted' : request.delivered ? 'delivered' : null;
      const events = door.watch({
        prefix: request.prefix,
        signal,
        ...(request.from === '' ? {} : { from: request.from }),
        ...(frontier === null ? {} : { frontier }),
      });
      return batched(
        events,
        ({ object }) => sizeOfObject(object),
        (batch): WatchBatch => ({
          events: batch.map(convert.watchEventToWire),
        }),
      );
    }),
    query: streaming((request, signal) => {
      const rows = door.query(parseJson(request.plan, 'the query plan'), signal);
      return batched(
        rows,
        () => 256,
        (batch): RowBatch => ({
          rows: batch.map((row) => Buffer.from(JSON.stringify(row))),
        }),
      );
    }),
  };
}

function sizeOfObject({ value }: { readonly value: Uint8Array | null }): number {
  return 256 + (value?.byteLength ?? 0);
}

export function unary<Q, R>(handle: (request: Q) => Promise<R>) {
  return (call: ServerUnaryCall<Q, R>, done: sendUnaryData<R>): void => {
    handle(call.request).then(
      (reply) => {
        done(null, reply);
      },
      (error: unknown) => {
        done(serviceError(error));
      },
    );
  };
}

function streaming<Q, B>(open: (request: Q, signal: AbortSignal) => AsyncIterable<B>) {
  return (call: ServerWritableStream<Q, B>): void => {
    const abort = new AbortController();
    call.on('cancelled', () => {
      abort.abort();
    });
    call.on('close', () => {
      abort.abort();
    });
    void (async () => {
      try {
        await pump(open(call.request, abort.signal), call, abort.signal);
        call.end();
      } catch (error) {
        call.destroy(serviceError(error) as unknown as Error);
      }
    })();
  };
}

/**
 * Purpose: one stream of put batches.
 * Invariants
 *  1. Puts reach the door in the order of the stream; each is answered once.
 *  2. Answers that are there at the end of a turn go as one frame.
 */
class PutStreamCall {
  readonly #door: Door;
  readonly #call: ServerDuplexStream<PutBatch, PutReplyBatch>;
  #outcomes: PutOutcome[] = [];
  #inFlight = 0;
  #isEnded = false;
  #isScheduled = false;

  constructor(door: Door, call: ServerDuplexStream<PutBatch, PutReplyBatch>) {
    this.#door = door;
    this.#call = call;
  }

  start(): void {
    this.#call.on('data', (batch: PutBatch) => {
      this.#onBatch(batch);
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
    const answer = (result: Parameters<typeof convert.outcomeToWire>[1]) => {
      this.#inFlight--;
      this.#outcomes.push(convert.outcomeToWire(sequence, result));
      this.#schedule();
    };
    try {
      this.#door.put(convert.putFromWire(put)).then(answer, (error: unknown) => {
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
      if (!this.#call.destroyed) this.#call.write({ outcomes });
      if (this.#inFlight < putsInFlightMax / 2 && this.#call.isPaused()) this.#call.resume();
      this.#endWhenDone();
    });
  }

  #endWhenDone(): void {
    if (this.#isEnded && this.#inFlight === 0 && this.#outcomes.length === 0) this.#call.end();
  }
}
