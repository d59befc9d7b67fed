import type { ErrorCode } from './error-codes.ts';
import { FreshetError } from './errors.ts';
import { limits } from './limits.ts';

/**
 * Keys are absolute paths: `/pool/part/name`. They are compared byte by byte, never normalized, so
 * what could be read as another path by a proxy or a file system is refused instead of cleaned.
 */

/** Why a key is refused. `offset` counts UTF-16 units from the start of the text. */
export interface KeyProblem {
  readonly code: Extract<ErrorCode, 'INVALID_KEY' | 'KEY_TOO_LONG'>;
  /** What is wrong, to follow "The key …". */
  readonly reason: string;
  readonly offset: number;
}

/** The first problem of a key, or null when it is good. Never throws. */
export function findKeyProblem(key: string, maxBytes: number = limits.keyBytes): KeyProblem | null {
  if (isPlain(key, maxBytes)) return null;
  if (key.length === 0) {
    return invalid('is empty', 0);
  }
  if (key.charCodeAt(0) !== slash) {
    return invalid("does not start with '/'", 0);
  }
  // A UTF-16 unit is at least one byte: this bounds the scan below.
  if (key.length > maxBytes) {
    return tooLong(key.length, maxBytes);
  }
  return findCharacterProblem(key, maxBytes) ?? findSegmentProblem(key);
}

/** Returns the key, or throws INVALID_KEY or KEY_TOO_LONG with the place. */
export function checkKey(key: string): string {
  const problem = findKeyProblem(key);
  if (problem !== null) {
    throw keyError('key', key, problem);
  }
  return key;
}

/** Returns the pool name, which is the prefix of all keys of the pool, or throws as `checkKey`. */
export function checkPoolName(name: string): string {
  const problem = findKeyProblem(name, limits.poolNameBytes);
  if (problem !== null) {
    throw keyError('pool name', name, problem);
  }
  return name;
}

/** `joinKey('/dairy/daily_yield', 'cow_128')` is `/dairy/daily_yield/cow_128`, checked. */
export function joinKey(pool: string, name: string): string {
  return checkKey(`${pool}/${name}`);
}

/** Decodes the bytes of a key as they come through a door, strictly, and checks the key. */
export function decodeKey(bytes: Uint8Array): string {
  if (bytes.byteLength > limits.keyBytes) {
    const problem = tooLong(bytes.byteLength, limits.keyBytes);
    throw keyError('key', lossy.decode(bytes.subarray(0, shownUnits)), problem);
  }
  let text: string;
  try {
    text = strict.decode(bytes);
  } catch {
    const shown = lossy.decode(bytes);
    throw keyError('key', shown, invalid('is not UTF-8', Math.max(0, shown.indexOf('\ufffd'))));
  }
  return checkKey(text);
}

const slash = 0x2f;
const dot = 0x2e;
const percent = 0x25;
/** A key of so few units has no more segments than it may. */
const plainUnits = 2 * limits.keySegments;
const shownUnits = 80;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

/** Most keys are good at a glance: short, printable ASCII, no segment that begins with a dot. */
function isPlain(key: string, maxBytes: number): boolean {
  if (key.length > Math.min(plainUnits, maxBytes) || key.charCodeAt(0) !== slash) return false;
  let before = slash;
  for (let i = 1; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit <= 0x20 || unit >= 0x7f || unit === percent) return false;
    if (before === slash && (unit === slash || unit === dot)) return false;
    before = unit;
  }
  return before !== slash;
}

function findCharacterProblem(key: string, maxBytes: number): KeyProblem | null {
  let bytes = 0;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) {
      return invalid(unit === 0 ? 'holds NUL' : `holds control character ${hex(unit)}`, i);
    }
    if (unit < 0x80) {
      bytes += 1;
    } else if (unit < 0x800) {
      bytes += 2;
    } else if (unit < 0xd800 || unit > 0xdfff) {
      bytes += 3;
    } else if (unit < 0xdc00 && isLowSurrogate(key.charCodeAt(i + 1))) {
      bytes += 4;
      i++;
    } else {
      return invalid(`holds half a surrogate pair ${hex(unit)}, which has no UTF-8 form`, i);
    }
  }
  return bytes > maxBytes ? tooLong(bytes, maxBytes) : null;
}

function findSegmentProblem(key: string): KeyProblem | null {
  let count = 0;
  for (let start = 1; start <= key.length; count++) {
    const found = key.indexOf('/', start);
    const end = found === -1 ? key.length : found;
    if (count === limits.keySegments) {
      return invalid(`has more than ${String(limits.keySegments)} segments`, start);
    }
    if (end === start) {
      return invalid(end === key.length ? "ends in '/'" : 'has an empty segment', start);
    }
    const segment = key.slice(start, end);
    if (climbs(segment)) {
      return invalid(`has the segment ${JSON.stringify(segment)}`, start);
    }
    start = end + 1;
  }
  return null;
}

/** Whether a segment is, or could be decoded to, one that stands for this or the parent folder. */
function climbs(segment: string): boolean {
  if (!/^\.|%/.test(segment)) {
    return false;
  }
  // A proxy may decode more than once: `%252e` is `%2e` is `.`.
  let text = segment;
  for (let before = ''; before !== text;) {
    before = text;
    text = text
      .replace(/%25/g, '%')
      .replace(/%2e/gi, '.')
      .replace(/%2f|%5c/gi, '/');
  }
  return text.split('/').some((part) => part === '.' || part === '..');
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function invalid(reason: string, offset: number): KeyProblem {
  return { code: 'INVALID_KEY', reason, offset };
}

function tooLong(bytes: number, maxBytes: number): KeyProblem {
  const reason = `has at least ${String(bytes)} bytes of UTF-8, ${String(maxBytes)} are allowed`;
  return { code: 'KEY_TOO_LONG', reason, offset: maxBytes };
}

function keyError(what: string, key: string, problem: KeyProblem): FreshetError {
  const shown = key.length > shownUnits ? `${key.slice(0, shownUnits)}…` : key;
  const message = `The ${what} ${JSON.stringify(shown)} ${problem.reason} (at ${String(problem.offset)})`;
  return new FreshetError(problem.code, message, {
    details: { key: shown, reason: problem.reason, offset: problem.offset },
  });
}

function hex(unit: number): string {
  return `U+${unit.toString(16).toUpperCase().padStart(4, '0')}`;
}
