import { Agent, request } from 'node:http';
import { answerTimeoutMs, doorRow } from '../door-row.ts';

const connections = 32;
const body = Buffer.alloc(100, 1);

/** Raw bodies through the HTTP door. */
export const httpPut = doorRow({
  name: 'http-put',
  method:
    `Volatile puts of 100 B over HTTP/1.1, ${String(connections)} connections kept open, one ` +
    "request each at a time; beside it the same client with fastify's own echo.",
  door: 'http',
  echo: "fastify's echo",
  putsPerSecond,
});

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
