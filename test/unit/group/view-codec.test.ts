import { describe, expect, test } from 'vitest';
import {
  type CoreView,
  decodeView,
  encodeView,
  nodesOf,
  ViewDecoder,
} from '../../../platform/group/view-codec.ts';

const view: CoreView = {
  number: 9,
  parent: 7,
  members: [
    { node: 3, seat: 1, incarnation: '00000000000000ab' },
    { node: 1, seat: 0, incarnation: 'fedcba9876543210' },
  ],
  shards: [
    {
      shard: 1,
      epoch: 5,
      persistent: true,
      closed: false,
      members: [1, 0],
      senders: [0, 1],
      membersMin: 2,
    },
    {
      shard: 2,
      epoch: 258,
      persistent: false,
      closed: true,
      members: [],
      senders: [],
      membersMin: 1,
    },
  ],
  homes: [
    { shard: 1, nodes: [3, 1, 9], leaving: [3] },
    { shard: 2, nodes: [9], leaving: [] },
  ],
  layout: null,
};

/** Written by hand from the format in native/core/view/view.h. */
const bytes = Buffer.from(
  [
    '0100 0200 0200 0000', // format, members, shards, ring
    '09000000 07000000', // number, parent
    '03000000 01000000 ab00000000000000', // node, seat, incarnation
    '01000000 00000000 1032547698badcfe',
    '01000000 05000000 01 02 02 02 01 00 00 01', // id, epoch, flags, least, counts, seats, ranks
    '02000000 02010000 02 01 00 00',
    '1e000000', // the length of what is added: 30
    '01 03 0200', // its format, nodes, shards
    '01000000 03000000 09000000',
    '01000000 03 81 00 02', // id, homes; the first leaves
    '02000000 01 02',
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
);

describe('an encoded view', () => {
  test('has the bytes that the core has', () => {
    expect(encodeView(view).toString('hex')).toBe(bytes.toString('hex'));
    expect(decodeView(bytes)).toEqual(view);
  });

  test('has the layout that the view runs under, and says how large rings are', () => {
    const options = { name: 'milk', kind: 'persistent', shards: 2, replicas: null } as const;
    const layout = {
      version: 3,
      ringSize: 131_072,
      exclusive: false,
      subgroups: [{ first: 2, options }],
    };
    const changed = encodeView({ ...view, layout });
    expect(decodeView(changed)).toEqual({ ...view, layout });
    expect(changed.readUInt16LE(6)).toBe(17);
    const extraSize = changed.length - (bytes.length - 30);
    expect(changed.readUInt32LE(bytes.length - 34)).toBe(extraSize);
    for (let length = 0; length < changed.length; length++) {
      expect(() => decodeView(changed.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'LOG_CORRUPT' }),
      );
    }
    const wrong = encodeView({ ...view, layout: { ...layout, version: 1 } });
    expect(() => decodeView(wrong)).toThrow(/The layout of a view is none/);
  });

  test('is the view again', () => {
    const empty = { number: 1, parent: 0, members: [], shards: [], homes: [], layout: null };
    expect(decodeView(encodeView(empty))).toEqual(empty);
  });

  test('that is cut off anywhere is refused', () => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = (): CoreView => decodeView(bytes.subarray(0, length));
      expect(cut, `${String(length)} bytes`).toThrow(
        expect.objectContaining({ code: 'LOG_CORRUPT' }),
      );
    }
  });

  test('with bytes behind its end is refused', () => {
    const longer = Buffer.concat([bytes, Buffer.of(0)]);
    expect(() => decodeView(longer)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
    const added = Buffer.concat([bytes, Buffer.of(7)]);
    added.writeUInt32LE(31, added.length - 35);
    expect(() => decodeView(added)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
  });

  test('of a newer format is named so', () => {
    for (const at of [0, bytes.length - 30]) {
      const newer = Buffer.from(bytes);
      newer.writeUInt8(3, at);
      expect(() => decodeView(newer)).toThrow(expect.objectContaining({ code: 'NEWER_FORMAT' }));
    }
  });

  test('with homes of members that it does not name is refused', () => {
    const strange = Buffer.from(bytes);
    strange.writeUInt8(3, bytes.length - 1);
    expect(() => decodeView(strange)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
  });
});

test('the nodes of a shard stand in rank order', () => {
  const [open, closed] = view.shards;
  expect(open && nodesOf(view, open)).toEqual([3, 1]);
  expect(closed && nodesOf(view, closed)).toEqual([]);
});

test('views that are asked for again are the same objects, the last two of them', () => {
  const decoder = new ViewDecoder();
  const others = [10, 11].map((number) => encodeView({ ...view, number }));
  const [second, third] = others as [Buffer, Buffer];
  const first = decoder.decode(bytes);
  expect(first).toEqual(view);
  expect(decoder.decode(second).number).toBe(10);
  expect(decoder.decode(Buffer.from(bytes))).toBe(first);
  expect(decoder.decode(third).number).toBe(11);
  expect(decoder.decode(Buffer.from(bytes))).toBe(first);
  expect(decoder.decode(second).number).toBe(10);
  expect(decoder.decode(third).number).toBe(11);
  expect(decoder.decode(bytes)).not.toBe(first);
});
