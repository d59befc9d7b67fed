import { FreshetError } from '../base/mod.ts';
import type { ShardHomes } from './shard-homes.ts';
import { decodeViewLayout, encodeViewLayout, type ViewLayout } from './view-layout.ts';

/** A view as the core knows it: `native/core/view/view.h`, which has the format, mirrored. */
export interface CoreView {
  readonly number: number;
  /** Number of the view that it follows. */
  readonly parent: number;
  /** In rank order. */
  readonly members: readonly CoreMember[];
  /** By ascending id. */
  readonly shards: readonly CoreShard[];
  /**
   * To whom the shards' places belong; those that are not named are held as configured. To the core
   * these, and the layout, are bytes that stay with the view.
   */
  readonly homes: readonly ShardHomes[];
  /** Null: as configured. */
  readonly layout: ViewLayout | null;
}

export interface CoreMember {
  readonly node: number;
  /** Its place in the rows of the view table, as long as it is in the view. */
  readonly seat: number;
  /** One run of its process: 16 hexadecimal digits. */
  readonly incarnation: string;
}

export interface CoreShard {
  readonly shard: number;
  readonly epoch: number;
  readonly persistent: boolean;
  /** Nobody has its history: it waits for an old member. */
  readonly closed: boolean;
  /** Seats in rank order. */
  readonly members: readonly number[];
  /** Ranks, ascending. */
  readonly senders: readonly number[];
  /** With fewer members nothing is taken, or acknowledged. */
  readonly membersMin: number;
}

const format = 1;
const shardPersistent = 1;
const shardClosed = 2;
const headSize = 16;
const memberSize = 16;
const shardSize = 12;
/**
 * The length of what stands behind the shards, then that: nothing; the homes; or, where there is a
 * layout, a head (format, three zeros, the length of the homes as u32), the homes and the layout.
 */
const extraSize = 4;
const homesFormat = 1;
const layoutFormat = 2;
const layoutHeadSize = 8;
const leavingFlag = 0x80;
/** One that is installed, and one that is on its way. */
const keptViews = 2;

/** The node ids of a shard's members, in rank order. */
export function nodesOf(
  view: Pick<CoreView, 'members'>,
  shard: Pick<CoreShard, 'members'>,
): number[] {
  return shard.members.flatMap((seat) =>
    view.members.filter((member) => member.seat === seat).map(({ node }) => node),
  );
}

export function encodeView(view: CoreView): Buffer {
  const shardBytes = view.shards.reduce(
    (sum, { members, senders }) => sum + shardSize + members.length + senders.length,
    0,
  );
  const extra = encodeExtra(view);
  const fixed = headSize + view.members.length * memberSize + extraSize;
  const out = Buffer.alloc(fixed + shardBytes + extra.length);
  out.writeUInt16LE(format, 0);
  out.writeUInt16LE(view.members.length, 2);
  out.writeUInt16LE(view.shards.length, 4);
  out.writeUInt16LE(view.layout === null ? 0 : Math.log2(view.layout.ringSize), 6);
  out.writeUInt32LE(view.number, 8);
  out.writeUInt32LE(view.parent, 12);
  let at = headSize;
  for (const { node, seat, incarnation } of view.members) {
    out.writeUInt32LE(node, at);
    out.writeUInt32LE(seat, at + 4);
    out.writeBigUInt64LE(BigInt(`0x${incarnation}`), at + 8);
    at += memberSize;
  }
  for (const { shard, epoch, persistent, closed, members, senders, membersMin } of view.shards) {
    out.writeUInt32LE(shard, at);
    out.writeUInt32LE(epoch, at + 4);
    out.writeUInt8((persistent ? shardPersistent : 0) | (closed ? shardClosed : 0), at + 8);
    out.writeUInt8(membersMin, at + 9);
    out.writeUInt8(members.length, at + 10);
    out.writeUInt8(senders.length, at + 11);
    at += shardSize;
    for (const byte of [...members, ...senders]) at = out.writeUInt8(byte, at);
  }
  at = out.writeUInt32LE(extra.length, at);
  extra.copy(out, at);
  return out;
}

/** What the choices of membership add to a view: at most `groupLimits.viewExtraBytes`. */
export function encodeExtra({ homes, layout }: Pick<CoreView, 'homes' | 'layout'>): Buffer {
  const places = encodeHomes(homes);
  if (layout === null) return places;
  const head = Buffer.alloc(layoutHeadSize);
  head.writeUInt8(layoutFormat, 0);
  head.writeUInt32LE(places.length, 4);
  return Buffer.concat([head, places, encodeViewLayout(layout)]);
}

/**
 * Format (u8), nodes (u8), shards (u16), the nodes (u32 each), then each shard as id (u32), homes
 * (u8), and for each home the place of its node, with the highest bit if it is leaving.
 */
function encodeHomes(homes: readonly ShardHomes[]): Buffer {
  if (homes.length === 0) return Buffer.alloc(0);
  const nodes = [...new Set(homes.flatMap((each) => each.nodes))].sort((a, b) => a - b);
  const places = homes.reduce((sum, each) => sum + each.nodes.length, 0);
  const out = Buffer.alloc(4 + nodes.length * 4 + homes.length * 5 + places);
  out.writeUInt8(homesFormat, 0);
  out.writeUInt8(nodes.length, 1);
  out.writeUInt16LE(homes.length, 2);
  let at = 4;
  for (const node of nodes) at = out.writeUInt32LE(node, at);
  for (const { shard, nodes: here, leaving } of homes) {
    at = out.writeUInt32LE(shard, at);
    at = out.writeUInt8(here.length, at);
    for (const node of here) {
      at = out.writeUInt8(nodes.indexOf(node) | (leaving.includes(node) ? leavingFlag : 0), at);
    }
  }
  return out;
}

/** Throws LOG_CORRUPT when the bytes are no view. What the core checks is not checked again. */
export function decodeView(bytes: Buffer): CoreView {
  try {
    return decodeWhole(bytes);
  } catch (caught) {
    if (!(caught instanceof RangeError)) throw caught;
    throw new FreshetError('LOG_CORRUPT', 'A view is cut off', { cause: caught });
  }
}

/** Keeps the last views that it decoded: the same ones are asked for again and again. */
export class ViewDecoder {
  #kept: readonly { readonly bytes: Buffer; readonly view: CoreView }[] = [];

  /** As decodeView; `bytes` are not changed afterwards. */
  decode(bytes: Buffer): CoreView {
    const found = this.#kept.find((one) => one.bytes.equals(bytes)) ?? {
      bytes,
      view: decodeView(bytes),
    };
    const others = this.#kept.filter((one) => one !== found);
    this.#kept = [found, ...others.slice(0, keptViews - 1)];
    return found.view;
  }
}

function decodeWhole(bytes: Buffer): CoreView {
  if (bytes.readUInt16LE(0) !== format) {
    throw new FreshetError('NEWER_FORMAT', `A view has format ${String(bytes.readUInt16LE(0))}`);
  }
  let at = headSize;
  const members = Array.from({ length: bytes.readUInt16LE(2) }, (): CoreMember => {
    const incarnation = bytes
      .readBigUInt64LE(at + 8)
      .toString(16)
      .padStart(16, '0');
    const member = { node: bytes.readUInt32LE(at), seat: bytes.readUInt32LE(at + 4), incarnation };
    at += memberSize;
    return member;
  });
  const shards = Array.from({ length: bytes.readUInt16LE(4) }, (): CoreShard => {
    const flags = bytes.readUInt8(at + 8);
    const membersMin = Math.max(1, bytes.readUInt8(at + 9));
    const head = { shard: bytes.readUInt32LE(at), epoch: bytes.readUInt32LE(at + 4) };
    const counts = [bytes.readUInt8(at + 10), bytes.readUInt8(at + 11)] as const;
    at += shardSize;
    const [seats, ranks] = counts.map((count) =>
      Array.from({ length: count }, () => bytes.readUInt8(at++)),
    ) as [number[], number[]];
    const persistent = (flags & shardPersistent) !== 0;
    const closed = (flags & shardClosed) !== 0;
    return { ...head, persistent, closed, members: seats, senders: ranks, membersMin };
  });
  if (at + extraSize + bytes.readUInt32LE(at) !== bytes.length) {
    throw new FreshetError('LOG_CORRUPT', 'A view has bytes behind its end');
  }
  const extra = decodeExtra(bytes.subarray(at + extraSize));
  const numbers = { number: bytes.readUInt32LE(8), parent: bytes.readUInt32LE(12) };
  return { ...numbers, members, shards, ...extra };
}

function decodeExtra(bytes: Buffer): Pick<CoreView, 'homes' | 'layout'> {
  if (bytes.length === 0 || bytes.readUInt8(0) !== layoutFormat) {
    return { homes: decodeHomes(bytes), layout: null };
  }
  const end = layoutHeadSize + bytes.readUInt32LE(4);
  if (end > bytes.length) throw new FreshetError('LOG_CORRUPT', 'The homes of a view are cut off');
  const homes = decodeHomes(bytes.subarray(layoutHeadSize, end));
  return { homes, layout: decodeViewLayout(bytes.subarray(end)) };
}

function decodeHomes(bytes: Buffer): ShardHomes[] {
  if (bytes.length === 0) return [];
  if (bytes.readUInt8(0) !== homesFormat) {
    const format = String(bytes.readUInt8(0));
    throw new FreshetError('NEWER_FORMAT', `The homes of a view have format ${format}`);
  }
  let at = 4;
  const next = (read: (at: number) => number, size: number): number => {
    const value = read(at);
    at += size;
    return value;
  };
  const byte = (): number => next((place) => bytes.readUInt8(place), 1);
  const word = (): number => next((place) => bytes.readUInt32LE(place), 4);
  const nodes = Array.from({ length: bytes.readUInt8(1) }, word);
  const homes = Array.from({ length: bytes.readUInt16LE(2) }, (): ShardHomes => {
    const shard = word();
    const places = Array.from({ length: byte() }, byte);
    const nodeAt = (place: number): number => nodes[place & ~leavingFlag] ?? 0;
    const leaving = places.filter((place) => (place & leavingFlag) !== 0).map(nodeAt);
    return { shard, nodes: places.map(nodeAt), leaving };
  });
  if (at !== bytes.length || homes.some((each) => each.nodes.includes(0))) {
    throw new FreshetError('LOG_CORRUPT', 'The homes of a view are none');
  }
  return homes;
}
