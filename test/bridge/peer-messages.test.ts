import { encode } from '@msgpack/msgpack';
import { afterEach, expect, test } from 'vitest';
import { silentLogger, SystemClock } from '../../platform/base/mod.ts';
import { loadAddon } from '../../platform/bridge/mod.ts';
import { groupLimits } from '../../platform/group/group-limits.ts';
import { MemberCore } from '../../platform/group/member-core.ts';
import { channels, partFlags, PeerMessages } from '../../platform/group/peer-messages.ts';
import { memberOptions } from './native-member.ts';

const opened: { readonly core: MemberCore; readonly messages: PeerMessages }[] = [];

afterEach(() => {
  for (const { core, messages } of opened.splice(0)) {
    messages.close();
    core.close();
  }
});

function open(nodeId: number): (typeof opened)[number] {
  const core = new MemberCore(loadAddon(), memberOptions({ nodeId }), silentLogger());
  const member = { core, messages: new PeerMessages(core, new SystemClock(), silentLogger()) };
  opened.push(member);
  return member;
}

/** The messages of two members that are connected. */
async function connect(
  one: (typeof opened)[number],
  other: (typeof opened)[number],
): Promise<readonly [PeerMessages, PeerMessages]> {
  for (const [{ core }, { core: peer }] of [
    [one, other],
    [other, one],
  ] as const) {
    core.addon.addPeer(core.handle, peer.nodeId, '127.0.0.1', peer.addon.listenPort(peer.handle));
  }
  await expect.poll(() => one.messages.up.size + other.messages.up.size).toBe(2);
  return [one.messages, other.messages];
}

const openTwo = (): Promise<readonly [PeerMessages, PeerMessages]> => connect(open(1), open(2));

const anyTime = { timeoutMs: 30_000, signal: null };

test('a message of any size arrives, or is refused to who called with its limit', async () => {
  const [one, other] = await openTwo();
  const { messageBytes } = groupLimits;
  other.handle('count', (_from, argument) => Promise.resolve((argument as Uint8Array).byteLength));
  other.handle('give', (_from, size) => Promise.resolve(new Uint8Array(size as number)));
  const call = (method: string, argument: unknown): Promise<unknown> =>
    one.call(2, method, argument, anyTime);

  const fits = messageBytes - 64;
  expect(await call('count', new Uint8Array(fits))).toBe(fits);
  expect(await call('give', fits)).toHaveLength(fits);
  const refusal = {
    code: 'VALUE_TOO_LARGE',
    message: expect.stringContaining(`${String(messageBytes)} are allowed`) as string,
  };
  await expect(call('count', new Uint8Array(messageBytes))).rejects.toMatchObject(refusal);
  await expect(call('give', messageBytes)).rejects.toMatchObject(refusal);
  expect(await call('give', 3)).toHaveLength(3);
});

test('what was asked for before a restart answers no call of the next process', async () => {
  const [one, other] = [open(1), open(2)];
  const [before, served] = await connect(one, other);
  const answers: ((text: string) => void)[] = [];
  served.handle('wait', () => new Promise((resolve) => answers.push(resolve)));
  const cutOff = before.call(2, 'wait', null, anyTime);
  const refused = expect(cutOff).rejects.toMatchObject({ code: 'CLOSED' });
  await expect.poll(() => answers.length).toBe(1);
  one.messages.close();
  one.core.close();
  await refused;
  await expect.poll(() => served.up.size).toBe(0);
  other.core.addon.forgetPeer(other.core.handle, 1);

  const [after] = await connect(open(1), other);
  const call = after.call(2, 'wait', null, anyTime);
  await expect.poll(() => answers.length).toBe(2);
  answers[0]?.('asked for before');
  answers[1]?.('asked for now');
  expect(await call).toBe('asked for now');
  expect(after.ignored).toBe(1);
});

test('the end of a message whose beginning was lost is no message', async () => {
  const [one, other] = [open(1), open(2)];
  const [, served] = await connect(one, other);
  const taken: unknown[] = [];
  served.handle('take', (_from, argument) => Promise.resolve(taken.push(argument)));
  const send = (flags: number, bytes: Uint8Array): void => {
    const part = Uint8Array.of(channels.call, flags, ...bytes);
    one.core.addon.sendMessage(one.core.handle, 2, part);
  };
  const call = (argument: string): Uint8Array => encode([1, 'take', argument]);
  const { first, last } = partFlags;
  send(last, call('an end alone'));
  send(first, call('a beginning alone'));
  send(first | last, call('whole'));
  send(first, call('in two').subarray(0, 5));
  send(last, call('in two').subarray(5));
  await expect.poll(() => taken).toEqual(['whole', 'in two']);
  expect(served.ignored).toBe(1);
});
