import { describe, expect, test } from 'vitest';
import type { ObjectChange } from '../../../../platform/base/mod.ts';
import { readDoorTrigger } from '../../../../platform/bridge/mod.ts';
import { FrameWriter } from '../../../../platform/client/native/door-frames.ts';

/** What was written, as one piece. */
function written(write: (out: FrameWriter) => void): Buffer {
  const out = new FrameWriter();
  write(out);
  return Buffer.concat(out.take());
}

/** Little endian, as the wire format names its fields. */
class Layout {
  readonly #parts: Buffer[] = [];

  u8(...values: number[]): this {
    this.#parts.push(Buffer.from(values));
    return this;
  }

  u16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeUInt16LE(value);
    this.#parts.push(part);
    return this;
  }

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    this.#parts.push(part);
    return this;
  }

  f64(...values: number[]): this {
    for (const value of values) {
      const part = Buffer.alloc(8);
      part.writeDoubleLE(value);
      this.#parts.push(part);
    }
    return this;
  }

  raw(bytes: Uint8Array | string): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

const plain: ObjectChange = {
  kind: 'put',
  pool: 7,
  key: '/barn/é',
  value: Buffer.from('milk'),
  meta: null,
  ack: 'delivered',
  expect: null,
  eventTime: null,
  session: { session: 2 ** 52 + 1, request: 12, lowestUnanswered: 9 },
};

describe('byte for byte', () => {
  test('a trigger, with and without what it may have', () => {
    const value = Buffer.from('ring');
    const bare = { pool: 7, key: '/bell', value, meta: null, eventTime: null };
    expect(written((out) => out.trigger(5, bare))).toEqual(
      new Layout()
        .u32(45)
        .u8(21, 0)
        .u16(5)
        .f64(5, NaN)
        .u32(7)
        .u32(4)
        .u16(0)
        .u8(0, 0, 0, 0, 0, 0)
        .raw('/bell')
        .raw(value).bytes,
    );
    const meta = Buffer.from('who');
    const full = written((out) => out.trigger(6, { ...bare, meta, eventTime: -3 }));
    expect(readDoorTrigger(full)).toEqual({ key: '/bell', value, meta, eventTime: -3 });
  });

  test('hello and proof', () => {
    const [cluster, nonce, ticket] = [16, 32, 64].map((size, nth) => Buffer.alloc(size, nth + 1));
    expect(written((out) => out.hello(3, cluster!, nonce!, ticket!))).toEqual(
      new Layout()
        .u32(132)
        .u8(1, 0)
        .u16(0)
        .raw('freshetd')
        .u32(1)
        .u32(3)
        .raw(cluster!)
        .raw(nonce!)
        .raw(ticket!).bytes,
    );
    const proof = Buffer.alloc(32, 9);
    expect(written((out) => out.proof(proof))).toEqual(
      new Layout().u32(36).u8(3, 0).u16(0).raw(proof).bytes,
    );
  });

  test('a session, and a change without and with what it expects', () => {
    expect(written((out) => out.session(2 ** 52 + 1))).toEqual(
      new Layout()
        .u32(12)
        .u8(15, 0)
        .u16(0)
        .f64(2 ** 52 + 1).bytes,
    );
    const key = Buffer.from(plain.key);
    expect(written((out) => out.change(5, 4, plain))).toEqual(
      new Layout()
        .u32(44 + key.length + 4)
        .u8(16, 1 | (1 << 4))
        .u16(key.length)
        .f64(5)
        .u32(4)
        .u32(7)
        .u32(4)
        .u16(0)
        .u16(0)
        .f64(12, 9)
        .raw(key)
        .raw('milk').bytes,
    );
    const meta = Buffer.from([0x81, 0xa1, 0x61, 0xa1, 0x62]);
    const full: ObjectChange = {
      ...plain,
      kind: 'remove',
      value: null,
      meta,
      ack: 'persisted',
      expect: { versionOfKey: 0 },
      session: null,
    };
    expect(written((out) => out.change(6, 4, full))).toEqual(
      new Layout()
        .u32(76 + key.length + meta.length)
        .u8(16, 2 | (2 << 4))
        .u16(key.length)
        .f64(6)
        .u32(4)
        .u32(7)
        .u32(0)
        .u16(meta.length)
        .u16(1)
        .f64(0, 0)
        .f64(NaN, -1, 0, -1)
        .raw(key)
        .raw(meta).bytes,
    );
  });

  test('get, watch, unwatch, credit', () => {
    const get = { level: 2, shard: 4, key: '/barn/a', point: 1, at: 77, wantValue: true };
    expect(written((out) => out.get(8, get))).toEqual(
      new Layout()
        .u32(28 + 7)
        .u8(17, 2)
        .u16(7)
        .f64(8)
        .u32(4)
        .u8(1, 1)
        .u16(0)
        .f64(77)
        .raw('/barn/a').bytes,
    );
    const watch = { shard: 4, prefix: '/barn/', frontier: 1, from: NaN, epoch: 0, credit: 128 };
    expect(written((out) => out.watch(9, watch))).toEqual(
      new Layout()
        .u32(44 + 6)
        .u8(18, 1)
        .u16(6)
        .f64(9)
        .u32(4)
        .u32(0)
        .f64(NaN, 0, 128)
        .raw('/barn/').bytes,
    );
    expect(written((out) => out.unwatch(9))).toEqual(
      new Layout().u32(12).u8(19, 0).u16(0).f64(9).bytes,
    );
    expect(written((out) => out.credit(9, 300))).toEqual(
      new Layout().u32(20).u8(20, 0).u16(0).f64(9, 300).bytes,
    );
  });

  test('keys that are long, or not of ASCII, and values of every size', () => {
    for (const key of ['/p/é', `/p/${'x'.repeat(900)}`, `/p/${'\u{1f404}'.repeat(60)}`]) {
      for (const size of [0, 1, 70_000, 65_535, 65_536, 300_000, 8 * 1024 * 1024]) {
        const value = Buffer.alloc(size, 'v');
        const frame = written((out) => out.change(1, 1, { ...plain, key, value }));
        expect(frame.readUInt32LE(0) + 4).toBe(frame.length);
        expect(frame.readUInt16LE(6)).toBe(Buffer.byteLength(key));
        const keyEnd = 48 + Buffer.byteLength(key);
        expect(frame.toString('utf8', 48, keyEnd)).toBe(key);
        expect(frame.subarray(keyEnd).equals(value)).toBe(true);
      }
    }
  });
});

test('chunks are used again, and never while somebody reads them', () => {
  const out = new FrameWriter();
  const value = Buffer.alloc(30_000, 'a');
  const change = (number: number): void => {
    out.change(number, 1, { ...plain, value });
  };
  const lent: { parts: Buffer[]; copy: Buffer }[] = [];
  for (let number = 1; number <= 400; number++) {
    change(number);
    if (number % 3 === 0) {
      const parts = out.take();
      lent.push({ parts, copy: Buffer.concat(parts) });
    }
    if (number % 7 === 0) {
      const one = lent.shift();
      if (one === undefined) continue;
      expect(Buffer.concat(one.parts).equals(one.copy)).toBe(true);
      out.giveBack(one.parts);
    }
  }
  for (const { parts, copy } of lent) {
    expect(Buffer.concat(parts).equals(copy)).toBe(true);
    out.giveBack(parts);
  }
  change(401);
  const [again] = out.take();
  expect(lent.some(({ parts }) => parts.some(({ buffer }) => buffer === again?.buffer))).toBe(true);
});
