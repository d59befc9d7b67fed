import { afterEach, expect, test } from 'vitest';
import { silentLogger, SystemClock } from '../../platform/base/mod.ts';
import { loadAddon } from '../../platform/bridge/mod.ts';
import { groupLimits } from '../../platform/group/group-limits.ts';
import { MemberCore } from '../../platform/group/member-core.ts';
import { PeerMessages } from '../../platform/group/peer-messages.ts';
import { memberOptions } from './native-member.ts';

const opened: { readonly core: MemberCore; readonly messages: PeerMessages }[] = [];

afterEach(() => {
  for (const { core, messages } of opened.splice(0)) {
    messages.close();
    core.close();
  }
});

/** Two members that are connected; returns the messages of the first. */
async function openTwo(): Promise<readonly [PeerMessages, PeerMessages]> {
  for (const nodeId of [1, 2]) {
    const core = new MemberCore(loadAddon(), memberOptions({ nodeId }), silentLogger());
    opened.push({ core, messages: new PeerMessages(core, new SystemClock(), silentLogger()) });
  }
  for (const { core } of opened) {
    for (const { core: peer } of opened.filter((other) => other.core !== core)) {
      core.addon.addPeer(core.handle, peer.nodeId, '127.0.0.1', peer.addon.listenPort(peer.handle));
    }
  }
  const [one, other] = opened.map(({ messages }) => messages) as [PeerMessages, PeerMessages];
  await expect.poll(() => one.up.size + other.up.size).toBe(2);
  return [one, other];
}

test('a message of any size arrives, or is refused to who called with its limit', async () => {
  const [one, other] = await openTwo();
  const { messageBytes } = groupLimits;
  other.handle('count', (_from, argument) => Promise.resolve((argument as Uint8Array).byteLength));
  other.handle('give', (_from, size) => Promise.resolve(new Uint8Array(size as number)));
  const call = (method: string, argument: unknown): Promise<unknown> =>
    one.call(2, method, argument, { timeoutMs: 30_000, signal: null });

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
