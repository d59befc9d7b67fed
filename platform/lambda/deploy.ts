import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import {
  describeProblems,
  findProblems,
  FreshetError,
  isFreshetError,
  messageOf,
  nearestName,
} from '../base/mod.ts';
import type { Door, PoolInfo, PoolOptions } from '../client/mod.ts';
import { outputCodecs, parseLambdaConfig } from '../../udl/mod.ts';
import { type Bundle, bundleLambda } from './bundle.ts';
import {
  type DeployedPipeline,
  type LambdaNode,
  parsePipeline,
  PreparedSchema,
  type PipelineDocument,
} from './pipeline.ts';

/** A pipeline read, checked and bundled: everything that a deploy sends. */
export interface PreparedPipeline {
  readonly name: string;
  readonly pools: readonly PoolOptions[];
  readonly nodes: readonly LambdaNode[];
  readonly assets: Readonly<Record<string, string>>;
  /** SHA-256 -> content, of bundles and assets. */
  readonly bundles: ReadonlyMap<string, Uint8Array>;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Absolute paths of all that it was read from; empty when it came over the network. */
  readonly sources: readonly string[];
}

/** An asset travels as one object of the catalog. */
export const assetBytesMax = 32 * 1024 * 1024;

/** Reads a pipeline file and all it names. Throws INVALID_PIPELINE; asks no cluster. */
export async function preparePipeline(path: string): Promise<PreparedPipeline> {
  const folder = dirname(resolve(path));
  const document = parsePipeline(await readJson(path), path);
  const bundles = new Map<string, Uint8Array>();
  const nodes: LambdaNode[] = [];
  const sources = new Set([resolve(path)]);
  for (const { prefix, lambdas } of document.nodes) {
    for (const use of lambdas) {
      const bundle = await bundleLambda(resolve(folder, use.module));
      for (const source of bundle.sources) sources.add(source);
      bundles.set(bundle.sha256, new TextEncoder().encode(bundle.code));
      nodes.push(nodeOf(prefix, use, bundle, path));
    }
  }
  checkTwice(path, nodes);
  const { assets, files } = await readAssets(document, folder, path);
  for (const file of Object.values(document.assets ?? {})) sources.add(resolve(folder, file));
  return {
    name: document.name,
    pools: document.pools ?? [],
    nodes,
    assets,
    bundles,
    files,
    sources: [...sources],
  };
}

/** A prepared pipeline as it came over the network: form, hashes and sizes are checked here. */
export function parsePrepared(
  name: string,
  document: unknown,
  bundles: ReadonlyMap<string, Uint8Array>,
  files: ReadonlyMap<string, Uint8Array>,
): PreparedPipeline {
  const problems = findProblems(PreparedSchema, document);
  if (problems.length > 0 || !Value.Check(PreparedSchema, document)) {
    const text = `The pipeline '${name}' is malformed: ${describeProblems(problems)}`;
    throw new FreshetError('INVALID_PIPELINE', text);
  }
  const { pools, nodes, assets } = document;
  checkTwice(name, nodes);
  checkHashes(name, [...bundles, ...files]);
  for (const sha of nodes.map(({ bundle }) => bundle)) checkPresent(name, bundles, sha);
  for (const sha of Object.values(assets)) checkPresent(name, files, sha);
  return {
    name,
    pools,
    nodes,
    assets,
    bundles,
    files,
    sources: [],
  };
}

/** Creates the pools that are missing; every prefix and target must then lie in one. */
export async function ensurePools(
  door: Door,
  pipeline: PreparedPipeline,
): Promise<readonly PoolInfo[]> {
  const existing = new Map((await door.pools()).map((pool) => [pool.name, pool]));
  for (const options of pipeline.pools) {
    const found = existing.get(options.name);
    if (found === undefined) existing.set(options.name, await createOrFind(door, options));
    else checkSame(found, options);
  }
  const names = [...existing.keys()];
  for (const place of placesOf(pipeline)) {
    if (names.some((name) => place === name || place.startsWith(`${name}/`))) continue;
    const near = nearestName(place, names);
    const hint = near === null ? '' : ` (did you mean '${near}'?)`;
    throw new FreshetError('INVALID_PIPELINE', `No pool holds '${place}'${hint}`, {
      mend: "Create the pool, or list it under 'pools'",
    });
  }
  return [...existing.values()];
}

/** What members are told, given where every shard stands now. */
export function deployedForm(
  pipeline: PreparedPipeline,
  starts: DeployedPipeline['starts'],
  deployedAt: number,
): DeployedPipeline {
  const { name, nodes, assets } = pipeline;
  return { v: 1, name, nodes, assets, starts, deployedAt };
}

/** Two prepared forms differ in these lines; empty: nothing would change. */
export function describeChange(
  before: DeployedPipeline | null,
  after: Pick<PreparedPipeline, 'nodes'>,
): readonly string[] {
  const old = new Map((before?.nodes ?? []).map((node) => [`${node.prefix} ${node.lambda}`, node]));
  const lines: string[] = [];
  for (const node of after.nodes) {
    const id = `${node.prefix} ${node.lambda}`;
    const was = old.get(id);
    old.delete(id);
    if (was === undefined) lines.push(`+ ${id}`);
    else if (JSON.stringify(was) !== JSON.stringify(node)) lines.push(`~ ${id}`);
  }
  return [...lines, ...[...old.keys()].map((id) => `- ${id}`)];
}

/** Prefix and name are what tells where a lambda goes on, so they have to tell one from another. */
function checkTwice(source: string, nodes: readonly LambdaNode[]): void {
  const seen = new Set<string>();
  for (const { prefix, lambda } of nodes) {
    const id = `${prefix} ${lambda}`;
    if (seen.has(id)) {
      const text = `${source}: the lambda '${lambda}' stands at '${prefix}' twice`;
      throw new FreshetError('INVALID_PIPELINE', text, {
        mend: 'Leave one of them out, or give the other another name',
      });
    }
    seen.add(id);
  }
}

function checkHashes(name: string, blobs: readonly (readonly [string, Uint8Array])[]): void {
  for (const [sha256, content] of blobs) {
    if (createHash('sha256').update(content).digest('hex') === sha256) continue;
    throw new FreshetError(
      'INVALID_PIPELINE',
      `A file of the pipeline '${name}' does not have the hash ${sha256}`,
    );
  }
}

function checkPresent(name: string, blobs: ReadonlyMap<string, Uint8Array>, sha256: string): void {
  if (blobs.has(sha256)) return;
  throw new FreshetError(
    'INVALID_PIPELINE',
    `The pipeline '${name}' names ${sha256}, which it does not bring`,
  );
}

type Configurable = { readonly name: string; readonly config: TSchema | null };

function configOf(lambda: Configurable, given: unknown, place: string): unknown {
  const { config: schema } = lambda;
  if (schema !== null) {
    const filled: unknown = Value.Default(schema, structuredClone(given ?? {}));
    const problems = findProblems(schema, filled);
    if (problems.length > 0) {
      throw new FreshetError('INVALID_PIPELINE', `${place}: ${describeProblems(problems)}`);
    }
  }
  return parseLambdaConfig(lambda, given);
}

type LambdaUse = PipelineDocument['nodes'][number]['lambdas'][number];

function nodeOf(
  prefix: string,
  use: LambdaUse,
  { lambda, sha256 }: Bundle,
  path: string,
): LambdaNode {
  const outputs = [...outputCodecs(lambda.emits).keys()];
  const edges = use.edges ?? {};
  for (const name of Object.keys(edges)) {
    if (outputs.includes(name)) continue;
    const near = nearestName(name, outputs);
    const hint = near === null ? '' : ` (did you mean '${near}'?)`;
    throw new FreshetError(
      'INVALID_PIPELINE',
      `${path}: '${lambda.name}' at '${prefix}' has no output '${name}'${hint}`,
    );
  }
  for (const name of outputs) {
    if (edges[name] !== undefined) continue;
    throw new FreshetError(
      'INVALID_PIPELINE',
      `${path}: '${lambda.name}' at '${prefix}' emits to '${name}', for which there is no edge`,
      {
        mend: `Add "${name}" to its edges; [] drops what it emits there`,
      },
    );
  }
  const { name, version, on, order, dispatch, batch, retries } = lambda;
  return {
    prefix,
    lambda: name,
    version,
    bundle: sha256,
    config: configOf(lambda, use.config, `${path}: the configuration of '${name}' at '${prefix}'`),
    edges,
    on,
    order,
    dispatch,
    batch,
    retries,
    timeoutMs: use.timeoutMs ?? lambda.timeoutMs,
    workers: use.workers ?? 1,
    eager: use.eager ?? false,
  };
}

async function readAssets(document: PipelineDocument, folder: string, path: string) {
  const assets: Record<string, string> = {};
  const files = new Map<string, Uint8Array>();
  for (const [name, file] of Object.entries(document.assets ?? {})) {
    const content = await readFile(resolve(folder, file)).catch((cause: unknown) => {
      throw new FreshetError(
        'INVALID_PIPELINE',
        `${path}: the asset '${name}' cannot be read: ${messageOf(cause)}`,
        { cause },
      );
    });
    if (content.byteLength > assetBytesMax) {
      throw new FreshetError(
        'INVALID_PIPELINE',
        `${path}: the asset '${name}' has ${String(content.byteLength)} bytes; the limit is ${String(assetBytesMax)}`,
      );
    }
    const sha256 = createHash('sha256').update(content).digest('hex');
    assets[name] = sha256;
    files.set(sha256, content);
  }
  return { assets, files };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (cause) {
    throw new FreshetError(
      'INVALID_PIPELINE',
      `'${path}' is not a readable JSON file: ${messageOf(cause)}`,
      { cause },
    );
  }
}

async function createOrFind(door: Door, options: PoolOptions): Promise<PoolInfo> {
  try {
    return await door.createPool(options);
  } catch (error) {
    const found = (await door.pools()).find(({ name }) => name === options.name);
    if (!isFreshetError(error, 'POOL_EXISTS') || found === undefined) throw error;
    return found;
  }
}

function checkSame(found: PoolInfo, wanted: PoolOptions): void {
  for (const [field, value] of Object.entries(wanted)) {
    const is = found[field as keyof PoolInfo];
    if (is === value) continue;
    throw new FreshetError(
      'INVALID_PIPELINE',
      `The pool '${wanted.name}' exists with ${field} ${JSON.stringify(is)}, the pipeline wants ${JSON.stringify(value)}`,
    );
  }
}

function placesOf({ nodes }: PreparedPipeline): readonly string[] {
  return nodes.flatMap(({ prefix, edges }) => [
    prefix,
    ...Object.values(edges)
      .flat()
      .map(({ to }) => to),
  ]);
}
