/**
 * Calls and what became of them as bytes (MessagePack). Records of calls lie in the log of the
 * shard and are read by later versions of this code: the first element is the format.
 */
import { decode, encode } from '@msgpack/msgpack';
import { type ErrorObject, FreshetError } from '../base/mod.ts';

/** One call of one caller. */
export interface CallId {
  /** Node id of the member that called. */
  readonly node: number;
  /** Its process, anew with every start. */
  readonly run: string;
  /** From 1. */
  readonly request: number;
}

export interface CallRecord {
  readonly id: CallId;
  /** Requests of this caller below it are answered: nobody asks for their outcome any more. */
  readonly lowestUnanswered: number;
  /** Calls that were applied at a copy when this one was first sent. */
  readonly asOf: number;
  readonly method: string;
  readonly args: Uint8Array;
}

/** What a call came to, alike at every member. */
export interface Outcome {
  readonly error: ErrorObject | null;
  /** MessagePack; empty with an error. */
  readonly value: Uint8Array;
}

const format = 1;

export function encodeCall({ id, lowestUnanswered, asOf, method, args }: CallRecord): Uint8Array {
  const { node, run, request } = id;
  return encode([format, node, run, request, lowestUnanswered, asOf, method, args]);
}

/** Throws NEWER_FORMAT, LOG_CORRUPT. */
export function decodeCall(bytes: Uint8Array): CallRecord {
  const [node, run, request, lowestUnanswered, asOf, method, args] = decodeRecord(bytes, 'call');
  return {
    id: { node: node as number, run: run as string, request: request as number },
    lowestUnanswered: lowestUnanswered as number,
    asOf: asOf as number,
    method: method as string,
    args: args as Uint8Array,
  };
}

/** The elements behind the format. */
export function decodeRecord(bytes: Uint8Array, what: string): readonly unknown[] {
  const record = decode(bytes);
  if (!Array.isArray(record)) {
    throw new FreshetError('LOG_CORRUPT', `A ${what} of a replicated object is no record`);
  }
  if (record[0] !== format) {
    throw new FreshetError('NEWER_FORMAT', `A ${what} has format ${String(record[0])}`);
  }
  return record.slice(1) as unknown[];
}

export function encodeRecord(...elements: readonly unknown[]): Uint8Array {
  return encode([format, ...elements]);
}

/** INVALID_ARGUMENT: something that MessagePack does not carry, such as a function. */
export function encodeValue(value: unknown, what: string): Uint8Array {
  try {
    return encode(value, { ignoreUndefined: true });
  } catch (cause) {
    throw new FreshetError('INVALID_ARGUMENT', `${what} cannot be sent`, {
      mend: 'Use numbers, texts, bytes, arrays and plain objects',
      cause,
    });
  }
}

/** What MessagePack has no word for, undefined, comes back as null within objects and arrays. */
export function decodeValue(bytes: Uint8Array): unknown {
  return bytes.byteLength === 0 ? undefined : decode(bytes);
}
