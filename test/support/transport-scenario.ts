import assert from 'node:assert/strict';
import type { TransportName } from '../../platform/bridge/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { bytes, startProcessCluster, text } from './cluster.ts';
import { hostOf } from './transports.ts';

const callTimeoutMs = 60_000;
const rounds = 20;

/** Three members, each a process with a folder below `folder`, that talk by `transport`. */
export async function startOver(
  transport: TransportName,
  folder: string,
  config: Readonly<Record<string, unknown>> = {},
): Promise<LocalCluster> {
  const cluster = await startProcessCluster(folder, {
    config: { ...config, cluster: { name: 'transports', transport } },
    places: (node) => ({ host: hostOf(transport, node), words: [] }),
  });
  await cluster.call(1, 'createPool', { name: '/milk', kind: 'persistent' });
  await cluster.call(1, 'createPool', { name: '/herd', kind: 'volatile' });
  return cluster;
}

export async function put(
  cluster: LocalCluster,
  id: number,
  key: string,
  value: Uint8Array,
): Promise<void> {
  await cluster.call(id, 'put', { key, value, timeoutMs: callTimeoutMs });
}

async function read(cluster: LocalCluster, id: number, key: string): Promise<Uint8Array | null> {
  const request = { key, timeoutMs: callTimeoutMs };
  const found = (await cluster.call(id, 'get', request)) as ObjectRecord | null;
  return found?.value ?? null;
}

/** All put and get, small and large; one is killed, the others go on, it comes back. */
export async function loseOneAndLetItIn(cluster: LocalCluster): Promise<void> {
  const ids = [1, 2, 3];
  for (let round = 0; round < rounds; round++) {
    const keyOf = (id: number): string => `/milk/${String(id)}/${String(round)}`;
    await Promise.all(ids.map((id) => put(cluster, id, keyOf(id), bytes('x'))));
  }
  // Larger than a message, and larger than what travels whole in a ring.
  const large = new Uint8Array(3_000_000).map((_, at) => at % 251);
  await put(cluster, 2, '/herd/photo', large);
  for (const id of ids) {
    assert.equal(text(await read(cluster, id, `/milk/2/${String(rounds - 1)}`)), 'x');
    const photo = (await read(cluster, id, '/herd/photo')) ?? bytes('');
    assert.equal(Buffer.compare(large, photo), 0, `the photo at member ${String(id)}`);
  }

  await cluster.kill(3);
  await put(cluster, 1, '/milk/without', bytes('3'));
  await put(cluster, 2, '/herd/without', bytes('3'));
  await cluster.start(3);
  await cluster.whenRunning(callTimeoutMs);
  assert.equal(text(await read(cluster, 3, '/milk/without')), '3');
  assert.equal(text(await read(cluster, 3, '/herd/without')), '3');
  await put(cluster, 3, '/milk/again', bytes('all'));
  assert.equal(text(await read(cluster, 1, '/milk/again')), 'all');
  const keys = (await cluster.call(2, 'list', '/milk')) as string[];
  assert.equal(keys.length, ids.length * rounds + 2);
}
