import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parsePrepared, preparePipeline } from '../../../platform/lambda/mod.ts';
import { parsePipeline } from '../../../platform/lambda/pipeline.ts';
import { makeTempFolder, repositoryRoot, type TemporaryFolder } from '../../support/mod.ts';

let place: TemporaryFolder;
let folder: string;

beforeAll(async () => {
  place = await makeTempFolder();
  folder = place.path;
  await writeFile(
    join(folder, 'lambda.mjs'),
    `import { defineLambda, raw, Type } from '${repositoryRoot}/udl/mod.ts';
     const min = Type.Number({ default: 1 });
     export default defineLambda({ name: 'a/b', version: '1', input: raw(), emits: { out: raw() },
       config: Type.Object({ min }), run() {} });`,
  );
  await writeFile(join(folder, 'bare.mjs'), `export default { name: 'a/b', run() {} };`);
});

afterAll(async () => {
  await place.remove();
});

const edge = { to: '/a/out', by: 'put' };
const use = { module: './lambda.mjs', edges: { out: [edge] } };
const node = { prefix: '/a/in', lambdas: [use] };
const pool = { name: '/a/in', kind: 'persistent' };
const whole = { name: 'a', pools: [pool], nodes: [node] };
const withUse = (change: object) => ({
  ...whole,
  nodes: [{ ...node, lambdas: [{ ...use, ...change }] }],
});
const withEdge = (change: object) => withUse({ edges: { out: [{ ...edge, ...change }] } });

it.each([
  [null, /it must be object, not null/],
  [{ ...whole, nods: [] }, /nods is not a known .*did you mean nodes/],
  [{ ...whole, nodes: [{ prefx: '/a/in', lambdas: [use] }] }, /nodes\[0\]\.prefx .*mean prefix/],
  [withUse({ modul: '' }), /nodes\[0\]\.lambdas\[0\]\.modul .*did you mean module/],
  [withEdge({ bye: 1 }), /edges\.out\[0\]\.bye .*did you mean by/],
  [withEdge({ by: 'puts' }), /edges\.out\[0\]\.by must be one of put, triggerPut, not "puts"/],
  [
    { ...whole, pools: [{ ...pool, kind: 'durable' }] },
    /pools\[0\]\.kind must be one of volatile, persistent, trigger, not "durable"/,
  ],
  [{ ...whole, pools: [{ ...pool, subgrup: '' }] }, /did you mean subgroup/],
  [withEdge({ to: '' }), /nodes\[0\]\.lambdas\[0\]\.edges\.out\[0\]\.to: .* empty/],
  [withEdge({ to: 'a/out' }), /\.to: .* does not start with '\/'/],
  [withEdge({ to: '/a/out/' }), /\.to: .* ends in '\/'/],
  [{ ...whole, nodes: [{ ...node, prefix: '/a/../in' }] }, /nodes\[0\]\.prefix: .*"\.\."/],
  [{ ...whole, loops: ['/a/inn'] }, /loops: no node has the prefix .*did you mean '\/a\/in'/],
  [
    { ...whole, nodes: [withEdge({ to: '/a/in' }).nodes[0], { ...node, lambdas: [use] }] },
    /the edges go round: \/a\/in -> \/a\/in/,
  ],
])('a pipeline file with a fault is refused with its place: %j', (document, message) => {
  const parse = () => parsePipeline(document, 'pipeline.json');
  expect(parse).toThrow(message);
  expect(parse).toThrow(expect.objectContaining({ code: 'INVALID_PIPELINE' }) as Error);
});

it.each([
  [withUse({ config: { mni: 1 } }), /'a\/b' at '\/a\/in': mni is not .*did you mean min/],
  [withUse({ config: { min: 'x' } }), /'a\/b' at '\/a\/in': min must be number, not "x"/],
  [withUse({ module: './bare.mjs' }), /has no lambda as its default export/],
  [{ ...whole, nodes: [node, node] }, /the lambda 'a\/b' stands at '\/a\/in' twice/],
])('a pipeline that does not fit its lambdas is refused: %j', async (document, message) => {
  const file = join(folder, 'pipeline.json');
  await writeFile(file, JSON.stringify(document));
  const refused = { code: 'INVALID_PIPELINE', message: expect.stringMatching(message) as string };
  await expect(preparePipeline(file)).rejects.toMatchObject(refused);
});

it('one that comes over the network is checked again', async () => {
  const file = join(folder, 'pipeline.json');
  await writeFile(file, JSON.stringify(whole));
  const { name, pools, nodes, assets, bundles, files } = await preparePipeline(file);
  const [first] = nodes;
  const parse = (changed: readonly object[]) => () =>
    parsePrepared(name, { pools, nodes: changed, assets }, bundles, files);
  expect(parse([{ ...first, on: 'puts' }])).toThrow(/nodes\[0\]\.on must be one of put, trigger/);
  expect(parse([...nodes, ...nodes])).toThrow(/'a\/b' stands at '\/a\/in' twice/);
});
