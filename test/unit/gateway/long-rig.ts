/** The HTTP door over a member that is none, and clients that send what they like. */
import net from 'node:net';
import { limits } from '../../../platform/base/mod.ts';
import type { Door, GetRequest, ObjectRecord } from '../../../platform/client/mod.ts';
import { type HttpServerOptions, startHttpServer } from '../../../platform/gateway/mod.ts';
import { until } from '../../support/mod.ts';
import { backendOf } from '../../support/backend.ts';

/** The shortest long value. */
export const longSize = limits.valueBytesWhole + 1;
export const longBody = Buffer.alloc(longSize);
export const path = '/v1/objects/milk/film';

export const patient = {
  headersMs: 60_000,
  requestMs: 60_000,
  idleMs: 60_000,
  keepAliveMs: 60_000,
  checkMs: 10,
};

export function putHead(bytes: number): string {
  return `PUT ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${String(bytes)}\r\n\r\n`;
}

export interface LongDoor {
  readonly port: number;
  /** Long bodies that were looked at before they were received. */
  readonly looks: () => number;
  /** Gets that the member was asked, of values or without them. */
  readonly gets: () => number;
  readonly close: () => Promise<void>;
}

/**
 * `put`: resolves when one is made; `fetch`: when a long value is there. Room for two of the shortest
 * long values each way.
 */
export async function startLongDoor(
  options: Partial<HttpServerOptions> = {},
  put: () => Promise<void> = () => Promise.resolve(),
  fetch: (signal?: AbortSignal) => Promise<void> = () => Promise.resolve(),
): Promise<LongDoor> {
  const place = { version: 1, epoch: 1, time: 1, previousVersionOfKey: null };
  const about = { key: '/milk/film', removed: false, size: longSize, eventTime: null, meta: {} };
  let looks = 0;
  let gets = 0;
  const door = {
    pools: () => {
      looks++;
      return Promise.resolve([{ name: '/milk', maxValueBytes: longSize }]);
    },
    put: () => put().then(() => place),
    get: async ({ maxBytes = 0, signal }: GetRequest): Promise<ObjectRecord> => {
      gets++;
      const value = maxBytes < longSize ? null : longBody;
      if (value !== null) await fetch(signal);
      return { ...about, ...place, value };
    },
  } as unknown as Door;
  const server = await startHttpServer(backendOf(door), {
    ...{ host: '127.0.0.1', port: 0, allowedHosts: [], dashboardFolder: null },
    ...{ connection: patient, longBodyBytes: 2 * longSize, ...options },
  });
  return { port: server.port, looks: () => looks, gets: () => gets, close: server.close };
}

/** A connection, and all that has come on it but the zeros of long values. */
export class Client {
  readonly socket: net.Socket;
  text = '';
  isClosed = false;

  constructor({ port }: { readonly port: number }) {
    this.socket = net.connect({ host: '127.0.0.1', port });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1').replaceAll('\0', '');
    });
    this.socket.on('close', () => (this.isClosed = true));
  }

  send(...parts: readonly (string | Buffer)[]): this {
    for (const part of parts) this.socket.write(part);
    return this;
  }

  get statuses(): readonly number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
  }

  async answers(count: number): Promise<readonly number[]> {
    await until(() => this.statuses.length >= count || this.isClosed);
    return this.statuses;
  }

  async closed(): Promise<readonly number[]> {
    await until(() => this.isClosed);
    return this.statuses;
  }
}
