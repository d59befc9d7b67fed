import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, raw } from '../../platform/client/mod.ts';
import { type DeadLetter, deadLetterPool, preparePipeline } from '../../platform/lambda/mod.ts';
import { makeTempFolder, repositoryRoot, type TemporaryFolder } from '../support/mod.ts';
import { type ServingCluster, startServingCluster } from '../support/serving.ts';

/** Real members, real worker threads, lambdas deployed through the gRPC door. */
let folder: TemporaryFolder;
let cluster: ServingCluster;

beforeAll(async () => {
  folder = await makeTempFolder();
  cluster = await startServingCluster(join(folder.path, 'data'));
});

afterAll(async () => {
  await cluster.close();
  await folder.remove();
});

let pipelines = 0;

interface Use {
  readonly code: string;
  readonly edges?: Record<string, { to: string; by: 'put' | 'triggerPut' }[]>;
  readonly config?: unknown;
  readonly workers?: number;
  readonly timeoutMs?: number;
  /** Of what the lambda runs on, in place of `/p<n>/in`. */
  readonly prefix?: string;
}

/** Deploys one pipeline: `/p<n>/in` runs the lambda, emits go to `/p<n>/out`. */
async function deploy(
  kind: 'volatile' | 'persistent' | 'trigger',
  use: Use,
  name = `p${String(++pipelines)}`,
): Promise<string> {
  const place = join(folder.path, name);
  await mkdir(place, { recursive: true });
  await writeFile(join(place, 'lambda.ts'), use.code);
  const document = {
    name,
    pools: [
      { name: `/${name}/in`, kind, schema: 'raw' },
      { name: `/${name}/out`, kind: 'persistent', schema: 'raw' },
    ],
    nodes: [
      {
        prefix: use.prefix ?? `/${name}/in`,
        lambdas: [
          {
            module: './lambda.ts',
            edges: use.edges ?? { out: [{ to: `/${name}/out`, by: 'put' }] },
            ...(use.config === undefined ? {} : { config: use.config }),
            ...(use.workers === undefined ? {} : { workers: use.workers }),
            ...(use.timeoutMs === undefined ? {} : { timeoutMs: use.timeoutMs }),
          },
        ],
      },
    ],
  };
  await writeFile(join(place, 'pipeline.json'), JSON.stringify(document));
  const prepared = await preparePipeline(join(place, 'pipeline.json'));
  const { pools, nodes, assets, bundles, files } = prepared;
  const encoded = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
  await cluster.door.deploy({ name, document: encoded, bundles, assets: files });
  return name;
}

/** A lambda whose `run` is `body`, over `event`, for each event. */
function lambdaOf(body: string, options = ''): string {
  return `
    import { defineLambda, raw } from 'freshet/udl';
    export default defineLambda({
      name: 'test/lambda', version: '1', input: raw(), emits: { out: raw() }, ${options}
      async run(events, ctx) { for (const event of events) { ${body} } },
    });`;
}

const gates = 'gates';
/** More triggers than a lambda's queue takes, and a part of them, as one event may emit. */
const flood = { triggers: 12_000, each: 1000 };
const echo = `event.emit.out(event.name, event.bytes);`;
const bytes = (text: string) => Buffer.from(text);
const pool = (name: string) => cluster.db.pool(name, raw());

/** What arrives under a prefix until there are `count`. */
async function collect(prefix: string, count: number): Promise<{ key: string; text: string }[]> {
  const found: { key: string; text: string }[] = [];
  const abort = new AbortController();
  for await (const event of cluster.door.watch({ prefix, from: 'start', signal: abort.signal })) {
    const text = Buffer.from(event.object.value ?? []).toString();
    found.push({ key: event.object.key, text });
    if (found.length === count) break;
  }
  abort.abort();
  return found;
}

/** Has any member refused triggers of this pipeline for want of room? */
async function anyRefused(pipeline: string): Promise<boolean> {
  const texts = await Promise.all(
    cluster.ports.map(async ({ http }) => {
      const answer = await fetch(`http://127.0.0.1:${String(http)}/metrics`);
      return answer.text();
    }),
  );
  const sample = new RegExp(`refused_total\\{[^}]*"/${pipeline}/in"[^}]*\\} [1-9]`);
  return texts.some((text) => sample.test(text));
}

async function deadLetterOf(pipeline: string): Promise<DeadLetter> {
  const letters = cluster.db.pool<DeadLetter>(deadLetterPool, json<DeadLetter>());
  for await (const event of letters.watch({ prefix: `${pipeline}/`, from: 'start' })) {
    if (event.kind === 'put') return event.object.value;
  }
  throw new Error('the watch ended');
}

describe('a deployed lambda', () => {
  it('runs on puts at any depth under its prefix and emits along its edge', async () => {
    const name = await deploy('persistent', { code: lambdaOf(echo) });
    await pool(`/${name}/in`).put('a', bytes('1'));
    await pool(`/${name}/in`).put('deep/er/b', bytes('2'));
    const found = await collect(`/${name}/out`, 2);
    expect(new Set(found.map(({ key, text }) => `${key}=${text}`))).toEqual(
      new Set([`/${name}/out/a=1`, `/${name}/out/deep/er/b=2`]),
    );
  });

  it('keeps the order of each key over many keys, versions and members', async () => {
    const name = await deploy('volatile', { code: lambdaOf(echo), workers: 2 });
    const puts = Array.from({ length: 300 }, (_, n) => ({ key: n % 7, n }));
    await Promise.all(
      puts.map(async ({ key, n }) => pool(`/${name}/in`).put(`k${String(key)}`, bytes(String(n)))),
    );
    const order = new Map<string, number[]>();
    for (const { key, text } of await collect(`/${name}/out`, puts.length)) {
      order.set(key, [...(order.get(key) ?? []), Number(text)]);
    }
    expect(order.size).toBe(7);
    for (const numbers of order.values()) {
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  it('takes trigger puts without storing them', async () => {
    const name = await deploy('trigger', { code: lambdaOf(echo, `on: 'trigger',`) });
    const { members } = await pool(`/${name}/in`).triggerPut('cam', bytes('frame'));
    expect(members).toHaveLength(1);
    expect(await collect(`/${name}/out`, 1)).toEqual([{ key: `/${name}/out/cam`, text: 'frame' }]);
    expect(await cluster.door.get({ key: `/${name}/in/cam` })).toBeNull();
  });

  it('runs once at one member, or at every member with dispatch all', async () => {
    const body = `event.emit.out(event.name + '-' + ctx.node, event.bytes);`;
    const one = await deploy('persistent', { code: lambdaOf(body) });
    const all = await deploy('persistent', { code: lambdaOf(body, `dispatch: 'all',`) });
    await pool(`/${one}/in`).put('x', bytes('1'));
    await pool(`/${all}/in`).put('x', bytes('1'));
    const keys = (await collect(`/${all}/out`, 3)).map(({ key }) => key);
    expect(new Set(keys)).toEqual(
      new Set([1, 2, 3].map((node) => `/${all}/out/x-${String(node)}`)),
    );
    await pool(`/${one}/in`).put('y', bytes('1'));
    const single = (await collect(`/${one}/out`, 2)).map(({ key }) => key.split('/').at(-1)?.[0]);
    expect(single.toSorted()).toEqual(['x', 'y']);
  });

  it('reads the store through ctx.db', async () => {
    const body = `
      const found = await ctx.db.pool('/' + ctx.config.pipeline + '/in', raw()).get(event.name);
      event.emit.out(event.name, Buffer.concat([found.value, Buffer.from('+')]));`;
    const options = `config: Type.Object({ pipeline: Type.String() }),`;
    const code = lambdaOf(body, options).replace('raw }', 'raw, Type }');
    const name = await deploy('persistent', {
      code,
      config: { pipeline: `p${String(pipelines + 1)}` },
    });
    await pool(`/${name}/in`).put('a', bytes('1'));
    expect(await collect(`/${name}/out`, 1)).toEqual([{ key: `/${name}/out/a`, text: '1+' }]);
  });
});

describe('a lambda that fails', () => {
  it('in run: its event ends as a dead letter, the others go on', async () => {
    const body = `if (event.name === 'bad') throw new Error('no such cow'); ${echo}`;
    const name = await deploy('persistent', {
      code: lambdaOf(body, `retries: { max: 1, backoffMs: [1, 2] },`),
    });
    await pool(`/${name}/in`).put('good1', bytes('1'));
    await pool(`/${name}/in`).put('bad', bytes('2'));
    await pool(`/${name}/in`).put('good2', bytes('3'));
    const letter = await deadLetterOf(name);
    expect(letter).toMatchObject({
      pipeline: name,
      lambda: 'test/lambda',
      error: { code: 'LAMBDA_FAILED', message: 'no such cow' },
      input: { key: `/${name}/in/bad`, kind: 'put' },
    });
    const keys = (await collect(`/${name}/out`, 2)).map(({ key }) => key);
    expect(new Set(keys)).toEqual(new Set([`/${name}/out/good1`, `/${name}/out/good2`]));
  });

  it('with a message without end: the letter keeps its beginning', async () => {
    const name = await deploy('persistent', {
      code: lambdaOf(`throw new Error('no'.repeat(1e6));`, `retries: { max: 0 },`),
    });
    await pool(`/${name}/in`).put('bad', bytes('1'));
    const { message } = (await deadLetterOf(name)).error;
    expect(message).toMatch(/^nono.*no…$/);
    expect(message.length).toBeLessThan(10_000);
  });

  it('on the dead letters themselves: it writes none about them', async () => {
    const thrower = { code: lambdaOf(`throw new Error('no');`, `retries: { max: 0 },`) };
    const reader = await deploy('persistent', { ...thrower, prefix: deadLetterPool });
    const name = await deploy('persistent', thrower);
    await pool(`/${name}/in`).put('bad', bytes('1'));
    await deadLetterOf(name);
    const failed = async () => {
      const samples = await Promise.all(
        cluster.ports.map(async ({ http }) => {
          const reply = await fetch(`http://127.0.0.1:${String(http)}/v1/sample`);
          return (await reply.json()) as { stages: { prefix: string; failed: number }[] };
        }),
      );
      const stages = samples.flatMap(({ stages: all }) => all);
      return stages.find(({ prefix, failed: count }) => prefix === deadLetterPool && count > 0);
    };
    await expect.poll(failed, { timeout: 20_000 }).toBeDefined();
    const letters: string[] = [];
    for await (const letter of pool(deadLetterPool).list({ prefix: `${reader}/` })) {
      letters.push(letter);
    }
    expect(letters).toEqual([]);
    await cluster.door.removePipeline(reader);
  });

  it('by hanging: it is ended, started again, and goes on', async () => {
    const body = `if (event.name === 'hang') for (;;); ${echo}`;
    const name = await deploy('persistent', {
      code: lambdaOf(body, `retries: { max: 0, backoffMs: [1, 2] },`),
      timeoutMs: 500,
    });
    await pool(`/${name}/in`).put('hang', bytes('1'));
    expect((await deadLetterOf(name)).error.code).toBe('LAMBDA_TIMEOUT');
    await pool(`/${name}/in`).put('after', bytes('2'));
    expect(await collect(`/${name}/out`, 1)).toEqual([{ key: `/${name}/out/after`, text: '2' }]);
  });

  it('by inferring beyond its time: the member lives, the event is a dead letter', async () => {
    const model = join(repositoryRoot, 'pipelines/dairy/models/filter.onnx');
    const body = `
      const frame = new ort.Tensor('float32', new Float32Array(3 * 96 * 128), [1, 3, 96, 128]);
      const infer = async () => ctx.state.run({ [ctx.state.inputNames[0]]: frame });
      while (event.name === 'endless') await infer();
      await infer(); ${echo}`;
    const setup = `setup: async () => ort.InferenceSession.create(${JSON.stringify(model)}),`;
    const name = await deploy('persistent', {
      code: `import * as ort from 'onnxruntime-node';
        ${lambdaOf(body, `retries: { max: 1, backoffMs: [1, 2] }, ${setup}`)}`,
      timeoutMs: 500,
    });
    await pool(`/${name}/in`).put('endless', bytes('1'));
    expect((await deadLetterOf(name)).error.code).toBe('LAMBDA_TIMEOUT');
    await pool(`/${name}/in`).put('after', bytes('2'));
    expect(await collect(`/${name}/out`, 1)).toEqual([{ key: `/${name}/out/after`, text: '2' }]);
  });

  it('by process.exit: the member lives, the event is a dead letter', async () => {
    const body = `if (event.name === 'exit') process.exit(3); ${echo}`;
    const name = await deploy('persistent', {
      code: lambdaOf(body, `retries: { max: 0, backoffMs: [1, 2] },`),
    });
    await pool(`/${name}/in`).put('exit', bytes('1'));
    expect((await deadLetterOf(name)).error.message).toMatch(/ended by itself with code 3/);
    await pool(`/${name}/in`).put('after', bytes('2'));
    expect(await collect(`/${name}/out`, 1)).toHaveLength(1);
  });

  it('by leaking: its heap is limited and it is started again', async () => {
    const body = `
      if (event.name === 'leak') { const kept = []; for (;;) kept.push(new Array(1e5).fill(kept.length)); }
      ${echo}`;
    const name = await deploy('persistent', {
      code: lambdaOf(body, `retries: { max: 0, backoffMs: [1, 2] },`),
      timeoutMs: 60_000,
    });
    await pool(`/${name}/in`).put('leak', bytes('1'));
    expect((await deadLetterOf(name)).error.message).toMatch(/memory/);
    await pool(`/${name}/in`).put('after', bytes('2'));
    expect(await collect(`/${name}/out`, 1)).toHaveLength(1);
  });

  it('by emitting where it declares nothing: UNDECLARED_EDGE', async () => {
    const name = await deploy('persistent', {
      code: lambdaOf(`event.emit.elsewhere('x', event.bytes);`, `retries: { max: 0 },`),
    });
    await pool(`/${name}/in`).put('a', bytes('1'));
    expect((await deadLetterOf(name)).error).toMatchObject({
      code: 'UNDECLARED_EDGE',
      message: expect.stringContaining('elsewhere') as string,
    });
  });

  it('at import: refused when it is deployed, naming the module', async () => {
    const code = `throw new Error('broken at import');`;
    await expect(deploy('persistent', { code })).rejects.toMatchObject({
      code: 'INVALID_PIPELINE',
      message: expect.stringMatching(/lambda\.ts.*broken at import/) as string,
    });
  });

  it('by being flooded: a trigger beyond its queue is refused as OVERLOADED, none is lost', async () => {
    // It takes nothing further until the flood is over, however fast the machine.
    const body = `
      const gate = ctx.db.pool('/${gates}');
      while ((await gate.get('open')) === null) await new Promise((done) => setTimeout(done, 20));
      ${echo}`;
    await cluster.door.createPool({ name: `/${gates}`, kind: 'volatile' });
    const name = await deploy('trigger', {
      code: lambdaOf(body, `on: 'trigger', order: 'none', batch: { maxSize: 1024 },`),
      timeoutMs: 60_000,
    });
    const results = await Promise.allSettled(
      Array.from({ length: flood.triggers }, async (_, n) =>
        cluster.members[0]?.store.objects.triggerPut({
          key: `/${name}/in/one`,
          value: bytes(String(n)),
          timeoutMs: 60_000,
        }),
      ),
    );
    const refused = results.filter(
      ({ status }) => status === 'rejected',
    ) as PromiseRejectedResult[];
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused.map(({ reason }) => (reason as { code: string }).code))).toEqual(
      new Set(['OVERLOADED']),
    );
    await cluster.db.pool(`/${gates}`).put('open', true);
    const accepted = results.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []));
    const found = await collect(`/${name}/out`, accepted.length);
    expect(new Set(found.map(({ text }) => Number(text)))).toEqual(new Set(accepted));
  });

  it('by the emits of another: those without room are sent again, none is lost', async () => {
    const body = `
      const gate = ctx.db.pool('/${gates}');
      while ((await gate.get('later')) === null) await new Promise((done) => setTimeout(done, 20));
      ${echo}`;
    await cluster.door.createPool({ name: `/${gates}`, kind: 'volatile' });
    const flooded = await deploy('trigger', {
      code: lambdaOf(body, `on: 'trigger', order: 'none', batch: { maxSize: 1024 },`),
      timeoutMs: 60_000,
    });
    const flooding = `
      for (let n = 0; n < ${String(flood.each)}; n++) {
        event.emit.out(event.name, new TextEncoder().encode([event.version, n].join()));
      }`;
    const name = await deploy('volatile', {
      code: lambdaOf(flooding, `retries: { max: 0 },`),
      edges: { out: [{ to: `/${flooded}/in`, by: 'triggerPut' }] },
    });
    // Of one key, so that one member runs them all.
    for (let n = 0; n < flood.triggers / flood.each; n++) {
      await pool(`/${name}/in`).put('one', bytes('go'));
    }
    while (!(await anyRefused(flooded))) await new Promise((done) => setTimeout(done, 10));
    await cluster.db.pool(`/${gates}`).put('later', true);
    const found = await collect(`/${flooded}/out`, flood.triggers);
    expect(new Set(found.map(({ text }) => text)).size).toBe(flood.triggers);
  });
});

describe('a lambda that is deployed again', () => {
  /** Runs one event at a time, and the first one for ever. */
  const stuck = (version: string) =>
    lambdaOf(`await new Promise(() => { ctx.log.debug({}, '${version}'); });`, options);
  const options = `on: 'both', batch: { maxSize: 1 }, timeoutMs: 60_000,`;
  const names = Array.from({ length: 12 }, (_, n) => `t${String(n)}`);
  const send = async (name: string) => {
    for (const key of names) await pool(`/${name}/in`).triggerPut(key, bytes(key));
  };

  it('runs every trigger that the one before took in', async () => {
    const name = await deploy('trigger', { code: stuck('1') });
    await send(name);
    await deploy('trigger', { code: lambdaOf(echo, options) }, name);
    const found = await collect(`/${name}/out`, names.length);
    expect(new Set(found.map(({ text }) => text))).toEqual(new Set(names));
  });

  it('leaves a dead letter for every trigger when it is removed instead', async () => {
    const name = await deploy('trigger', { code: stuck('2') });
    await send(name);
    await cluster.door.removePipeline(name);
    const found = new Map<string, DeadLetter>();
    const letters = cluster.db.pool<DeadLetter>(deadLetterPool, json<DeadLetter>());
    for await (const event of letters.watch({ prefix: `${name}/`, from: 'start' })) {
      if (event.kind === 'put') found.set(event.object.value.input.key, event.object.value);
      if (found.size === names.length) break;
    }
    for (const key of names) {
      expect(found.get(`/${name}/in/${key}`)).toMatchObject({
        error: { code: 'CLOSED' },
        input: { kind: 'trigger', value: bytes(key).toString('base64') },
      });
    }
  });

  it('leaves out what was put while it was removed', async () => {
    const name = await deploy('persistent', { code: lambdaOf(echo) });
    await pool(`/${name}/in`).put('k', bytes('before'));
    await collect(`/${name}/out`, 1);
    await cluster.door.removePipeline(name);
    await pool(`/${name}/in`).put('k', bytes('between'));
    await deploy('persistent', { code: lambdaOf(echo) }, name);
    await pool(`/${name}/in`).put('k', bytes('after'));
    const texts = (await collect(`/${name}/out`, 2)).map(({ text }) => text);
    expect(texts).toEqual(['before', 'after']);
  });
});

describe('a pipeline that is not possible', () => {
  const check = async (change: (document: Record<string, unknown>) => void) => {
    const place = join(folder.path, `bad${String(++pipelines)}`);
    await mkdir(place);
    await writeFile(join(place, 'lambda.ts'), lambdaOf(echo));
    const document = {
      name: 'bad',
      nodes: [
        {
          prefix: '/a/in',
          lambdas: [{ module: './lambda.ts', edges: { out: [{ to: '/a/out', by: 'put' }] } }],
        },
      ],
    };
    change(document);
    await writeFile(join(place, 'pipeline.json'), JSON.stringify(document));
    return preparePipeline(join(place, 'pipeline.json'));
  };

  it('is refused with the place and the nearest name', async () => {
    await expect(
      check((document) => {
        document['nods'] = [];
      }),
    ).rejects.toThrow(/nods is not a known .*did you mean nodes/);
    await expect(
      check((document) => {
        document['nodes'] = [
          { prefix: '/a/in', lambdas: [{ module: './lambda.ts', edges: { owt: [] } }] },
        ];
      }),
    ).rejects.toThrow(/no output 'owt' \(did you mean 'out'\?\)/);
    await expect(
      check((document) => {
        document['nodes'] = [
          {
            prefix: '/a/in',
            lambdas: [{ module: './lambda.ts', edges: { out: [{ to: '/a/in', by: 'put' }] } }],
          },
        ];
      }),
    ).rejects.toThrow(/go round: \/a\/in -> \/a\/in/);
    await expect(
      check((document) => {
        document['assets'] = { model: './missing.onnx' };
      }),
    ).rejects.toThrow(/asset 'model' cannot be read/);
  });

  it('is refused at deploy when no pool holds a prefix', async () => {
    const { name, pools, nodes, assets, bundles, files } = await check(() => undefined);
    const document = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
    await expect(
      cluster.door.deploy({ name, document, bundles, assets: files }),
    ).rejects.toMatchObject({
      code: 'INVALID_PIPELINE',
      message: expect.stringContaining('/a/in') as string,
    });
  });
});
