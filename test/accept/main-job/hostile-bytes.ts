import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../../platform/base/mod.ts';
import { raw } from '../../../platform/client/mod.ts';
import { type BenchCluster, startBenchCluster } from '../../bench/bench-cluster.ts';
import { type Check, holds, type Line } from '../check.ts';

const rounds = { full: 200, quick: 20 };
const answerMs = 5000;
/** The door gives headers 10 s. */
const slowHeadersMs = 30_000;
const pool = '/accept/alive';

/** Garbage and half frames on every port, broken requests; members live and lose nothing. */
export const hostileBytes: Check = {
  point: 'bad input',
  name: 'hostile-bytes',
  run: async ({ folder, quick, seed }) => {
    const cluster = await startBenchCluster(folder);
    try {
      await cluster.db.createPool({ name: pool, kind: 'persistent', schema: 'raw' });
      await cluster.db.pool(pool, raw()).put('before', Buffer.from('kept'));
      const ports = portsOf(cluster);
      const random = new SeededRandom(seed);
      const count = quick ? rounds.quick : rounds.full;
      const lines: Line[] = [];
      for (const [name, port, opening] of ports) {
        for (let nth = 0; nth < count; nth++) {
          const size = random.below(2000);
          const noise = Buffer.from(Array.from({ length: size }, () => random.below(256)));
          const head = opening.subarray(0, random.below(opening.length + 1));
          await throwAt(port, nth % 2 === 0 ? noise : Buffer.concat([head, noise]));
        }
        lines.push(await aliveLine(cluster, `${String(count)} times garbage on ${name}`));
      }
      lines.push(...(await badRequests(cluster)));
      lines.push(await abortedBody(cluster), await slowHeaders(cluster));
      lines.push(await aliveLine(cluster, 'after all of it'));
      return lines;
    } finally {
      await cluster.close();
    }
  },
};

/** With what a real peer begins to say there. */
function portsOf({ cluster, ports }: BenchCluster): readonly (readonly [string, number, Buffer])[] {
  return [
    [
      'the HTTP port',
      Number(ports[0]?.http),
      Buffer.from('PUT /v1/objects/a/b HTTP/1.1\r\nHost: x'),
    ],
    [
      'the gRPC port',
      Number(ports[0]?.grpc),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04'),
    ],
    ['the replication port', Number(cluster.members[0]?.port), Buffer.from('FRSH\x01\0\0\0')],
  ];
}

async function throwAt(port: number, bytes: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  // The member hangs up, as it should.
  socket.on('error', () => undefined);
  await Promise.race([once(socket, 'connect'), sleep(answerMs)]);
  socket.write(bytes, () => socket.destroy());
  await Promise.race([once(socket, 'close'), sleep(answerMs)]);
  socket.destroy();
}

async function aliveLine({ db, pids }: BenchCluster, after: string): Promise<Line> {
  const found = await db.pool(pool, raw()).get('before');
  await db.pool(pool, raw()).put('after', Buffer.from(after));
  const { members } = await db.members();
  const up = members.filter((member) => member.up).length;
  const isKept = Buffer.from(found?.value ?? []).toString() === 'kept';
  const measured = `${String(up)} of ${String(pids.length)} up, ${isKept ? 'kept' : 'LOST'}`;
  return holds(after, 'members up, objects kept, puts taken', up === 3 && isKept, measured);
}

/** Each with the status and the code that must answer it. */
const requests: readonly (readonly [string, string, number, string])[] = [
  ['unknown pool', 'GET /v1/objects/no/such/thing', 404, 'UNKNOWN_POOL'],
  ['key with ..', `GET /v1/objects${pool}/../x`, 400, 'INVALID_KEY'],
  ['key with %2e%2e', `GET /v1/objects${pool}/%2e%2e/x`, 400, 'INVALID_KEY'],
  ['key with NUL', `GET /v1/objects${pool}/a%00b`, 400, 'INVALID_KEY'],
  ['key of bad UTF-8', `GET /v1/objects${pool}/a%ff%fe`, 400, 'INVALID_KEY'],
  ['key too long', `GET /v1/objects${pool}/${'k'.repeat(1100)}`, 400, 'KEY_TOO_LONG'],
];

async function badRequests(cluster: BenchCluster): Promise<readonly Line[]> {
  const port = Number(cluster.ports[0]?.http);
  const lines: Line[] = [];
  for (const [name, request, status, code] of requests) {
    const text = `${request} HTTP/1.1\r\nHost: 127.0.0.1:${String(port)}\r\nConnection: close\r\n\r\n`;
    const answer = await exchange(port, text);
    const seen = `${/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 'none'} ${codeIn(answer)}`;
    const wanted = `${String(status)} ${code}`;
    lines.push(holds(`HTTP: ${name}`, wanted, seen === wanted, seen));
  }
  return lines;
}

function codeIn(answer: string): string {
  return /"code":"([A-Z_]+)"/.exec(answer)?.[1] ?? 'no code';
}

async function exchange(port: number, text: string): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('error', () => undefined);
  socket.setEncoding('utf8').on('data', (part: string) => {
    answer += part;
  });
  socket.write(text);
  await Promise.race([once(socket, 'close'), sleep(answerMs)]);
  socket.destroy();
  return answer;
}

/** A body that stops midway stores nothing. */
async function abortedBody(cluster: BenchCluster): Promise<Line> {
  const port = Number(cluster.ports[0]?.http);
  const head = `PUT /v1/objects${pool}/half HTTP/1.1\r\nHost: 127.0.0.1:${String(port)}\r\n`;
  const type = 'content-type: application/octet-stream\r\ncontent-length: 100000\r\n\r\n';
  await throwAt(port, Buffer.concat([Buffer.from(head + type), Buffer.alloc(5000, 1)]));
  const found = await cluster.db.pool(pool, raw()).get('half');
  const measured = found === null ? 'nothing stored' : `${String(found.size)} B stored`;
  return holds('HTTP: body aborted midway', 'nothing stored', found === null, measured);
}

/** One header byte a while: the door answers and hangs up, it does not wait for ever. */
async function slowHeaders(cluster: BenchCluster): Promise<Line> {
  const socket = connect(Number(cluster.ports[0]?.http), '127.0.0.1');
  let answer = '';
  socket.on('error', () => undefined);
  socket.setEncoding('utf8').on('data', (part: string) => {
    answer += part;
  });
  socket.write('GET /healthz HTTP/1.1\r\nX-Slow: ');
  const drip = setInterval(() => socket.write('a'), 500);
  const begin = performance.now();
  const closed = await Promise.race([once(socket, 'close'), sleep(slowHeadersMs, null)]);
  clearInterval(drip);
  socket.destroy();
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 'no answer';
  const measured = `${status} ${codeIn(answer)}, ${closed === null ? 'open' : 'closed'} at ${seconds} s`;
  const isRefused = closed !== null && /^[45]/.test(status) && codeIn(answer) !== 'no code';
  return holds('HTTP: slow headers', 'a coded refusal, closed', isRefused, measured);
}
