import type { sendUnaryData, ServerReadableStream } from '@grpc/grpc-js';
import { FreshetError, limits } from '../../base/mod.ts';
import {
  asBuffer,
  getFromWire,
  objectToWire,
  putFromWire,
  putResultToWire,
} from '../../client/grpc/mod.ts';
import type { Door, ObjectRecord, PutRequest } from '../../client/mod.ts';
import type { ObjectPiece, PutPiece, PutReply, WireGetRequest } from '../../wire/mod.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { LongBodies } from '../long-bodies.ts';
import { serviceError } from './service-error.ts';

const noBytes = Buffer.alloc(0);

/** Throws VALUE_TOO_LARGE: it does not fit a message. */
export function checkWhole(object: ObjectRecord): ObjectRecord {
  if ((object.value?.byteLength ?? 0) <= limits.valueBytesWhole) return object;
  const text = `${object.key} has ${String(object.size)} bytes, too many for one message`;
  throw new FreshetError('VALUE_TOO_LARGE', text, {
    mend: 'Ask for it with GetLong, or over HTTP',
  });
}

/** The object and its value, piece by piece. */
export async function* piecesOf(door: Door, request: WireGetRequest): AsyncGenerator<ObjectPiece> {
  const found = await door.get(getFromWire(request));
  if (found === null) return;
  yield { object: objectToWire({ ...found, value: null }), bytes: noBytes };
  const value = asBuffer(found.value ?? noBytes);
  for (let from = 0; from < value.byteLength; from += gatewayLimits.pieceBytes) {
    yield { object: undefined, bytes: value.subarray(from, from + gatewayLimits.pieceBytes) };
  }
}

/** Takes puts whose values come piece by piece. */
export function takePieces(door: Door) {
  const bodies = new LongBodies();
  return (call: ServerReadableStream<PutPiece, PutReply>, done: sendUnaryData<PutReply>): void => {
    takePut(door, call, bodies).then(
      (reply) => {
        done(null, reply);
      },
      (error: unknown) => {
        done(serviceError(error));
      },
    );
  };
}

async function takePut(
  door: Door,
  pieces: AsyncIterable<PutPiece>,
  bodies: LongBodies,
): Promise<PutReply> {
  let head: PutRequest | null = null;
  let value = noBytes;
  let filled = 0;
  let taken = 0;
  try {
    for await (const { put, size, bytes } of pieces) {
      if (put !== undefined && head === null) {
        bodies.take(size);
        taken = size;
        value = Buffer.allocUnsafeSlow(size);
        head = putFromWire(put);
      }
      if (bytes.byteLength > value.byteLength - filled) throw misfit();
      value.set(bytes, filled);
      filled += bytes.byteLength;
    }
    if (head === null || filled < value.byteLength) throw misfit();
    return putResultToWire(await door.put({ ...head, value }));
  } finally {
    bodies.giveBack(taken);
  }
}

function misfit(): FreshetError {
  return new FreshetError('INVALID_ARGUMENT', 'The pieces of a put are not as its size says', {
    mend: 'Send the put with the size of its value first, then all its bytes',
  });
}
