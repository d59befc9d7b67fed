/**
 * Eight lambdas that have one large value at hand at a time, in a member that is a process of its
 * own: of its memory Linux tells the most that it ever had.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { Database, raw } from '../../platform/client/mod.ts';
import { preparePipeline } from '../../platform/lambda/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ServingPorts } from '../../platform/serving.ts';
import { startProcessCluster } from '../support/cluster.ts';
import { loopbackDoors } from '../support/loopback-doors.ts';
import { makeTempFolder, programFile, type TemporaryFolder, until } from '../support/mod.ts';

const MiB = 2 ** 20;
const valueBytes = 64 * MiB;
const fill = 3;
const told = `${String(valueBytes)} ${String(valueBytes * fill)}`;
/** What eight lambdas may take beside the store. */
const riseMax = 80 * MiB;
const names = Array.from({ length: 8 }, (_, nth) => `l${String(nth)}`);

let folder: TemporaryFolder;
let running: LocalCluster;
let ports: ServingPorts;
let door: GrpcDoor;
let database: Database;

beforeEach(async () => {
  folder = await makeTempFolder();
  running = await startProcessCluster(join(folder.path, 'data'), {
    members: 1,
    entry: pathToFileURL(programFile('test/support/weighed-member.ts')),
    extra: () => loopbackDoors,
  });
  ports = running.members[0]?.info as ServingPorts;
  const address = `127.0.0.1:${String(ports.grpc)}`;
  door = new GrpcDoor(address, { token: null, timeoutMs: 60_000 });
  database = new Database(door);
});

afterEach(async () => {
  await door.close();
  await running.close();
  await folder.remove();
});

/**
 * `body` runs for each `event`. `tell` puts the length and the sum of bytes under a key of its own;
 * `hold` goes on when `/sums/end` is there.
 */
function lambdaOf(nth: string, body: string): string {
  return `
    import { defineLambda, raw } from 'freshet/udl';
    export default defineLambda({
      name: 'test/${nth}', version: '1', input: raw(), emits: { out: raw() }, timeoutMs: 60_000,
      async run(events, ctx) {
        const sums = ctx.db.pool('/sums', raw());
        const tell = async (key, bytes) => {
          let sum = 0;
          for (let i = 0; i < bytes.length; i++) sum += bytes[i];
          await sums.put(key + '/${nth}', Buffer.from(bytes.length + ' ' + sum));
        };
        const until = async (key) => {
          while ((await sums.get(key)) === null) await new Promise((go) => setTimeout(go, 10));
        };
        for (const event of events) { ${body} }
      },
    });`;
}

async function deploy(kind: string, lambdas: Readonly<Record<string, string>>): Promise<void> {
  for (const [nth, body] of Object.entries(lambdas)) {
    await writeFile(join(folder.path, `${nth}.ts`), lambdaOf(nth, body));
  }
  const edges = { out: [{ to: '/sums', by: 'put' }] };
  const document = {
    name: 'shared',
    pools: [
      { name: '/in', kind, schema: 'raw' },
      { name: '/big', kind, schema: 'raw' },
      { name: '/sums', kind: 'volatile', schema: 'raw' },
    ],
    nodes: [
      {
        prefix: '/in',
        lambdas: Object.keys(lambdas).map((nth) => ({ module: `./${nth}.ts`, edges })),
      },
    ],
  };
  await writeFile(join(folder.path, 'pipeline.json'), JSON.stringify(document));
  const prepared = await preparePipeline(join(folder.path, 'pipeline.json'));
  const { pools, nodes, assets, bundles, files } = prepared;
  const encoded = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
  await door.deploy({ name: 'shared', document: encoded, bundles, assets: files });
  await member('makeValue', { bytes: valueBytes, fill });
}

const member = async (name: string, argument: unknown = null): Promise<unknown> =>
  running.call(1, name, argument);
const pool = (name: string) => database.pool(name, raw());

/** What stands under `/sums/<key>` of each lambda, once all have told. */
async function sums(key: string, lambdas = names): Promise<readonly string[]> {
  const found = new Map<string, string>();
  await until(async () => {
    for (const nth of lambdas.filter((one) => !found.has(one))) {
      const object = await pool('/sums').get(`${key}/${nth}`);
      if (object !== null) found.set(nth, Buffer.from(object.value).toString());
    }
    return found.size === lambdas.length;
  });
  return lambdas.map((nth) => found.get(nth) ?? '');
}

/** By how much the most memory that `work` needs is above what there was before it. */
async function riseIn(work: () => Promise<unknown>): Promise<number> {
  const before = (await member('settle')) as number;
  await work();
  return ((await member('peak')) as number) - before;
}

async function copiedBy(who: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${String(ports.http)}/metrics`);
  const sample = new RegExp(`^freshet_copied_bytes_total\\{[^}]*by="${who}"\\} (\\d+)$`, 'm');
  return Number(sample.exec(await answer.text())?.[1]);
}

// Garbage counts too, which is collected late where others use the processors: a second look.
const measured = { retry: 1 };

describe.each(['volatile', 'persistent'] as const)('a value of 64 MiB in a %s pool', (kind) => {
  it('is one copy for eight lambdas that it runs', measured, async () => {
    const body = `await tell(event.name, event.bytes); if (event.name === 'big') await until('end');`;
    await deploy(kind, Object.fromEntries(names.map((nth) => [nth, body])));
    await pool('/in').put('small', Buffer.from('x'));
    await sums('small');
    const stored = await riseIn(async () => member('put', '/big/alone'));
    const copied = await copiedBy('loop');
    const read = await riseIn(async () => {
      await member('put', '/in/big');
      expect(await sums('big')).toEqual(names.map(() => told));
    });
    expect(stored).toBeGreaterThan(valueBytes);
    expect(read - stored).toBeLessThan(riseMax);
    const copies = ((await copiedBy('loop')) - copied) / valueBytes;
    expect([Math.floor(copies), await copiedBy('lambda')]).toEqual([1, 0]);
    await pool('/sums').put('end', Buffer.from('x'));
  });

  it('is one copy for eight lambdas that get it', measured, async () => {
    const body = `
      if (event.name === 'small') await tell(event.name, event.bytes);
      else {
        const { value } = await ctx.db.pool('/big', raw()).get('alone');
        await tell(event.name, value);
        await until('end');
      }`;
    await deploy(kind, Object.fromEntries(names.map((nth) => [nth, body])));
    await pool('/in').put('small', Buffer.from('x'));
    await sums('small');
    await member('put', '/big/alone');
    const read = await riseIn(async () => {
      await pool('/in').put('go', Buffer.from('x'));
      expect(await sums('go')).toEqual(names.map(() => told));
    });
    expect(read).toBeGreaterThan(valueBytes);
    expect(read).toBeLessThan(riseMax);
    await pool('/sums').put('end', Buffer.from('x'));
  });
});

describe('a lambda that writes into a value', () => {
  const tellSum = `
    let sum = 0;
    for (let i = 0; i < event.bytes.length; i++) sum += event.bytes[i];
    event.emit.out(event.name + '/sum/' + '%', Buffer.from(event.bytes.length + ' ' + sum));`;

  it('runs again with a copy of its own, as does who read it meanwhile', async () => {
    const writer = `
      event.bytes.fill(7);
      await sums.put('written', Buffer.from('x'));
      await until('read');
      ${tellSum.replace('%', 'writer')}`;
    const reader = `
      await until('written');
      ${tellSum.replace('%', 'reader')}
      await sums.put('read', Buffer.from('x'));`;
    await deploy('volatile', { writer, reader });
    await member('put', '/in/big');
    const written = `${String(valueBytes)} ${String(valueBytes * 7)}`;
    expect(await sums('big/sum', ['reader', 'writer'])).toEqual([told, written]);
    const stored = await pool('/in').get('big');
    expect(stored?.value.every((byte) => byte === fill)).toBe(true);
    // Each has read a copy of its own.
    expect(Math.floor((await copiedBy('lambda')) / valueBytes)).toBe(2);
  });

  it('leaves it as it was stored for who comes later', async () => {
    // In its first run it is not known yet that it wrote.
    const writer = `
      const isAgain = globalThis.hasWritten === true;
      globalThis.hasWritten = event.name === 'big';
      event.bytes.fill(7);
      if (isAgain || event.name === 'small') await sums.put(event.name + '/over', Buffer.from('x'));`;
    // Busy with the small one until the writer is done with the big one.
    const late = `
      if (event.name === 'small') {
        await sums.put('small/begun', Buffer.from('x'));
        await until('go');
      } else await tell(event.name, event.bytes);`;
    await deploy('volatile', { writer, late });
    await pool('/in').put('small', Buffer.from('x'));
    await sums('small', ['begun', 'over']);
    await member('put', '/in/big');
    await sums('big', ['over']);
    await pool('/sums').put('go', Buffer.from('x'));
    expect(await sums('big', ['late'])).toEqual([told]);
  });
});
