/**
 * Many changes in one native call: they are laid out side by side in memory that is used again (see
 * `NativeAddon.submitMany`).
 *
 * Thread: event loop.
 */
import { extraWidth } from '../bridge/mod.ts';
import type { ChangeWaiter, CoreChange, MemberCore } from '../group/mod.ts';

/** Of one entry, in front of key, meta and value: six u32, the token, `extra`; all float64 aligned. */
const numbersBytes = 24;
const headBytes = numbersBytes + 8 + extraWidth * 8;
/** UTF-8 bytes that one UTF-16 unit takes at most. */
const bytesPerUnit = 3;
const noExtra = [NaN, -1, -1, -1, 0, 0, 0] as const;
/** Memory kept for the next call. */
const keptBytes = 256 * 1024;

/** Who waits for a change. */
interface Entry extends ChangeWaiter {
  readonly change: CoreChange;
}

interface Room {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
}

export class PackedPuts {
  readonly #core: MemberCore;
  #kept = newRoom(0);

  constructor(core: MemberCore) {
    this.#core = core;
  }

  /**
   * Queues changes, none of which is of ack none or large enough to be borrowed. Returns how many
   * were queued; of the rest, for which there was no room, nothing is kept.
   */
  submit(all: readonly Entry[]): number {
    const core = this.#core;
    const entries = all.slice(0, core.room);
    const room = this.#roomFor(entries);
    const tokens: number[] = [];
    let queued = 0;
    try {
      let at = 0;
      for (const entry of entries) {
        const token = core.reserve(entry);
        tokens.push(token);
        at = writeEntry(room, at, entry.change, token);
      }
      queued = core.submitMany(room.bytes.subarray(0, at), entries.length);
    } finally {
      for (const token of tokens.slice(queued)) core.giveBack(token);
    }
    return queued;
  }

  #roomFor(entries: readonly Entry[]): Room {
    let size = 0;
    for (const { change } of entries) {
      const { key, meta, value } = change;
      const keyMax = key.length * bytesPerUnit;
      size += aligned(headBytes + keyMax + (meta?.byteLength ?? 0) + (value?.byteLength ?? 0));
    }
    if (size <= this.#kept.bytes.byteLength) return this.#kept;
    // The next ones may be a little larger.
    const room = newRoom(Math.max(size, Math.min(2 * size, keptBytes)));
    if (size <= keptBytes) this.#kept = room;
    return room;
  }
}

function newRoom(size: number): Room {
  const memory = new ArrayBuffer(size);
  const views = { words: new Uint32Array(memory), doubles: new Float64Array(memory) };
  return { bytes: Buffer.from(memory), ...views };
}

/** Where the next one begins. */
function writeEntry(
  { bytes, words, doubles }: Room,
  at: number,
  change: CoreChange,
  token: number,
): number {
  const { meta, value, extra } = change;
  let next = at + headBytes;
  const keyLength = bytes.write(change.key, next, 'utf8');
  next += keyLength;
  if (meta !== null) bytes.set(meta, next);
  next += meta?.byteLength ?? 0;
  if (value !== null) bytes.set(value, next);
  next += value?.byteLength ?? 0;
  const word = at / 4;
  words[word] = change.shard;
  words[word + 1] = change.kind | (change.ack << 4);
  words[word + 2] = change.pool;
  words[word + 3] = keyLength;
  words[word + 4] = meta?.byteLength ?? 0;
  words[word + 5] = value?.byteLength ?? 0;
  const double = (at + numbersBytes) / 8;
  doubles[double] = token;
  for (let column = 0; column < extraWidth; column++) {
    doubles[double + 1 + column] = extra?.[column] ?? (noExtra[column] as number);
  }
  return aligned(next);
}

function aligned(size: number): number {
  return Math.ceil(size / 8) * 8;
}
