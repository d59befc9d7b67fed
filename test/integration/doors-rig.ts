import http from 'node:http';
import net from 'node:net';
import { MemberDoor } from '../../platform/member-door.ts';
import type { Door } from '../../platform/client/mod.ts';
import { startServingCluster, type ServingCluster } from '../support/serving.ts';
import { makeTempFolder } from '../support/mod.ts';

/** Members with their doors open, and the ways into the first. */
export interface DoorsRig {
  readonly cluster: ServingCluster;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Replication port of the first member. */
  readonly replicationPort: number;
  readonly close: () => Promise<void>;
}

export async function startDoors(name: string, members = 3): Promise<DoorsRig> {
  const folder = await makeTempFolder(name);
  const cluster = await startServingCluster(folder.path, { members });
  const [ports] = cluster.ports;
  const [member] = cluster.members;
  return {
    cluster,
    httpPort: ports!.http,
    grpcPort: ports!.grpc,
    replicationPort: member!.config.members[0]!.port,
    close: async () => {
      await cluster.close();
      await folder.remove();
    },
  };
}

/** The door inside a member. */
export function memberDoor({ cluster }: DoorsRig, nth = 0): Door {
  return new MemberDoor(cluster.members[nth]!, () => ({}));
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface HttpAsk {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Uint8Array | string;
}

/** One request with its path as it is: fetch would fold `..` and refuse bad UTF-8 by itself. */
export async function ask(port: number, path: string, options: HttpAsk = {}): Promise<HttpAnswer> {
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers: answered } = response;
        resolve({ status: statusCode, headers: answered, body: Buffer.concat(chunks) });
      });
    });
    // The member may answer and hang up before a refused body has been sent.
    request.on('error', reject);
    request.end(body);
  });
}

export function jsonOf({ body }: HttpAnswer): unknown {
  return JSON.parse(body.toString()) as unknown;
}

export function linesOf({ body }: HttpAnswer): unknown[] {
  const lines = body.toString().split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

export interface RefusalBody {
  readonly error: { readonly code: string; readonly message: string; readonly mend: string };
}

export function errorOf(answer: HttpAnswer): RefusalBody['error'] {
  return (jsonOf(answer) as RefusalBody).error;
}

/** Sends bytes to a port and resolves with all it answers, once it or we have hung up. */
export async function sendRaw(
  port: number,
  parts: readonly (Uint8Array | string)[],
  { hangUp = true }: { hangUp?: boolean } = {},
): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve(Buffer.concat(chunks));
    });
    socket.on('connect', () => {
      for (const part of parts) socket.write(part);
      if (hangUp) socket.end();
    });
  });
}

/** The first `count` items, then leaves. */
export async function take<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  if (count === 0) return taken;
  for await (const item of source) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}
