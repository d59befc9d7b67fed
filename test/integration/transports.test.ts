/** Members that reach each other over libfabric: a cluster is one whatever carries its writes. */
import { afterEach, describe, expect, test } from 'vitest';
import type { TransportName } from '../../platform/bridge/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { bytes, startProcessCluster, text } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';
import { hasTransport, hostOf, rdmaAddresses } from '../support/transports.ts';

let running: LocalCluster | null = null;

afterEach(async () => {
  await running?.close();
  running = null;
});

async function start(transport: TransportName): Promise<LocalCluster> {
  running = await startProcessCluster(await tempFolder('transports'), {
    config: { cluster: { name: 'transports', transport } },
    places: (node) => ({ host: hostOf(transport, node), words: [] }),
  });
  return running;
}

async function read(cluster: LocalCluster, id: number, key: string): Promise<Uint8Array | null> {
  const found = (await cluster.call(id, 'get', { key })) as ObjectRecord | null;
  return found?.value ?? null;
}

const transports = ['fabric/tcp', 'fabric/shm', 'fabric/verbs'] as const;
const here = transports.filter((transport) => {
  return (transport !== 'fabric/verbs' || rdmaAddresses.length > 0) && hasTransport(transport);
});

describe.runIf(here.length > 0)('three members', () => {
  test.each(here)('over %s put, get, lose one and let it in again', async (transport) => {
    const cluster = await start(transport);
    await cluster.call(1, 'createPool', { name: '/milk', kind: 'persistent' });
    await cluster.call(1, 'createPool', { name: '/herd', kind: 'volatile' });
    const put = async (id: number, key: string, value: Uint8Array): Promise<void> => {
      await cluster.call(id, 'put', { key, value, timeoutMs: 20_000 });
    };
    const ids = [1, 2, 3];
    for (let round = 0; round < 20; round++) {
      const puts = ids.map((id) => put(id, `/milk/${String(id)}/${String(round)}`, bytes('x')));
      await Promise.all(puts);
    }
    // Larger than a message, and larger than what travels whole in a ring.
    const large = new Uint8Array(3_000_000).map((_, at) => at % 251);
    await put(2, '/herd/photo', large);
    for (const id of ids) {
      expect(text(await read(cluster, id, '/milk/2/19'))).toBe('x');
      expect(Buffer.compare(large, (await read(cluster, id, '/herd/photo')) ?? bytes(''))).toBe(0);
    }

    await cluster.kill(3);
    await put(1, '/milk/without', bytes('3'));
    await put(2, '/herd/without', bytes('3'));
    await cluster.start(3);
    await cluster.whenRunning();
    expect(text(await read(cluster, 3, '/milk/without'))).toBe('3');
    expect(text(await read(cluster, 3, '/herd/without'))).toBe('3');
    await put(3, '/milk/again', bytes('all'));
    expect(text(await read(cluster, 1, '/milk/again'))).toBe('all');
    expect((await cluster.call(2, 'list', '/milk')) as string[]).toHaveLength(62);
  });
});
