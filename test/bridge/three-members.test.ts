import { afterEach, describe, expect, test } from 'vitest';
import { acks, rowKinds } from '../../platform/bridge/mod.ts';
import { tempFolder } from '../support/mod.ts';
import { NativeMember, openThree, startShard, unpack } from './native-member.ts';

let members: readonly NativeMember[] = [];
afterEach(() => {
  for (const member of members) {
    member.close();
  }
});

const at = (nth: number): NativeMember => {
  const member = members[nth];
  if (member === undefined) {
    throw new Error(`There is no member ${String(nth)}`);
  }
  return member;
};

const current = (member: NativeMember, shard: number): Promise<unknown> =>
  member.call((token) => member.addon.waitCurrent(member.handle, shard, false, token));

describe('three members', () => {
  test('agree on one order of what all of them put', async () => {
    members = await openThree();
    await startShard(members, 1);
    await at(0).makePool(1);
    const puts = members.flatMap((member) =>
      Array.from({ length: 300 }, (_, nth) =>
        member.submit(1, `/k/${String(nth % 7)}`, Buffer.from(`${String(member.nodeId)}.${nth}`)),
      ),
    );
    const answers = await Promise.all(puts);
    expect(answers.every(({ status }) => status === 'OK')).toBe(true);
    const versions = answers.map(({ version }) => version).sort((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 900 }, (_, nth) => nth + 1));
    await Promise.all(members.map((member) => current(member, 1)));
    const wanted = Float64Array.from({ length: 900 }, (_, nth) => nth + 1);
    const histories = members.map((member) => {
      return unpack(member.addon.getVersions(member.handle, 1, wanted, 900, Infinity)).records;
    });
    expect(histories[0]).toHaveLength(900);
    expect(histories[1]).toEqual(histories[0]);
    expect(histories[2]).toEqual(histories[0]);
  });

  test('carry values larger than a ring', async () => {
    members = await openThree();
    await startShard(members, 1);
    await at(0).makePool(1);
    const value = Buffer.alloc(9_000_000, 'freshet');
    expect(await at(1).submit(1, '/large', value)).toMatchObject({ status: 'OK', version: 1 });
    await Promise.all(members.map((member) => current(member, 1)));
    for (const member of members) {
      expect(value.equals(member.get(1, '/large') as Buffer)).toBe(true);
    }
  });

  test('keep what is persisted everywhere over a restart of all', async () => {
    const folders = new Map<number, string>();
    for (const nodeId of [1, 2, 3]) {
      folders.set(nodeId, await tempFolder('bridge'));
    }
    const folderOf = (nodeId: number): { dataFolder: string | null } => {
      return { dataFolder: folders.get(nodeId) ?? null };
    };
    members = await openThree(folderOf);
    await startShard(members, 1, true);
    await at(0).makePool(1);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, nth) =>
        at(nth % 3).submit(1, `/k/${String(nth)}`, Buffer.from(String(nth)), acks.persisted),
      ),
    );
    expect(answers.every(({ status }) => status === 'OK')).toBe(true);
    for (const member of members) {
      member.close();
    }
    members = await openThree(folderOf);
    await startShard(members, 1, true, 2);
    for (const member of members) {
      for (let nth = 0; nth < 200; nth += 1) {
        expect(String(member.get(1, `/k/${String(nth)}`))).toBe(String(nth));
      }
    }
    expect(await at(2).submit(1, '/k/0', Buffer.from('new'), acks.persisted)).toMatchObject({
      status: 'OK',
      version: 201,
      epoch: 2,
    });
  });

  test('send each other whole messages, in order, of any size', async () => {
    members = await openThree();
    const sizes = [0, 1, 100, 70_000, 3_000_000, 5];
    for (const size of sizes) {
      const bytes = Buffer.alloc(size, size % 256);
      expect(at(0).addon.sendMessage(at(0).handle, 3, bytes)).toBe(0);
    }
    await at(2).rowOf(() => at(2).messages.length === sizes.length);
    expect(at(2).messages.map((message) => message.length)).toEqual(sizes);
    expect(at(2).messages[4]?.every((byte) => byte === 3_000_000 % 256)).toBe(true);
    const from = at(2).rows.filter(([kind]) => kind === rowKinds.message);
    expect(from.every((row) => row[1] === 1)).toBe(true);
  });

  test('stop the shards of a lost member, and no other', async () => {
    members = await openThree();
    await startShard(members, 1);
    await startShard(members.slice(0, 2), 2);
    await at(0).makePool(1);
    await at(0).makePool(2);
    at(2).close();
    for (const member of members.slice(0, 2)) {
      const row = await member.rowOf(([kind]) => kind === rowKinds.shardStopped);
      expect(row.slice(1, 4)).toEqual([1, member.addon.statusNames.indexOf('SHARD_STOPPED'), 3]);
      expect(await member.submit(1, '/a', Buffer.from('x'))).toMatchObject({
        status: 'SHARD_STOPPED',
      });
      expect(member.addon.isCurrent(member.handle, 1, false)).toBe(false);
    }
    expect(await at(0).submit(2, '/a', Buffer.from('x'))).toMatchObject({ status: 'OK' });
    expect(at(0).rows.filter(([kind]) => kind === rowKinds.shardStopped)).toHaveLength(1);
  });

  test('answer or drop everything when they close under load', async () => {
    members = await openThree();
    await startShard(members, 1);
    await at(0).makePool(1);
    let answered = 0;
    for (const member of members) {
      for (let nth = 0; nth < 2000; nth += 1) {
        const value = Buffer.alloc(nth % 500 === 0 ? 2_000_000 : 100);
        void member.submit(1, '/k', value).then(
          () => (answered += 1),
          () => undefined,
        );
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const member of members) {
      member.close();
    }
    expect(answered).toBeGreaterThanOrEqual(0);
  });

  test('refuse a member with another secret, on both sides', async () => {
    const stranger = new NativeMember({ nodeId: 2, secret: new Uint8Array(32).fill(9) });
    const member = new NativeMember();
    members = [member, stranger];
    member.addon.addPeer(member.handle, 2, '127.0.0.1', stranger.port);
    stranger.addon.addPeer(stranger.handle, 1, '127.0.0.1', member.port);
    const refused = member.addon.statusNames.indexOf('UNAUTHENTICATED');
    // What a member answers that is dialled before it has added its peer.
    const early = member.addon.statusNames.indexOf('NOT_A_MEMBER');
    for (const [nth, other] of [2, 1].entries()) {
      const row = await at(nth).rowOf(
        ([kind, , up, reason]) => kind === rowKinds.peer && up === 2 && reason !== early,
      );
      expect(row.slice(1, 4)).toEqual([other, 2, refused]);
    }
  });
});
