import { expect, onTestFinished, test, vi } from 'vitest';
import { ChannelHost } from '../../platform/replicated/mod.ts';
import { replicatedLimits } from '../../platform/replicated/replicated-limits.ts';
import { startTestCluster } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';

test('nothing goes on of a channel that could not be opened; it can be opened again', async () => {
  const cluster = await startTestCluster({ folder: await tempFolder('channel-opening') });
  onTestFinished(() => cluster.close());
  const hosts = cluster.members.map((member) => new ChannelHost(member, String(member.nodeId)));
  onTestFinished(() => {
    for (const host of hosts) host.close();
  });
  const { group, messages, clock } = cluster.member(1);
  const watched = vi.spyOn(group, 'watchView');
  const sent = vi.spyOn(messages, 'call');
  const pauses = (count: number) =>
    new Promise<void>((resolve) => {
      clock.after(count * replicatedLimits.retryPauseMs, resolve);
    });
  const settings = { name: '/radio', onEvent: () => undefined };
  const opened = hosts[0]?.open({ ...settings, timeoutMs: 200 });
  await expect(opened).rejects.toMatchObject({ code: 'TIMEOUT' });
  const views = watched.mock.results.map(
    ({ value }) => value as ReturnType<typeof group.watchView>,
  );
  expect(views).toHaveLength(1);
  const next = await Promise.race([views[0]?.next(), Promise.resolve('one waits for a view')]);
  expect(next).toEqual({ value: undefined, done: true });
  // What it had sent to who did not open it is not sent again and again.
  await pauses(2);
  sent.mockClear();
  await pauses(5);
  const calls = sent.mock.calls.filter(([, method]) => method === 'channel.messages');
  expect(calls).toEqual([]);
  const channels = await Promise.all(hosts.map((host) => host.open<string>(settings)));
  expect(await channels[0]?.abcast('again')).toBeGreaterThan(0);
});
