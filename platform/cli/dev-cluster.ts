/** The local cluster behind `freshet dev`: members as processes, doors on known ports. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { GrpcDoor } from '../client/mod.ts';
import { describeChange, type DeployedPipeline, preparePipeline } from '../lambda/mod.ts';
import { type LocalCluster, startLocalCluster } from '../local-cluster.ts';
import type { ServingOptions, ServingPorts } from '../serving.ts';

export interface DevClusterOptions {
  readonly members: number;
  readonly dataFolder: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Wipe the data first. */
  readonly fresh: boolean;
  readonly logLevel: string;
}

export interface DevCluster {
  readonly cluster: LocalCluster;
  readonly door: GrpcDoor;
  /** gRPC and HTTP addresses of the first member. */
  readonly grpc: string;
  readonly http: string;
  readonly close: () => Promise<void>;
}

const host = '127.0.0.1';
const deployTimeoutMs = 60_000;

/** The repository's (or the package's) own folder, from sources and from dist alike. */
export function packageRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

/** Starts the members and waits until all shards run. Rejects with a coded error. */
export async function startDevCluster(
  options: DevClusterOptions,
  onProgress: (text: string) => void,
): Promise<DevCluster> {
  if (options.fresh) await rm(options.dataFolder, { recursive: true, force: true });
  onProgress(`starting ${String(options.members)} members`);
  const isSource = import.meta.url.endsWith('.ts');
  const cluster = await startLocalCluster({
    members: options.members,
    dataFolder: options.dataFolder,
    config: { logLevel: options.logLevel },
    entry: new URL(isSource ? '../serving-member.ts' : '../serving-member.js', import.meta.url),
    extra: (node) => servingOptions(options, node),
  });
  try {
    onProgress('waiting for the shards');
    await cluster.whenRunning();
    const ports = cluster.members[0]?.info as ServingPorts;
    const grpc = `${host}:${String(ports.grpc)}`;
    const door = new GrpcDoor(grpc, { token: null, timeoutMs: deployTimeoutMs });
    return {
      cluster,
      door,
      grpc,
      http: `http://${host}:${String(ports.http)}`,
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

/** Deploys a pipeline unless the very same one is in force. */
export async function deployOnce(door: GrpcDoor, file: string): Promise<boolean> {
  const prepared = await preparePipeline(file);
  const running = (await door.pipelines()) as readonly DeployedPipeline[];
  const before = running.find(({ name }) => name === prepared.name) ?? null;
  const isSame =
    before !== null &&
    describeChange(before, prepared).length === 0 &&
    JSON.stringify(before.assets) === JSON.stringify(prepared.assets);
  if (isSame) return false;
  const { name, pools, nodes, assets, bundles, files } = prepared;
  const document = new TextEncoder().encode(JSON.stringify({ pools, nodes, assets }));
  await door.deploy({ name, document, bundles, assets: files });
  return true;
}

/** The first member has the known ports; the others any. */
function servingOptions(options: DevClusterOptions, node: number): ServingOptions {
  const isFirst = node === 1;
  const dashboard = path.join(packageRoot(), 'dist', 'dashboard');
  return {
    host,
    grpcPort: isFirst ? options.grpcPort : 0,
    httpPort: isFirst ? options.httpPort : 0,
    allowedHosts: [],
    dashboardFolder: existsSync(dashboard) ? dashboard : null,
    searchPorts: true,
  };
}
