import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Database, raw } from '../../platform/client/mod.ts';
import { preparePipeline } from '../../platform/lambda/mod.ts';
import { tempFolder } from '../support/mod.ts';
import { type ServingCluster, startServingCluster } from '../support/serving.ts';

const MiB = 2 ** 20;

const echo = `
  import { defineLambda, raw } from 'freshet/udl';
  export default defineLambda({
    name: 'test/echo', version: '1', input: raw(), emits: { out: raw() },
    run(events) { for (const event of events) event.emit.out(event.name, event.bytes); },
  });`;

interface Use {
  readonly code: string;
  readonly pool: { readonly kind: string; readonly maxValueBytes?: number };
  readonly timeoutMs?: number;
}

/** Deploys `/<name>/in` → the lambda → `/<name>/out`. */
async function deploy(cluster: ServingCluster, folder: string, name: string, given: Use) {
  const { code, pool, ...rest } = given;
  const place = join(folder, name);
  await mkdir(place);
  await writeFile(join(place, 'lambda.ts'), code);
  const edges = { out: [{ to: `/${name}/out`, by: 'put' }] };
  const use = { module: './lambda.ts', edges, ...rest };
  const document = {
    name,
    pools: [
      { name: `/${name}/in`, ...pool, schema: 'raw' },
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
      await deploy(cluster, folder, name, { code: echo, pool: { kind } });
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

/** Length and a sum that tells the bytes and their order. */
function sumOf(bytes: Uint8Array): string {
  let sum = 0;
  for (const byte of bytes) sum = (31 * sum + byte) % 65_521;
  return `${String(bytes.length)} ${String(sum)}`;
}

it('a lambda that is behind gets long values from disk', async () => {
  const folder = await tempFolder();
  const data = join(folder, 'data');
  // At most one such value stays in the memory of its shard.
  const config = { memory: { ringBudgetBytes: 24 * MiB, shardBytes: 100 * MiB } };
  const values = ['a', 'b', 'c'].map((key) => ({ key, value: Buffer.alloc(67 * MiB + 3, key) }));
  const code = `
    import { defineLambda, raw } from 'freshet/udl';
    const sumOf = ${sumOf.toString()};
    export default defineLambda({
      name: 'test/late', version: '1', input: raw(), emits: { out: raw() },
      async run(events, ctx) {
        const out = ctx.db.pool('/late/out', raw());
        while ((await out.get('open')) === null) await new Promise((go) => setTimeout(go, 10));
        for (const event of events) event.emit.out(event.name, Buffer.from(sumOf(event.bytes)));
      },
    });`;
  const pool = { kind: 'persistent', maxValueBytes: 80 * MiB };
  let cluster = await startServingCluster(data, { members: 1, config });
  try {
    await deploy(cluster, folder, 'late', { code, pool, timeoutMs: 60_000 });
    for (const { key, value } of values) await cluster.db.pool('/late/in', raw()).put(key, value);
  } finally {
    await cluster.close();
  }
  cluster = await startServingCluster(data, { members: 1, config });
  try {
    const out = cluster.db.pool('/late/out', raw());
    await out.put('open', Buffer.from('x'));
    await outputs(cluster.db, 'late', ['a', 'b', 'c']);
    for (const { key, value } of values) {
      expect(Buffer.from((await out.get(key))?.value ?? []).toString()).toBe(sumOf(value));
    }
  } finally {
    await cluster.close();
  }
});
