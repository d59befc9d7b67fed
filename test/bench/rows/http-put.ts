import { Agent, request } from 'node:http';
import { startBenchCluster } from '../bench-cluster.ts';
import { Companion } from '../child.ts';
import type { EchoOrder } from '../echo/orders.ts';
import type { Row } from '../row.ts';

const connections = 32;
const durationMs = { full: 3000, quick: 500 };
const answerTimeoutMs = 20_000;
const body = Buffer.alloc(100, 1);

/** Raw bodies through the HTTP door. */
export const httpPut: Row = {
  name: 'http-put',
  method:
    `Volatile puts of 100 B over HTTP/1.1, ${String(connections)} connections kept open, one ` +
    "request each at a time; beside it the same client with fastify's own echo.",
  open: async (context) => {
    const { db, ports, close } = await startBenchCluster(context.folder);
    await db.createPool({ name: '/bench', kind: 'volatile', schema: 'raw' });
    const echo = new Companion('../echo/main', import.meta.url);
    const echoPort = await echo.ask({ open: 'http' } satisfies EchoOrder, answerTimeoutMs);
    const ms = context.quick ? durationMs.quick : durationMs.full;
    return {
      close: async () => {
        await echo.close();
        await close();
      },
      run: async () => {
        const value = await putsPerSecond(Number(ports[0]?.http), ms);
        const bare = await putsPerSecond(Number(echoPort), ms);
        const raw = { name: "fastify's echo", value: bare };
        return [{ name: 'http-put', unit: 'puts/s', value, raw }];
      },
    };
  },
};

async function putsPerSecond(port: number, ms: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const begin = performance.now();
  let done = 0;
  const lane = async (nth: number): Promise<void> => {
    while (performance.now() - begin < ms) {
      const status = await putOnce(agent, port, `/v1/objects/bench/${String(nth)}`);
      if (status >= 300) throw new Error(`HTTP put was answered with ${String(status)}`);
      done++;
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, (_, nth) => lane(nth)));
    return done / ((performance.now() - begin) / 1000);
  } finally {
    agent.destroy();
  }
}

function putOnce(agent: Agent, port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': body.length };
    const options = { agent, host: '127.0.0.1', port, path, method: 'PUT', headers };
    const call = request({ ...options, timeout: answerTimeoutMs }, (reply) => {
      reply.resume().once('end', () => {
        resolve(reply.statusCode ?? 0);
      });
    });
    call.once('timeout', () => call.destroy(new Error('HTTP put was not answered in time')));
    call.once('error', reject);
    call.end(body);
  });
}
