import { expect, test } from 'vitest';
import { type FrameHandler, FrameReader } from '../../../../platform/client/native/frame-reader.ts';

interface Fields {
  readonly size: number;
  readonly type: number;
  readonly flags?: number;
  readonly key?: string;
  /** At these offsets. */
  readonly f64?: Readonly<Record<number, number>>;
  readonly u32?: Readonly<Record<number, number>>;
  readonly u16?: Readonly<Record<number, number>>;
  readonly rest?: readonly (Uint8Array | string)[];
}

function frame({ size, type, flags = 0, key = '', f64, u32, u16, rest = [] }: Fields): Buffer {
  const fixed = Buffer.alloc(size);
  const tail = [key, ...rest].map((part) => Buffer.from(part));
  const bytes = Buffer.concat([fixed, ...tail]);
  bytes.writeUInt32LE(bytes.length - 4, 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt8(flags, 5);
  bytes.writeUInt16LE(Buffer.byteLength(key), 6);
  for (const [at, value] of Object.entries(f64 ?? {})) bytes.writeDoubleLE(value, Number(at));
  for (const [at, value] of Object.entries(u32 ?? {})) bytes.writeUInt32LE(value, Number(at));
  for (const [at, value] of Object.entries(u16 ?? {})) bytes.writeUInt16LE(value, Number(at));
  return bytes;
}

const meta = Buffer.from([0x81, 0xa1, 0x61, 0xa1, 0x62]);
const value = Buffer.alloc(5000, 'value');
const numbers = { 16: 41, 24: 3, 32: 1e15, 40: NaN, 48: 40 };

const frames = [
  frame({ size: 72, type: 2, rest: [] }),
  frame({ size: 24, type: 4, f64: { 8: 6 }, u32: { 16: 1000, 20: 2 ** 20 } }),
  frame({ size: 8, type: 5, flags: 23 }),
  frame({ size: 48, type: 32, flags: 3, f64: { 8: 17, 16: 2, 24: 9, 32: 5, 40: 8 } }),
  frame({
    size: 64,
    type: 33,
    flags: 2,
    f64: { 8: 18, ...numbers },
    u32: { 56: value.length },
    u16: { 60: meta.length },
    rest: [meta, value],
  }),
  frame({ size: 64, type: 33, flags: 1, f64: { 8: 19, ...numbers }, u32: { 56: 77 } }),
  frame({
    size: 64,
    type: 34,
    flags: 1,
    key: '/barn/é',
    f64: { 8: 20, ...numbers },
    u32: { 56: 4 },
    u16: { 60: meta.length },
    rest: [meta, 'milk'],
  }),
  frame({ size: 64, type: 34, flags: 1, f64: { 8: 20, 16: 50 } }),
  frame({ size: 24, type: 35, f64: { 8: 20, 16: 42 } }),
  frame({ size: 16, type: 36, flags: 5, f64: { 8: 20 } }),
  frame({ size: 16, type: 37, f64: { 8: 7 } }),
];

const object = { version: 41, epoch: 3, time: 1e15, eventTime: NaN, previousVersionOfKey: 40 };
const whole = { ...object, size: value.length, meta: [...meta] };
const expected = [
  ['challenge', 32, 32],
  ['welcome', 6, 1000, 2 ** 20],
  ['refused', 23],
  ['done', 17, 3, 2, 9, 5, 8],
  ['object', 18, whole, false, value.toString()],
  ['object', 19, { ...object, size: 77, meta: null }, true, null],
  ['event', 20, 1, '/barn/é', { ...object, size: 4, meta: [...meta] }, 'milk'],
  [
    'event',
    20,
    1,
    '',
    {
      ...object,
      version: 50,
      epoch: 0,
      time: 0,
      eventTime: 0,
      previousVersionOfKey: 0,
      size: 0,
      meta: null,
    },
    '',
  ],
  ['watching', 20, 42],
  ['ended', 20, 5],
  ['view', 7],
];

class Told implements FrameHandler {
  readonly all: unknown[][] = [];

  onChallenge(nonce: Uint8Array, proof: Uint8Array): void {
    this.all.push(['challenge', nonce.length, proof.length]);
  }
  onWelcome(...given: number[]): void {
    this.all.push(['welcome', ...given]);
  }
  onRefused(status: number): void {
    this.all.push(['refused', status]);
  }
  onDone(...given: number[]): void {
    this.all.push(['done', ...given]);
  }
  onObject(...[number, read, removed, bytes]: Parameters<FrameHandler['onObject']>): void {
    const shown = { ...read, meta: read.meta === null ? null : [...read.meta] };
    this.all.push(['object', number, shown, removed, bytes === null ? null : String(bytes)]);
  }
  onEvent(...[number, kind, key, read, bytes]: Parameters<FrameHandler['onEvent']>): void {
    const shown = { ...read, meta: read.meta === null ? null : [...read.meta] };
    this.all.push(['event', number, kind, key, shown, String(bytes)]);
  }
  onWatching(...given: number[]): void {
    this.all.push(['watching', ...given]);
  }
  onEnded(...given: number[]): void {
    this.all.push(['ended', ...given]);
  }
  onView(view: number): void {
    this.all.push(['view', view]);
  }
}

/** As a socket does: every chunk in the same memory, which is written over by the next. */
function read(bytes: Buffer, cuts: readonly number[]): unknown[][] {
  const told = new Told();
  const reader = new FrameReader(told);
  const memory = Buffer.alloc(bytes.length);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const size = bytes.copy(memory, 0, from, to);
    reader.push(memory.subarray(0, size));
    memory.fill(0xee);
    from = to;
  }
  return told.all;
}

const stream = Buffer.concat(frames);

test('whole, and cut at every byte', () => {
  expect(read(stream, [])).toEqual(expected);
  for (let at = 1; at < stream.length; at++) {
    const told = read(stream, [at]);
    if (told.length !== expected.length) expect([at, told]).toEqual([at, expected]);
  }
  for (let at = 1; at < 700; at++) expect(read(stream, [at])).toEqual(expected);
});

test('byte by byte, and in chunks of every small size', () => {
  for (let size = 1; size < 100; size++) {
    const cuts = Array.from({ length: Math.floor(stream.length / size) }, (_, nth) => nth * size);
    expect(read(stream, cuts.slice(1))).toEqual(expected);
  }
});

/** Keeps values and does nothing else. */
class Kept extends Told {
  readonly values: (Uint8Array | null)[] = [];

  override onObject(...[, , , bytes]: Parameters<FrameHandler['onObject']>): void {
    this.values.push(bytes);
  }
}

test('values are their own, of whatever size, whatever comes after them', () => {
  const sizes = Array.from({ length: 900 }, (_, nth) => (nth % 30 === 0 ? nth * 10 : nth % 170));
  const values = sizes.map((size, nth) => Buffer.alloc(size, nth % 251));
  const objects = values.map((bytes) =>
    frame({ size: 64, type: 33, flags: 2, u32: { 56: bytes.length }, rest: [bytes] }),
  );
  const bytes = Buffer.concat(objects);
  for (const chunk of [512, 10_000, 65_536, bytes.length]) {
    const kept = new Kept();
    const reader = new FrameReader(kept);
    const memory = Buffer.alloc(chunk);
    for (let at = 0; at < bytes.length; at += chunk) {
      reader.push(memory.subarray(0, bytes.copy(memory, 0, at, at + chunk)));
      memory.fill(0xee);
    }
    expect(kept.values.length).toBe(values.length);
    const wrong = values.findIndex((one, nth) => !one.equals(kept.values[nth] ?? Buffer.of(1)));
    expect([chunk, wrong]).toEqual([chunk, -1]);
  }
});

test('what is no such frame is refused', () => {
  const wrong = [
    frame({ size: 40, type: 32 }),
    frame({ size: 49, type: 32 }),
    frame({ size: 16, type: 99 }),
    frame({ size: 64, type: 33, flags: 2, u32: { 56: 5 }, rest: ['four'] }),
    frame({ size: 64, type: 34, u16: { 60: 9 } }),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 32, 0, 0, 0]),
    Buffer.from([3, 0, 0, 0, 5, 0, 0, 0]),
  ];
  for (const bytes of wrong) {
    for (const cuts of [[], [4], [8]]) {
      expect(() => read(bytes, cuts)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
  }
});
