import { Encoder } from '@msgpack/msgpack';
import { FreshetError } from './errors.ts';
import { limits } from './limits.ts';
import { decodeMessagePack } from './message-pack.ts';
import type { Meta } from './object.ts';

const noMeta: Meta = Object.freeze({});
/** Each has memory to write to. */
const encoder = new Encoder();

/** Meta as it lies in a record: a MessagePack map of strings; null when empty. */
export function encodeMeta(meta: Meta | undefined): Uint8Array | null {
  if (meta === undefined) {
    return null;
  }
  const names = Object.keys(meta);
  if (names.length === 0) {
    return null;
  }
  if (names.length > limits.metaEntries) {
    throw tooLarge(`${String(names.length)} entries, ${String(limits.metaEntries)} are allowed`);
  }
  let units = 0;
  for (const name of names) {
    const entry: unknown = meta[name];
    if (typeof entry !== 'string') {
      throw new FreshetError('INVALID_ARGUMENT', `The meta entry ${name} is not a string`);
    }
    units += name.length + entry.length;
  }
  // Each takes a byte at least; and the encoder keeps the most memory that it ever needed.
  if (units > limits.metaBytes) {
    throw tooLarge(`over ${String(units)} bytes, ${String(limits.metaBytes)} are allowed`);
  }
  const bytes = encoder.encode(meta);
  if (bytes.byteLength > limits.metaBytes) {
    throw tooLarge(`${String(bytes.byteLength)} bytes, ${String(limits.metaBytes)} are allowed`);
  }
  return bytes;
}

/** Never throws: what is no map of strings is left out. */
export function decodeMeta(bytes: Uint8Array): Meta {
  if (!beginsMap(bytes)) {
    return noMeta;
  }
  try {
    const value = decodeMessagePack(bytes);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const entries = Object.entries(value).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      );
      return Object.fromEntries(entries);
    }
  } catch {
    // Another writer's bytes: the value is good without them.
  }
  return noMeta;
}

function beginsMap(bytes: Uint8Array): boolean {
  const head = bytes[0] ?? 0;
  return (head >= 0x80 && head < 0x90) || head === 0xde || head === 0xdf;
}

function tooLarge(has: string): FreshetError {
  return new FreshetError('META_TOO_LARGE', `The meta map has ${has}`);
}
