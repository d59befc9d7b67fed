/** Three serving members as `freshet dev` starts them, each a process; this one is their client. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { Database } from '../../platform/client/mod.ts';
import { preparePipeline } from '../../platform/lambda/mod.ts';
import { type LocalCluster, startLocalCluster } from '../../platform/local-cluster.ts';
import type { ServingPorts } from '../../platform/serving.ts';
import { loopbackDoors } from '../support/loopback-doors.ts';

const startTimeoutMs = 120_000;
const callTimeoutMs = 60_000;

export interface BenchCluster {
  readonly cluster: LocalCluster;
  /** To the first member. */
  readonly door: GrpcDoor;
  readonly db: Database;
  readonly ports: readonly ServingPorts[];
  readonly pids: readonly number[];
  readonly close: () => Promise<void>;
}

/**
 * Starts the members with their data below `folder` and waits until all shards run. `config`: what
 * theirs says besides.
 */
export async function startBenchCluster(
  folder: string,
  config: Readonly<Record<string, unknown>> = {},
): Promise<BenchCluster> {
  const isSource = import.meta.url.endsWith('.ts');
  const cluster = await startLocalCluster({
    dataFolder: join(folder, 'data'),
    config: { logLevel: 'error', ...config },
    entry: new URL(isSource ? './member/main.ts' : './member/main.js', import.meta.url),
    extra: () => loopbackDoors,
    startTimeoutMs,
  });
  try {
    await cluster.whenRunning(startTimeoutMs);
    const ports = cluster.members.map(({ info }) => info as ServingPorts);
    const address = `127.0.0.1:${String(ports[0]?.grpc)}`;
    const door = new GrpcDoor(address, { token: null, timeoutMs: callTimeoutMs });
    return {
      cluster,
      door,
      db: new Database(door),
      ports,
      pids: cluster.members.flatMap(({ process: child }) => child?.pid ?? []),
      close: async () => {
        await door.close();
        await cluster.close();
      },
    };
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** Deploys the pipeline of a file, as `freshet pipeline deploy` does. */
export async function deployPipeline(door: GrpcDoor, file: string): Promise<void> {
  const { name, pools, nodes, assets, bundles, files } = await preparePipeline(file);
  const document = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
  await door.deploy({ name, document, bundles, assets: files });
}

/** Writes a pipeline of one lambda, `/<name>/in` to `/<name>/out`, and deploys it. */
export async function deployLambda(
  { door }: BenchCluster,
  folder: string,
  { name, code }: { readonly name: string; readonly code: string },
): Promise<void> {
  await writeFile(join(folder, `${name}-lambda.ts`), code);
  const pool = (end: string) => ({ name: `/${name}/${end}`, kind: 'volatile', schema: 'raw' });
  const edges = { out: [{ to: `/${name}/out`, by: 'put' }] };
  const lambdas = [{ module: `./${name}-lambda.ts`, edges }];
  const nodes = [{ prefix: `/${name}/in`, lambdas }];
  const file = join(folder, `${name}-pipeline.json`);
  await writeFile(file, JSON.stringify({ name, pools: [pool('in'), pool('out')], nodes }));
  await deployPipeline(door, file);
}
