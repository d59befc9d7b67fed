import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Database, raw } from '../../platform/client/mod.ts';
import { preparePipeline } from '../../platform/lambda/mod.ts';
import { tempFolder } from '../support/mod.ts';
import { type ServingCluster, startServingCluster } from '../support/serving.ts';

const code = `
  import { defineLambda, raw } from 'freshet/udl';
  export default defineLambda({
    name: 'test/echo', version: '1', input: raw(), emits: { out: raw() },
    run(events) { for (const event of events) event.emit.out(event.name, event.bytes); },
  });`;

/** Deploys `/<name>/in` → echo → `/<name>/out`. */
async function deploy(cluster: ServingCluster, folder: string, name: string, kind: string) {
  const place = join(folder, name);
  await mkdir(place);
  await writeFile(join(place, 'lambda.ts'), code);
  const use = { module: './lambda.ts', edges: { out: [{ to: `/${name}/out`, by: 'put' }] } };
  const document = {
    name,
    pools: [
      { name: `/${name}/in`, kind, schema: 'raw' },
      { name: `/${name}/out`, kind: 'persistent', schema: 'raw' },
    ],
    nodes: [{ prefix: `/${name}/in`, lambdas: [use] }],
  };
  await writeFile(join(place, 'pipeline.json'), JSON.stringify(document));
  const { pools, nodes, assets, bundles, files } = await preparePipeline(
    join(place, 'pipeline.json'),
  );
  const encoded = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
  await cluster.door.deploy({ name, document: encoded, bundles, assets: files });
}

async function put(db: Database, name: string, keys: readonly string[]): Promise<void> {
  for (const key of keys) await db.pool(`/${name}/in`, raw()).put(key, Buffer.from(key));
}

/** Keys that came out, once all of `wanted` have. */
async function outputs(
  db: Database,
  name: string,
  wanted: readonly string[],
): Promise<Set<string>> {
  const seen = new Set<string>();
  for await (const { object } of db.pool(`/${name}/out`, raw()).watch({ from: 'start' })) {
    seen.add(object.key.slice(`/${name}/out/`.length));
    if (wanted.every((key) => seen.has(key))) break;
  }
  return seen;
}

it('thread 121: goes on after a restart of all members, on a new volatile history and on the kept log', async () => {
  const folder = await tempFolder();
  const data = join(folder, 'data');
  const before = ['a', 'b', 'c', 'd', 'e'];
  const after = ['f', 'g'];
  let cluster = await startServingCluster(data);
  try {
    for (const [name, kind] of [
      ['v', 'volatile'],
      ['p', 'persistent'],
    ] as const) {
      await deploy(cluster, folder, name, kind);
      await put(cluster.db, name, before);
      await outputs(cluster.db, name, before);
    }
  } finally {
    await cluster.close();
  }
  cluster = await startServingCluster(data);
  try {
    for (const name of ['v', 'p']) {
      await put(cluster.db, name, after);
      expect(await outputs(cluster.db, name, [...before, ...after])).toEqual(
        new Set([...before, ...after]),
      );
    }
  } finally {
    await cluster.close();
  }
});
