import type { sendUnaryData, ServerReadableStream } from '@grpc/grpc-js';
import { FreshetError } from '../../base/mod.ts';
import { asBuffer, objectToWire, putFromWire, putResultToWire } from '../../client/grpc/mod.ts';
import type { Door, GetRequest, ObjectRecord, PutRequest } from '../../client/mod.ts';
import type { ObjectPiece, PutPiece, PutReply } from '../../wire/mod.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import type { LongBodies } from '../long-bodies.ts';
import { getAdmitted, getWhole, isLeftOut } from '../long-gets.ts';
import { comingMoving } from './moving.ts';
import { serviceError } from './service-error.ts';

const noBytes = Buffer.alloc(0);

/** As `get`. Rejects VALUE_TOO_LARGE, and fetches nothing: it does not fit a message. */
export async function getInMessage(door: Door, request: GetRequest): Promise<ObjectRecord | null> {
  const object = await getWhole(door, request);
  if (!isLeftOut(object) || object.size > (request.maxBytes ?? Infinity)) return object;
  const text = `${object.key} has ${String(object.size)} bytes, too many for one message`;
  throw new FreshetError('VALUE_TOO_LARGE', text, {
    mend: 'Ask for it with GetLong, or over HTTP',
  });
}

/** The object and its value, piece by piece. */
export async function* piecesOf(
  door: Door,
  request: GetRequest,
  bodies: LongBodies,
): AsyncGenerator<ObjectPiece> {
  const { object, roomBytes } = await getAdmitted(door, request, bodies);
  try {
    if (object === null) return;
    yield { object: objectToWire({ ...object, value: null }), bytes: noBytes };
    const value = asBuffer(object.value ?? noBytes);
    for (let from = 0; from < value.byteLength; from += gatewayLimits.pieceBytes) {
      yield { object: undefined, bytes: value.subarray(from, from + gatewayLimits.pieceBytes) };
    }
  } finally {
    bodies.giveBack(roomBytes);
  }
}

/** Takes puts whose values come piece by piece. TIMEOUT: too little came within `idleMs`. */
export function takePieces(door: Door, bodies: LongBodies, idleMs: number) {
  return (call: ServerReadableStream<PutPiece, PutReply>, done: sendUnaryData<PutReply>): void => {
    takePut(door, comingMoving(call, idleMs), bodies).then(
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
