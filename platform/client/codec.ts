import { encode as encodeMessagePack } from '@msgpack/msgpack';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { decodeMessagePack, FreshetError, SchemaCheck, type SchemaKind } from '../base/mod.ts';

/** How values of one kind become bytes and back. */
export interface Codec<T> {
  readonly kind: SchemaKind | 'image';
  /** What `meta['content-type']` says unless the writer says otherwise. */
  readonly contentType: string;
  /** JSON Schema of the value where it is known; edges of a pipeline are compared by it. */
  readonly schema: TSchema | null;
  encode(value: T): Uint8Array;
  /** Throws INVALID_VALUE naming what does not fit. */
  decode(bytes: Uint8Array): T;
}

interface ValueCheck {
  readonly schema: TSchema;
  readonly values: SchemaCheck<TSchema>;
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

/** JSON values; with a schema they are checked both ways. */
export function json<S extends TSchema>(schema: S): Codec<NoInfer<Static<S>>>;
export function json<T = unknown>(): Codec<T>;
export function json(schema?: TSchema): Codec<unknown> {
  const check = schema === undefined ? null : { schema, values: new SchemaCheck(schema) };
  return {
    kind: 'json',
    contentType: 'application/json',
    schema: schema ?? null,
    encode: (value) => {
      checkAgainst(check, value, 'to be written');
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) {
        throw new FreshetError('INVALID_VALUE', 'A JSON value may not be undefined');
      }
      return utf8Encoder.encode(text);
    },
    decode: (bytes) => checkAgainst(check, parseJson(bytes), 'read'),
  };
}

/** MessagePack values (msgpack.org specification). */
export function msgpack<T = unknown>(): Codec<T> {
  return {
    kind: 'msgpack',
    contentType: 'application/msgpack',
    schema: null,
    encode: (value) => encodeMessagePack(value),
    decode: (bytes) => {
      try {
        return decodeMessagePack(bytes) as T;
      } catch (cause) {
        throw new FreshetError('INVALID_VALUE', 'The value is not MessagePack', { cause });
      }
    },
  };
}

/** Bytes as they are. */
export function raw(): Codec<Uint8Array> {
  return bytesCodec('raw', 'application/octet-stream');
}

/** An encoded picture (JPEG by default); decoding it is the lambda's work. */
export function image(contentType = 'image/jpeg'): Codec<Uint8Array> {
  return bytesCodec('image', contentType);
}

/** The codec of a pool by the kind that its catalog entry names. */
export function codecOfKind(kind: SchemaKind): Codec<unknown> {
  if (kind === 'json') return json();
  return kind === 'msgpack' ? msgpack() : raw();
}

function bytesCodec(kind: 'raw' | 'image', contentType: string): Codec<Uint8Array> {
  return {
    kind,
    contentType,
    schema: null,
    encode: (value) => {
      if (!(value instanceof Uint8Array)) {
        throw new FreshetError('INVALID_VALUE', `A ${kind} value is a Uint8Array`);
      }
      return value;
    },
    decode: (bytes) => bytes,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Decoder.decode(bytes)) as unknown;
  } catch (cause) {
    throw new FreshetError('INVALID_VALUE', 'The value is not JSON', { cause });
  }
}

function checkAgainst(check: ValueCheck | null, value: unknown, when: string): unknown {
  if (check === null || check.values.accepts(value)) return value;
  const first = Value.Errors(check.schema, value)[0];
  const where =
    first?.instancePath === undefined || first.instancePath === '' ? '/' : first.instancePath;
  throw new FreshetError(
    'INVALID_VALUE',
    `The value ${when} does not fit its schema at ${where}: ${first?.message ?? 'unknown'}`,
  );
}
