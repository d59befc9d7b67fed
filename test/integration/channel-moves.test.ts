import { expect, onTestFinished, test } from 'vitest';
import { ChannelHost } from '../../platform/replicated/mod.ts';
import { replicatedLimits } from '../../platform/replicated/replicated-limits.ts';
import { startTestCluster } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

test('a member outlives that a channel is read anew whose shard has left it', async () => {
  const cluster = await startTestCluster({
    folder: await tempFolder('channel-moves'),
    config: { subgroups: [{ name: 'volatile', kind: 'volatile', shards: 1, replicas: 2 }] },
  });
  onTestFinished(() => cluster.close());
  const { group } = cluster.member(1);
  const shard = group.layout.subgroup('volatile').shards[0]?.shard ?? 0;
  const [stays = 0, leaves = 0] = group.holders(shard);
  const hosts = [stays, leaves].map((nodeId) => {
    return new ChannelHost(cluster.member(nodeId), String(nodeId));
  });
  onTestFinished(() => {
    for (const host of hosts) host.close();
  });
  const settings = { name: '/radio', onEvent: () => undefined };
  const channels = await Promise.all(hosts.map((host) => host.open<string>(settings)));
  const to = cluster.ids.find((id) => id !== stays && id !== leaves) ?? 0;
  await group.move({ shard, from: leaves, to });
  const left = cluster.member(leaves);
  await until(() => !left.group.holders(shard).includes(leaves));
  // As when its logs are opened again.
  left.core.endSubscriptions(shard);
  await until(() => !left.group.isHere(shard));
  // A timer that began later fires later: what failed in one would have ended this process.
  await new Promise<void>((resolve) => {
    left.clock.after(2 * replicatedLimits.retryPauseMs, resolve);
  });
  expect(await channels[0]?.abcast('still there')).toBeGreaterThan(0);
});
