import { json } from '../../../platform/client/mod.ts';
import { type BenchCluster, startBenchCluster } from '../../bench/bench-cluster.ts';
import { type Check, holds, type Line } from '../check.ts';
import { lastWords, runFreshet } from '../product.ts';

const value = { litres: 14.2 };
const pool = '/accept/milk';

/** The same object, put through each door, read through each other one; and what HTTP offers. */
export const doors: Check = {
  point: '7 doors',
  name: 'doors',
  run: async ({ root, folder }) => {
    const cluster = await startBenchCluster(folder);
    try {
      await cluster.db.createPool({ name: pool, kind: 'persistent', schema: 'json' });
      const address = `127.0.0.1:${String(cluster.ports[0]?.grpc)}`;
      const lines: Line[] = [];
      await cluster.db.pool(pool, json()).put('grpc', value);
      await httpPut(cluster, 'http');
      const words = ['put', `${pool}/cli`, JSON.stringify(value)];
      const put = await runFreshet(root, address, words);
      lines.push(holds('freshet put', 'exit 0', put.code === 0, lastWords(put)));
      for (const name of ['grpc', 'http', 'cli']) {
        lines.push(await sameAnswers(root, address, cluster, name));
      }
      lines.push(...(await cliLines(root, address)), ...(await pageLines(cluster)));
      return lines;
    } finally {
      await cluster.close();
    }
  },
};

function url({ ports }: BenchCluster, path: string, nth = 0): string {
  return `http://127.0.0.1:${String(ports[nth]?.http)}${path}`;
}

async function httpPut(cluster: BenchCluster, name: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(value);
  await fetch(url(cluster, `/v1/objects${pool}/${name}`), { method: 'PUT', headers, body });
}

async function sameAnswers(
  root: string,
  address: string,
  cluster: BenchCluster,
  name: string,
): Promise<Line> {
  const stored = await cluster.db.pool(pool).get(name);
  const answers = [JSON.stringify(stored?.value ?? null)];
  for (let nth = 0; nth < 3; nth++) {
    const reply = await fetch(url(cluster, `/v1/objects${pool}/${name}`, nth));
    const place = `"${String(stored?.epoch)}-${String(stored?.version)}"`;
    const tag = reply.headers.get('etag');
    answers.push(tag === place ? await reply.text() : `etag ${String(tag)}, not ${place}`);
  }
  answers.push((await runFreshet(root, address, ['get', `${pool}/${name}`])).stdout.trim());
  const expected = JSON.stringify(value);
  const measured = [...new Set(answers)].join(' | ');
  const pass = answers.every((answer) => answer === expected);
  return holds(`put by ${name}, read by gRPC, HTTP of 3 members, CLI`, expected, pass, measured);
}

async function cliLines(root: string, address: string): Promise<readonly Line[]> {
  const commands: readonly (readonly [readonly string[], RegExp])[] = [
    [['ls', pool], /cli[\s\S]*grpc[\s\S]*http/],
    [['history', `${pool}/grpc`], /14\.2/],
    [['watch', pool, '--from', 'start', '--limit', '3'], /14\.2/],
    [['query', `db.pool('${pool}').objects().count()`], /3/],
  ];
  const lines: Line[] = [];
  for (const [words, wanted] of commands) {
    const ending = await runFreshet(root, address, words);
    const pass = ending.code === 0 && wanted.test(ending.stdout);
    const measured = pass ? ending.stdout.trim().split('\n')[0] : lastWords(ending);
    lines.push(
      holds(`freshet ${words[0] ?? ''}`, wanted.source, pass, (measured ?? '').slice(0, 120)),
    );
  }
  return lines;
}

async function pageLines(cluster: BenchCluster): Promise<readonly Line[]> {
  const openApi = await fetch(url(cluster, '/v1/openapi.json'));
  const document = (await openApi.json()) as { openapi?: string; paths?: object };
  const paths = Object.keys(document.paths ?? {}).length;
  const metrics = await (await fetch(url(cluster, '/metrics'))).text();
  const series = metrics.split('\n').filter((line) => line.startsWith('freshet_')).length;
  const own = url(cluster, '/v1/pools');
  const foreign = await fetch(own, { headers: { origin: 'http://elsewhere.example' } });
  const ready = await fetch(url(cluster, '/readyz'));
  return [
    holds('OpenAPI', 'a document with paths', paths > 5, `${String(paths)} paths`),
    holds('/metrics', 'Prometheus series', series > 5, `${String(series)} series`),
    holds('a page of another origin', '403', foreign.status === 403, String(foreign.status)),
    holds('/readyz', '200', ready.status === 200, String(ready.status)),
  ];
}
