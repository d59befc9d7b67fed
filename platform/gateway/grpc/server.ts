import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { formatAddress, FreshetError, limits, messageOf } from '../../base/mod.ts';
import { ClusterService, ObjectsService, PipelinesService, PoolsService } from '../../wire/mod.ts';
import type { Backend } from '../backend.ts';
import { clusterService, pipelinesService, poolsService } from './admin-services.ts';
import { objectsService } from './objects-service.ts';

export interface GrpcServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Of long values on their way in, and out, at once. Default: `gatewayLimits.longBodyBytes`. */
  readonly longBodyBytes?: number;
  /** Long values are given up by it, ms. Default: `gatewayLimits.longIdleMs`, as it says. */
  readonly idleMs?: number;
}

export interface RunningGrpcServer {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const messageBytesMax = limits.valueBytesWhole + 1024 * 1024;

/** Opens the gRPC door of a member; ADDRESS_IN_USE names the port. */
export async function startGrpcServer(
  backend: Backend,
  { host, port, ...long }: GrpcServerOptions,
): Promise<RunningGrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
  });
  server.addService(ObjectsService, objectsService(backend, long));
  server.addService(PoolsService, poolsService(backend));
  server.addService(PipelinesService, pipelinesService(backend));
  server.addService(ClusterService, clusterService(backend));
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
  const bound = await bind(server, host, port);
  return {
    port: bound,
    close: async () =>
      new Promise((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
        }, 1000);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
}

async function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(
      formatAddress(host, port),
      ServerCredentials.createInsecure(),
      (error, bound) => {
        if (error === null) {
          resolve(bound);
          return;
        }
        const text = `The gRPC door cannot listen on ${formatAddress(host, port)}: ${messageOf(error)}`;
        reject(new FreshetError('ADDRESS_IN_USE', text, { cause: error }));
      },
    );
  });
}
