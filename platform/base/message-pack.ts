/**
 * MessagePack that somebody else wrote. The decoder makes room for an array by the length that its
 * head tells, before there is an item of it: five bytes could take a gigabyte, and many could be
 * nested in each other.
 */
import { decode } from '@msgpack/msgpack';

/** Deeper than real values are; each level takes memory of its own while it is decoded. */
const depthMax = 1000;

/**
 * One value (msgpack.org specification). Takes memory in proportion to the bytes. Throws an Error
 * that says what is wrong: more is promised than there are bytes, or it is nested too deeply.
 */
export function decodeMessagePack(bytes: Uint8Array): unknown {
  checkPromises(bytes);
  return decode(bytes);
}

/** What stands at a place: its bytes, and the items that follow as a part of it. */
interface Head {
  readonly size: number;
  readonly items: number;
}

/** Every item takes a byte at least, so no more may be due than bytes are left. */
function checkPromises(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Items due at each level. */
  const due = [1];
  let dueInAll = 1;
  for (let at = 0; due.length > 0;) {
    const here = due.pop() as number;
    if (here === 0) continue;
    const left = bytes.byteLength - at;
    if (dueInAll > left) {
      throw new RangeError(`${String(dueInAll)} items are due in ${String(left)} bytes`);
    }
    const { size, items } = headAt(view, at);
    at += size;
    dueInAll += items - 1;
    due.push(here - 1);
    if (items > 0) due.push(items);
    if (due.length > depthMax) {
      throw new RangeError(`It is nested over ${String(depthMax)} levels deep`);
    }
  }
}

/** Bytes of all heads from 0xc0 on whose length is fixed; 0: the length follows. */
const fixedSizes = [
  ...[1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9],
  ...[2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0],
] as const;

function headAt(view: DataView, at: number): Head {
  const head = view.getUint8(at);
  if (head < 0x80 || head >= 0xe0) return { size: 1, items: 0 };
  if (head < 0x90) return { size: 1, items: 2 * (head & 0x0f) };
  if (head < 0xa0) return { size: 1, items: head & 0x0f };
  if (head < 0xc0) return { size: 1 + (head & 0x1f), items: 0 };
  const fixed = fixedSizes[head - 0xc0] ?? 0;
  return fixed > 0 ? { size: fixed, items: 0 } : longHeadAt(view, at, head);
}

/** Those that are followed by a length: of 8, 16 or 32 bits. */
function longHeadAt(view: DataView, at: number, head: number): Head {
  const of = (width: 1 | 2 | 4): number => {
    if (width === 1) return view.getUint8(at + 1);
    return width === 2 ? view.getUint16(at + 1) : view.getUint32(at + 1);
  };
  const run = (width: 1 | 2 | 4, extra: number): Head => {
    return { size: 1 + width + extra + of(width), items: 0 };
  };
  switch (head) {
    case 0xc4: // binary
      return run(1, 0);
    case 0xc5:
      return run(2, 0);
    case 0xc6:
      return run(4, 0);
    case 0xc7: // an extension, with a byte for its type
      return run(1, 1);
    case 0xc8:
      return run(2, 1);
    case 0xc9:
      return run(4, 1);
    case 0xd9: // text
      return run(1, 0);
    case 0xda:
      return run(2, 0);
    case 0xdb:
      return run(4, 0);
    case 0xdc: // an array
      return { size: 3, items: of(2) };
    case 0xdd:
      return { size: 5, items: of(4) };
    case 0xde: // a map
      return { size: 3, items: 2 * of(2) };
    default:
      return { size: 5, items: 2 * of(4) };
  }
}
