import net from 'node:net';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../platform/base/mod.ts';
import { type Backend, startHttpServer } from '../../../platform/gateway/mod.ts';

test('headers that do not end are answered TIMEOUT and the connection is ended', async () => {
  // Nothing of the member is reached: the request never becomes one.
  const backend = { log: silentLogger() } as unknown as Backend;
  const server = await startHttpServer(backend, {
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    dashboardFolder: null,
    connection: { headersMs: 100, requestMs: 5000, idleMs: 5000, keepAliveMs: 5000, checkMs: 20 },
  });
  const socket = net.connect({ host: '127.0.0.1', port: server.port });
  socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ');
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => {
      resolve(text);
    });
  });
  await server.close();
  expect(answer).toMatch(/^HTTP\/1\.1 408 TIMEOUT/);
  expect(answer).toContain('"code":"TIMEOUT"');
});
