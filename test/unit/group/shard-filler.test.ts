import { describe, expect, test } from 'vitest';
import type { MemberCore } from '../../../platform/group/member-core.ts';
import { positionCall } from '../../../platform/group/observer-feed.ts';
import type { CallHandler, PeerMessages } from '../../../platform/group/peer-messages.ts';
import { ShardFiller } from '../../../platform/group/shard-filler.ts';

/** A record that is only its head: place and what tells two of one place apart. */
interface Mark {
  readonly epoch: number;
  readonly sequence: number;
  readonly crc: number;
}

function encode({ epoch, sequence, crc }: Mark): Buffer {
  const record = Buffer.alloc(64);
  record.writeUInt32LE(crc, 0);
  record.writeUInt32LE(64, 8);
  record.writeUInt8(1, 12);
  record.writeUInt32LE(epoch, 24);
  record.writeBigInt64LE(BigInt(sequence), 32);
  return record;
}

/** The log calls of a member's native side over a list of records. */
class ListLog {
  records: Mark[];
  cuts = 0;
  largestChunk = 0;

  readonly #persistent: boolean;

  constructor(records: readonly Mark[], persistent = true) {
    this.records = [...records];
    this.#persistent = persistent;
  }

  readLog(_shard: number, epoch: number, sequence: number, maxBytes: number): Promise<Buffer> {
    const after = this.records.filter((mark) => isAfter(mark, epoch, sequence));
    const chunk = Buffer.concat(after.slice(0, Math.floor(maxBytes / 64)).map(encode));
    this.largestChunk = Math.max(this.largestChunk, chunk.byteLength);
    return Promise.resolve(chunk);
  }

  appendLog(_shard: number, bytes: Uint8Array): Promise<null> {
    const buffer = Buffer.from(bytes);
    for (let at = 0; at < buffer.byteLength; at += 64) {
      this.records.push({
        epoch: buffer.readUInt32LE(at + 24),
        sequence: Number(buffer.readBigInt64LE(at + 32)),
        crc: buffer.readUInt32LE(at),
      });
    }
    return Promise.resolve(null);
  }

  cutBack(epoch: number, sequence: number): Promise<void> {
    this.cuts++;
    // What is in memory alone is emptied.
    const stays = (mark: Mark): boolean => this.#persistent && !isAfter(mark, epoch, sequence);
    this.records = this.records.filter(stays);
    return Promise.resolve();
  }
}

function isAfter(mark: Mark, epoch: number, sequence: number): boolean {
  return mark.epoch > epoch || (mark.epoch === epoch && mark.sequence > sequence);
}

/** Nobody watches how long this member's disk takes. */
const at = <Result>(work: Promise<Result>): Promise<Result> => work;

async function fill(mine: ListLog, donor: ListLog, persistent = true): Promise<void> {
  const last = mine.records.at(-1) ?? { epoch: 0, sequence: -1 };
  const signal = new AbortController().signal;
  await fillerOf(mine, donor, persistent).fill({ shard: 1, donor: 2 }, last, signal, at);
}

function fillerOf(
  mine: ListLog,
  donor: ListLog,
  persistent = true,
  isDiskFull = (): boolean => false,
): ShardFiller {
  const handlers = new Map<string, CallHandler>();
  const served = { handle: (name: string, run: CallHandler) => handlers.set(name, run) };
  const shardOf = () => ({ persistent, delivery: 'ordered' }) as const;
  new ShardFiller({
    ...{ core: donor as unknown as MemberCore, messages: served as unknown as PeerMessages },
    ...{ shardOf, isDiskFull: () => false, cutBack: () => Promise.resolve() },
  });
  handlers.set(positionCall, () => {
    const { epoch, sequence } = donor.records.at(-1) ?? { epoch: 0, sequence: -1 };
    return Promise.resolve([epoch, sequence]);
  });
  const messages = {
    handle: () => undefined,
    call: (_node: number, name: string, argument: unknown) =>
      (handlers.get(name) as CallHandler)(2, argument),
  };
  return new ShardFiller({
    ...{ core: mine as unknown as MemberCore, messages: messages as unknown as PeerMessages },
    ...{
      shardOf,
      isDiskFull,
      cutBack: (_shard, [epoch, sequence]) => mine.cutBack(epoch, sequence),
    },
  });
}

/** `count` records of each epoch, sequences with gaps as nulls leave them. */
function history(epochs: readonly [number, number][], crc = 1): Mark[] {
  return epochs.flatMap(([epoch, count]) =>
    Array.from({ length: count }, (_, nth) => ({ epoch, sequence: nth * 3, crc })),
  );
}

describe('following a shard', () => {
  const { signal } = new AbortController();
  const from = { shard: 1, donor: 2 };
  const yes = (): boolean => true;

  test('takes what comes next, up to the end of an epoch', async () => {
    const donor = new ListLog(
      history([
        [1, 5],
        [2, 4],
        [3, 9],
      ]),
    );
    const mine = new ListLog(history([[1, 2]]));
    const filler = fillerOf(mine, donor);
    expect(await filler.follow(from, { epoch: 1, sequence: 3 }, 2, signal, yes)).toBe(true);
    expect(mine.records).toEqual(donor.records.slice(0, 9));
    expect(await filler.follow(from, { epoch: 2, sequence: 9 }, 2, signal, yes)).toBe(false);
    expect(mine.records).toHaveLength(9);
  });

  test('lets a volatile one be filled from where it is, which its donor has forgotten', async () => {
    const all = history([[1, 9]]);
    const donor = new ListLog(all.slice(6), false);
    const mine = new ListLog(all.slice(0, 5), false);
    const filler = fillerOf(mine, donor, false);
    filler.trust([1]);
    await filler.fill(from, { epoch: 1, sequence: 12 }, signal, at);
    expect(mine.cuts).toBe(0);
    expect(mine.records).toEqual([...all.slice(0, 5), ...all.slice(6)]);
  });
});

describe.each([true, false])('the end of an epoch, persistent: %s', (persistent) => {
  const fillEnd = async (mine: ListLog, donor: ListLog, epoch: number): Promise<void> => {
    const last = mine.records.at(-1);
    const from = last?.epoch === epoch ? last : { epoch, sequence: -1 };
    const { signal } = new AbortController();
    await fillerOf(mine, donor, persistent).fillEnd({ shard: 1, donor: 2 }, from, signal);
  };
  const whole = history([
    [1, 5],
    [2, 7],
    [3, 4],
  ]);

  test('is fetched without what the donor has of the next', async () => {
    const mine = new ListLog(whole.slice(0, 8));
    await fillEnd(mine, new ListLog(whole), 2);
    expect(mine.records).toEqual(whole.slice(0, 12));
    expect(mine.cuts).toBe(0);
  });

  test('may be all of it, or nothing', async () => {
    const mine = new ListLog(whole.slice(0, 5));
    await fillEnd(mine, new ListLog(whole), 2);
    await fillEnd(mine, new ListLog(whole), 2);
    expect(mine.records).toEqual(whole.slice(0, 12));
    const large = [...history([[2, 70_000]]), ...history([[3, 1]])];
    const other = new ListLog([]);
    await fillEnd(other, new ListLog(large), 2);
    expect(other.records).toHaveLength(70_000);
  });
});

describe('filling a shard', () => {
  test('an empty one gets everything, in bounded chunks', async () => {
    const donor = new ListLog(history([[1, 70_000]]));
    const mine = new ListLog([]);
    await fill(mine, donor);
    expect(mine.records).toEqual(donor.records);
    expect(mine.cuts).toBe(0);
    expect(donor.largestChunk).toBeLessThanOrEqual(4 * 1024 * 1024);
  });

  /** Takes so many records between two that are read of it. */
  class GrowingLog extends ListLog {
    readonly #grows: number;
    constructor(records: readonly Mark[], grows: number) {
      super(records);
      this.#grows = grows;
    }
    override async readLog(...which: [number, number, number, number]): Promise<Buffer> {
      const chunk = await super.readLog(...which);
      const from = this.records.length;
      for (let nth = from; nth < from + this.#grows; nth++) {
        this.records.push({ epoch: 1, sequence: nth * 3, crc: 1 });
      }
      return chunk;
    }
  }

  test('ends though the donor takes more than is fetched, which is left for later', async () => {
    const donor = new GrowingLog(history([[1, 70_000]]), 66_000);
    const mine = new ListLog([]);
    await fill(mine, donor);
    expect(mine.records.length).toBeGreaterThan(70_000);
    expect(mine.records.length).toBeLessThan(donor.records.length);
    expect(mine.records).toEqual(donor.records.slice(0, mine.records.length));
  });

  test('comes near the end of a donor that takes less than is fetched', async () => {
    const donor = new GrowingLog(history([[1, 70_000]]), 5000);
    const mine = new ListLog([]);
    await fill(mine, donor);
    expect(donor.records.length - mine.records.length).toBeLessThanOrEqual(2 * 5000);
    expect(mine.records).toEqual(donor.records.slice(0, mine.records.length));
  });

  test('one that is behind gets the tail only', async () => {
    const donor = new ListLog(
      history([
        [1, 5],
        [3, 9],
      ]),
    );
    const mine = new ListLog(
      history([
        [1, 5],
        [3, 2],
      ]),
    );
    await fill(mine, donor);
    expect(mine.records).toEqual(donor.records);
    expect(mine.cuts).toBe(0);
  });

  test('one whose history went another way is cut back to the common point', async () => {
    const common = history([
      [1, 4],
      [2, 11],
    ]);
    const fork = { epoch: 2, sequence: 33 };
    const donor = new ListLog([...common, { ...fork, crc: 7 }, ...history([[4, 3]])]);
    const mine = new ListLog([...common, { ...fork, crc: 8 }, ...history([[3, 6]], 8)]);
    await fill(mine, donor);
    expect(mine.records).toEqual(donor.records);
    expect(mine.cuts).toBe(1);
  });

  test('a volatile one whose history went another way is fetched whole', async () => {
    const all = history([[1, 9]]);
    const donor = new ListLog(all, false);
    const mine = new ListLog([...all.slice(0, 5), { epoch: 1, sequence: 15, crc: 9 }], false);
    await fill(mine, donor, false);
    expect(mine.records).toEqual(all);
    expect(mine.cuts).toBe(1);
  });

  test('stops before the disk is full, unless it is in memory alone', async () => {
    const donor = new ListLog(history([[1, 9]]));
    const from = { shard: 1, donor: 2 };
    const start = { epoch: 0, sequence: -1 };
    const { signal } = new AbortController();
    const onDisk = new ListLog([]);
    const filling = fillerOf(onDisk, donor, true, () => true).fill(from, start, signal, at);
    await expect(filling).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(onDisk.records).toEqual([]);
    const inMemory = new ListLog([], false);
    await fillerOf(inMemory, donor, false, () => true).fill(from, start, signal, at);
    expect(inMemory.records).toEqual(donor.records);
  });

  test.each([0, 1, 5, 10, 11])('the common point after %d records is found', async (shared) => {
    const all = history([
      [1, 5],
      [2, 6],
    ]);
    const other = (mark: Mark): Mark => ({ ...mark, crc: 9 });
    const donor = new ListLog(all);
    const mine = new ListLog([...all.slice(0, shared), ...all.slice(shared).map(other)]);
    await fill(mine, donor);
    expect(mine.records).toEqual(all);
    expect(mine.cuts).toBe(shared === all.length ? 0 : 1);
  });
});
