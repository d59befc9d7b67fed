import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { silentLogger } from '../../platform/base/mod.ts';
import { freePorts } from '../../platform/local-cluster.ts';
import { startMember } from '../../platform/node.ts';
import { servingPart } from '../../platform/serving.ts';
import { loopbackDoors } from '../support/loopback-doors.ts';
import { tempFolder } from '../support/mod.ts';

async function listenAt(port: number): Promise<{ close: () => void }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return { close: () => server.close() };
}

test('a member that finds the port of one door busy gives back the other', async () => {
  const [port = 0, grpcPort = 0, httpPort = 0] = await freePorts(3);
  const busy = await listenAt(httpPort);
  const part = servingPart({ ...loopbackDoors, grpcPort, httpPort }, () => undefined);
  const config = {
    cluster: {},
    node: 1,
    members: [{ id: 1, port }],
    dataFolder: await tempFolder('ports'),
    memory: { ringBudgetBytes: 24 * 1024 * 1024 },
  };
  const started = startMember(config, { log: silentLogger(), parts: [part] });
  await expect(started).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
  (await listenAt(grpcPort)).close();
  busy.close();
});
