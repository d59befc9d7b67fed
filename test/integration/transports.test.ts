/** Members that reach each other over libfabric: a cluster is one whatever carries its writes. */
import { afterEach, describe, test } from 'vitest';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import { tempFolder } from '../support/mod.ts';
import { loseOneAndLetItIn, startOver } from '../support/transport-scenario.ts';
import { hasTransport } from '../support/transports.ts';

let running: LocalCluster | null = null;

afterEach(async () => {
  await running?.close();
  running = null;
});

// That of verbs is in `npm run test:rdma`.
const here = (['fabric/tcp', 'fabric/shm'] as const).filter(hasTransport);

describe.runIf(here.length > 0)('three members', () => {
  test.each(here)('over %s put, get, lose one and let it in again', async (transport) => {
    running = await startOver(transport, await tempFolder('transports'));
    await loseOneAndLetItIn(running);
  });
});
