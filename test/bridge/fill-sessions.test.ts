import { afterEach, describe, expect, test } from 'vitest';
import { FreshetError, silentLogger } from '../../platform/base/mod.ts';
import {
  acks,
  extraColumns,
  extraWidth,
  loadAddon,
  recordKinds,
} from '../../platform/bridge/mod.ts';
import { MemberCore } from '../../platform/group/member-core.ts';
import { positionCall } from '../../platform/group/observer-feed.ts';
import type { CallHandler, PeerMessages } from '../../platform/group/peer-messages.ts';
import { ShardFiller } from '../../platform/group/shard-filler.ts';
import { prepareEpoch } from '../../platform/group/view-calls.ts';
import { memberOptions, poolId } from './native-member.ts';

const shard = 1;
const MiB = 1024 * 1024;
const start = { epoch: 0, sequence: -1 };
const sessions = 40;
const requests = 1000;
const { signal } = new AbortController();
const local = <Result>(work: Promise<Result>): Promise<Result> => work;

interface Position {
  readonly epoch: number;
  readonly sequence: number;
  readonly version: number;
}

/** A member's native side with a volatile shard, and its part in filling. Nobody is between. */
class Member {
  readonly core: MemberCore;
  readonly filler: ShardFiller;
  readonly handlers = new Map<string, CallHandler>();
  readonly donors = new Map<number, Member>();
  /** Before each call of a donor. */
  onCall: (name: string) => Promise<void> = () => Promise.resolve();
  bytes = 0;
  reads = 0;

  constructor(nodeId: number) {
    this.core = new MemberCore(loadAddon(), memberOptions({ nodeId }), silentLogger());
    const messages = {
      handle: (name: string, run: CallHandler) => this.handlers.set(name, run),
      call: (node: number, name: string, argument: unknown) => this.#call(node, name, argument),
    };
    const isPersistent = (): boolean => false;
    const peers = messages as unknown as PeerMessages;
    this.filler = new ShardFiller(this.core, peers, isPersistent, () => false);
    this.handlers.set(positionCall, async () => {
      const { epoch, sequence } = await this.position();
      return [epoch, sequence];
    });
  }

  async #call(node: number, name: string, argument: unknown): Promise<unknown> {
    await this.onCall(name);
    const answer = await this.donors.get(node)?.handlers.get(name)?.(this.core.nodeId, argument);
    if (answer instanceof Uint8Array) {
      this.reads++;
      this.bytes += answer.byteLength;
    }
    return answer;
  }

  async open(): Promise<void> {
    await this.core.openShard({ shard, persistent: false, memoryMax: 256 * MiB });
  }

  /** Runs an epoch alone. */
  async begin(epoch: number): Promise<void> {
    const { core } = this;
    const { nodeId } = core;
    const options = { shard, epoch, members: [nodeId], senders: [0] };
    await prepareEpoch(core, { ...options, ringSize: MiB, dispatchLagMax: Infinity });
    await core.call('start', (token) => core.addon.startEpoch(core.handle, shard, epoch, token));
  }

  async position(): Promise<Position> {
    const bytes = await this.core.shardState(shard);
    const { epoch, sequence, version } = JSON.parse(String(bytes)) as Position;
    return { epoch, sequence, version };
  }

  async makePool(): Promise<void> {
    const rules = Buffer.alloc(24);
    rules.writeUInt32LE(poolId, 0);
    rules.writeUInt32LE(1, 4);
    rules.writeBigUInt64LE(64n << 20n, 8);
    await this.#submit(recordKinds.control, 0, `pool/${String(poolId)}`, rules, null);
  }

  /** Returns the version. */
  async put(key: string, value: Uint8Array, session = 0, request = 0): Promise<number> {
    const extra = new Float64Array(extraWidth).fill(-1);
    extra[extraColumns.eventTime] = NaN;
    extra[extraColumns.session] = session;
    extra[extraColumns.request] = request;
    extra[extraColumns.lowestUnanswered] = 1;
    return this.#submit(recordKinds.put, poolId, key, value, extra);
  }

  async #submit(
    kind: number,
    pool: number,
    key: string,
    value: Uint8Array,
    extra: Float64Array | null,
  ): Promise<number> {
    const change = { shard, kind, ack: acks.delivered, pool, key, value, meta: null, extra };
    const done = await this.core.submit(change);
    if (typeof done === 'number' || done === null) throw new Error(`refused: ${String(done)}`);
    expect(this.core.statusName(done.status)).toBe('OK');
    return done.version;
  }

  /** What was asked in some of the sessions is answered as it was, and not made again. */
  async expectAnswers(answers: ReadonlyMap<number, readonly number[]>): Promise<void> {
    const { version } = await this.position();
    for (const [session, versions] of answers) {
      for (const request of [1, 2, versions.length]) {
        const again = await this.put('/k', Buffer.from('again'), session, request);
        expect(again).toBe(versions[request - 1]);
      }
    }
    expect((await this.position()).version).toBe(version);
  }
}

const opened: Member[] = [];

afterEach(() => {
  for (const member of opened.splice(0)) member.core.close();
});

async function openMember(nodeId: number): Promise<Member> {
  const member = new Member(nodeId);
  opened.push(member);
  await member.open();
  return member;
}

interface Donor {
  readonly donor: Member;
  /** Of each session the versions that its requests got. */
  readonly answers: Map<number, number[]>;
}

/** More than a MiB of sessions, all of one key. */
async function openDonor(): Promise<Donor> {
  const donor = await openMember(1);
  await donor.begin(1);
  await donor.makePool();
  const answers = new Map<number, number[]>();
  for (let session = 1; session <= sessions; session++) {
    const puts = Array.from({ length: requests }, (_, nth) =>
      donor.put('/k', Buffer.from('v'), session, nth + 1),
    );
    answers.set(session, await Promise.all(puts));
  }
  return { donor, answers };
}

async function openJoiner(donor: Member): Promise<Member> {
  const joiner = await openMember(2);
  joiner.donors.set(1, donor);
  return joiner;
}

const fill = { shard, donor: 1 };

describe('the sessions of a volatile shard', () => {
  test('come in messages of bounded size', async () => {
    const { donor, answers } = await openDonor();
    const joiner = await openJoiner(donor);
    await joiner.filler.fill(fill, start, signal, local);
    expect(joiner.reads).toBeGreaterThan(5);
    expect(joiner.bytes / joiner.reads).toBeLessThanOrEqual(256 * 1024);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await joiner.expectAnswers(answers);
  });

  test('are those of one position, though the donor goes on between their pieces', async () => {
    const { donor, answers } = await openDonor();
    const joiner = await openJoiner(donor);
    const moves = [3, 5, 6];
    joiner.onCall = async () => {
      if (joiner.reads !== moves[0]) return;
      const session = moves.shift() as number;
      const versions = answers.get(session) as number[];
      versions.push(await donor.put('/k', Buffer.from('more'), session, versions.length + 1));
    };
    await joiner.filler.fillEnd(fill, { epoch: 1, sequence: -1 }, signal);
    expect(moves).toEqual([]);
    expect(joiner.reads).toBeGreaterThan(10);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await joiner.expectAnswers(answers);
  });

  test('come from another donor when one is lost amid them', async () => {
    const { donor, answers } = await openDonor();
    const other = await openMember(3);
    other.donors.set(1, donor);
    await other.filler.fill(fill, start, signal, local);
    const joiner = await openJoiner(donor);
    joiner.donors.set(3, other);
    joiner.onCall = () => {
      if (joiner.reads < 3) return Promise.resolve();
      return Promise.reject(new FreshetError('UNREACHABLE', 'it is lost'));
    };
    const lost = joiner.filler.fill(fill, start, signal, local);
    await expect(lost).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(await joiner.position()).not.toEqual(await donor.position());
    joiner.onCall = () => Promise.resolve();
    const mine = await joiner.position();
    await joiner.filler.fill({ shard, donor: 3 }, mine, signal, local);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await joiner.expectAnswers(answers);
  });

  test('come to who follows in one go, as long as it may go on', async () => {
    const { donor, answers } = await openDonor();
    const joiner = await openJoiner(donor);
    const follow = async (mayGoOn: () => boolean): Promise<boolean> =>
      joiner.filler.follow(fill, await joiner.position(), 1, signal, mayGoOn);
    expect(await follow(() => true)).toBe(true); // the pool
    const before = await joiner.position();
    expect(await follow(() => joiner.reads < 4)).toBe(true);
    expect(await joiner.position()).toEqual(before);
    expect(joiner.reads).toBe(4);
    expect(await follow(() => true)).toBe(true);
    expect(await joiner.position()).toEqual(await donor.position());
    expect(await follow(() => true)).toBe(false);
    await joiner.begin(2);
    await joiner.expectAnswers(answers);
  });

  test('do not hide that what is here is the beginning of what the donor has', async () => {
    const { donor, answers } = await openDonor();
    for (const key of ['/a', '/b', '/c']) await donor.put(key, Buffer.alloc(MiB));
    const joiner = await openJoiner(donor);
    await joiner.filler.fill(fill, start, signal, local);
    await donor.put('/d', Buffer.from('last'));
    joiner.bytes = 0;
    await joiner.filler.fill(fill, await joiner.position(), signal, local);
    expect(joiner.bytes).toBeLessThan(2 * MiB);
    expect(await joiner.position()).toEqual(await donor.position());
    await joiner.begin(2);
    await joiner.expectAnswers(answers);
  });
});
