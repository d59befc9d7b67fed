import net from 'node:net';
import { test } from 'vitest';
import type { Door, WatchRequest } from '../../../platform/client/mod.ts';
import { startHttpServer } from '../../../platform/gateway/mod.ts';
import { until } from '../../support/mod.ts';
import { backendOf } from '../../support/backend.ts';

test('who goes away while a watch is looked into does not leave it running', async () => {
  let asked = false;
  let answer = (): void => undefined;
  const pools = new Promise<[{ name: string }]>((resolve) => {
    answer = () => {
      resolve([{ name: '/milk' }]);
    };
  });
  const watched: WatchRequest[] = [];
  const door = {
    pools: () => {
      asked = true;
      return pools;
    },
    watch: (request: WatchRequest) => {
      watched.push(request);
      return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) };
    },
  } as unknown as Door;
  const server = await startHttpServer(backendOf(door), {
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    dashboardFolder: null,
  });
  const socket = net.connect({ host: '127.0.0.1', port: server.port });
  socket.write('GET /v1/watch?prefix=/milk HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await until(() => asked);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await gone;
  // An answer to somebody else says that the server has come to hear of it.
  await fetch(`http://127.0.0.1:${String(server.port)}/v1/openapi.json`);
  answer();
  await until(() => watched.length > 0);
  await until(() => watched[0]?.signal?.aborted === true);
  await server.close();
});
