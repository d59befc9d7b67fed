/** The local cluster behind `freshet dev`: members as processes, doors on known ports. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, packageRoot } from '../base/mod.ts';
import { GrpcDoor } from '../client/grpc/mod.ts';
import {
  type LocalCluster,
  memberEntry,
  startLocalCluster,
  unlessAborted,
} from '../local-cluster.ts';
import type { ServingOptions, ServingPorts } from '../serving.ts';

export interface DevClusterOptions {
  readonly members: number;
  readonly dataFolder: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Wipe the data first. */
  readonly fresh: boolean;
  readonly logLevel: string;
  /** Aborted: give up the start, which then rejects CANCELLED. */
  readonly signal?: AbortSignal;
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
/** Before a member that ended is started again. */
const restartPauseMs = 1000;

/**
 * Starts the members and waits until all shards run. A member that ends by itself later is started
 * again until it runs, and said so by `onNote`. Rejects with a coded error.
 */
export async function startDevCluster(
  options: DevClusterOptions,
  onProgress: (text: string) => void,
  onNote: (text: string) => void,
): Promise<DevCluster> {
  if (options.fresh) await rm(options.dataFolder, { recursive: true, force: true });
  onProgress(`starting ${String(options.members)} members`);
  let closing = false;
  let members: LocalCluster | null = null;
  const startAgain = (id: number): void => {
    setTimeout(() => {
      if (closing || members === null) return;
      members.start(id).catch((error: unknown) => {
        if (closing) return;
        onNote(`member ${String(id)} does not start: ${messageOf(error)}; it is tried again`);
        startAgain(id);
      });
    }, restartPauseMs);
  };
  const cluster = await startLocalCluster({
    members: options.members,
    dataFolder: options.dataFolder,
    config: { logLevel: options.logLevel },
    entry: memberEntry('serving-member'),
    extra: (node) => servingOptions(options, node),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onLost: (id, how) => {
      if (closing) return;
      onNote(`member ${String(id)} ended with ${how}; it is started again`);
      startAgain(id);
    },
  });
  members = cluster;
  try {
    onProgress('waiting for the shards');
    await unlessAborted(cluster.whenRunning(), options.signal);
    const ports = cluster.members[0]?.info as ServingPorts;
    const grpc = `${host}:${String(ports.grpc)}`;
    const door = new GrpcDoor(grpc, { token: null, timeoutMs: deployTimeoutMs });
    return {
      cluster,
      door,
      grpc,
      http: `http://${host}:${String(ports.http)}`,
      close: async () => {
        closing = true;
        await door.close();
        await cluster.close();
      },
    };
  } catch (error) {
    closing = true;
    await cluster.close();
    throw error;
  }
}

/** The first member has the known ports; the others any. */
function servingOptions(options: DevClusterOptions, node: number): ServingOptions {
  const isFirst = node === 1;
  const dashboard = path.join(packageRoot(), 'dist', 'dashboard');
  return {
    host,
    grpcPort: isFirst ? options.grpcPort : 0,
    httpPort: isFirst ? options.httpPort : 0,
    nativePort: 0,
    allowedHosts: [],
    dashboardFolder: existsSync(dashboard) ? dashboard : null,
    searchPorts: true,
  };
}
