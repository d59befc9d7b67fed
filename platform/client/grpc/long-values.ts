/**
 * Values over `limits.valueBytesWhole`, which travel in pieces: `PutLong` and `GetLong`.
 */
import { once } from 'node:events';
import type { ClientWritableStream } from '@grpc/grpc-js';
import { FreshetError, limits, type ObjectRecord, type PutRequest } from '../../base/mod.ts';
import type { ObjectPiece, PutPiece, WirePutRequest } from '../../wire/mod.ts';
import { objectFromWire } from './convert.ts';

/** As `PutLong` says: of a piece on a slow line nothing is seen until all of it is there. */
const pieceBytes = 64 * 1024;
const noBytes = Buffer.alloc(0);

/** Throws VALUE_TOO_LARGE: no pool takes it. */
export function isLongPut({ key, value }: PutRequest): boolean {
  if (value.byteLength > limits.valueBytesMax) {
    const most = String(limits.valueBytesMax);
    const text = `${key} has ${String(value.byteLength)} bytes; no pool takes over ${most}`;
    throw new FreshetError('VALUE_TOO_LARGE', text);
  }
  return value.byteLength > limits.valueBytesWhole;
}

/** Writes all pieces as fast as the other side takes them; what fails the call's answer tells. */
export function sendPieces(
  call: ClientWritableStream<PutPiece>,
  { value, ...put }: WirePutRequest,
): ClientWritableStream<PutPiece> {
  const send = async (): Promise<void> => {
    call.write({ put: { ...put, value: noBytes }, size: value.byteLength, bytes: noBytes });
    for (let from = 0; from < value.byteLength; from += pieceBytes) {
      const bytes = value.subarray(from, from + pieceBytes);
      if (!call.write({ put: undefined, size: 0, bytes })) await once(call, 'drain');
    }
    call.end();
  };
  send().catch(() => undefined);
  return call;
}

/** null: there is no such object. A value over `maxBytes` is left out. */
export async function collectPieces(
  pieces: AsyncIterable<ObjectPiece>,
  maxBytes = Infinity,
): Promise<ObjectRecord | null> {
  let head: ObjectRecord | null = null;
  let isLeftOut = false;
  let value = noBytes;
  let filled = 0;
  for await (const { object, bytes } of pieces) {
    if (object !== undefined) {
      head = objectFromWire(object);
      isLeftOut = head.removed || head.size > maxBytes;
      value = Buffer.allocUnsafeSlow(isLeftOut ? 0 : head.size);
    }
    value.set(bytes, filled);
    filled += bytes.byteLength;
  }
  if (head === null || isLeftOut) return head;
  if (filled === value.byteLength) return { ...head, value };
  throw new FreshetError('UNREACHABLE', `The value of ${head.key} did not come whole`);
}
