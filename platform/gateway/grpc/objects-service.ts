import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import {
  getFromWire,
  listFromWire,
  objectToWire,
  putFromWire,
  putResultToWire,
  removeFromWire,
  triggerFromWire,
  watchEventToWire,
} from '../../client/grpc/mod.ts';
import type { Door } from '../../client/mod.ts';
import type { KeyBatch, ObjectBatch, ObjectsServer, RowBatch, WatchBatch } from '../../wire/mod.ts';
import type { Backend } from '../backend.ts';
import { batched, pump } from './batches.ts';
import { GatheredPuts } from '../gathered-puts.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { LongBodies } from '../long-bodies.ts';
import { parsePlanJson } from '../parse-json.ts';
import { getInMessage, piecesOf, takePieces } from './long-values.ts';
import { pumpMoving } from './moving.ts';
import { PutStreamCall } from './put-stream-call.ts';
import type { GrpcServerOptions } from './server.ts';
import { serviceError } from './service-error.ts';

/** See {@link GrpcServerOptions}. */
type LongOptions = Pick<GrpcServerOptions, 'longBodyBytes' | 'idleMs'>;

type ObjectsBackend = Pick<Backend, 'door' | 'putEach'>;

/** The `Objects` service on a member's door. Every failure is a coded error in the trailers. */
export function objectsService(backend: ObjectsBackend, long: LongOptions): ObjectsServer {
  const { door, putEach } = backend;
  const puts = new GatheredPuts(putEach);
  const { longBodyBytes, idleMs = gatewayLimits.longIdleMs } = long;
  return {
    put: unary(async (request) => putResultToWire(await puts.put(putFromWire(request)))),
    remove: unary(async (request) => putResultToWire(await door.remove(removeFromWire(request)))),
    get: unary(async (request) => {
      const object = await getInMessage(door, getFromWire(request));
      return { object: object === null ? undefined : objectToWire(object) };
    }),
    stat: unary(async (request) => {
      const object = await door.stat(getFromWire(request));
      return { object: object === null ? undefined : objectToWire(object) };
    }),
    triggerPut: unary(async (request) => {
      const { members, time } = await door.triggerPut(triggerFromWire(request));
      return { members: [...members], time };
    }),
    putStream: (call) => {
      new PutStreamCall(putEach, call).start();
    },
    putLong: takePieces(door, new LongBodies('in', longBodyBytes), idleMs),
    getLong: getLong(door, new LongBodies('out', longBodyBytes), idleMs),
    ...streams(door),
  };
}

function getLong(door: Door, outgoing: LongBodies, idleMs: number): ObjectsServer['getLong'] {
  return streaming(
    (request, signal) => piecesOf(door, { ...getFromWire(request), signal }, outgoing),
    (pieces, call, signal) => pumpMoving(pieces, call, signal, idleMs),
  );
}

type Streams = Pick<ObjectsServer, 'history' | 'list' | 'watch' | 'query'>;

function streams(door: Door): Streams {
  return {
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
        objects: batch.map(objectToWire),
      }));
    }),
    list: streaming((request, signal) => {
      const keys = door.list({ ...listFromWire(request), signal });
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
          events: batch.map(watchEventToWire),
        }),
      );
    }),
    query: streaming((request, signal) => {
      const rows = door.query(parsePlanJson(request.plan), signal);
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

/** `send`: default: as fast as the client reads, which may wait. */
function streaming<Q, B>(
  open: (request: Q, signal: AbortSignal) => AsyncIterable<B>,
  send: typeof pump<B> = pump,
) {
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
        await send(open(call.request, abort.signal), call, abort.signal);
        call.end();
      } catch (error) {
        // Destroying the call would end it without its status, and the client would wait for ever.
        call.emit('error', serviceError(error));
      }
    })();
  };
}
