import type { Database } from '../../../platform/client/mod.ts';
import { startBenchCluster } from '../../bench/bench-cluster.ts';
import { type Check, type CheckContext, holds, type Line } from '../check.ts';
import { lastWords, runFreshet } from '../product.ts';

interface Milk {
  readonly day: number;
  readonly amount: number;
}

const pools = ['/dairy/daily_yield', '/dairy/daily_fat', '/dairy/daily_protein'];
const cows = ['cow_127', 'cow_128', 'cow_1128'];
const days = 25;
const taken = 10;

/** The lecture's query: the last ten versions of each milk pool for keys ending in `/cow_128`. */
export const cowQuery: Check = {
  point: '5 query',
  name: 'cow-query',
  run: async (context) => {
    const { db, ports, close } = await startBenchCluster(context.folder);
    try {
      const lines: Line[] = [];
      for (const [at, name] of pools.entries()) {
        await db.createPool({ name, kind: 'persistent', schema: 'json' });
        await putMilk(db, name, at);
        const expected = Array.from({ length: taken }, (_, nth) => days - 1 - nth);
        lines.push(await sdkLine(db, name, expected));
        const address = `127.0.0.1:${String(ports[0]?.grpc)}`;
        lines.push(await cliLine(context, address, name, expected));
      }
      return lines;
    } finally {
      await close();
    }
  },
};

async function putMilk(db: Database, name: string, pool: number): Promise<void> {
  for (let day = 0; day < days; day++) {
    for (const cow of cows) await db.pool<Milk>(name).put(cow, { day, amount: pool * 10 + day });
  }
}

async function sdkLine(db: Database, name: string, expected: readonly number[]): Promise<Line> {
  const rows = await db
    .pool<Milk>(name)
    .versions()
    .where((o) => o.key.endsWith('/cow_128'))
    .orderBy((o) => o.version)
    .reverse()
    .take(taken)
    .toArray();
  const isOwn = rows.every(({ key }) => key === `${name}/cow_128`);
  const found = rows.map(({ value }) => value.day);
  return verdict(`cow query, SDK, ${name}`, isOwn, found, expected);
}

async function cliLine(
  { root }: CheckContext,
  address: string,
  name: string,
  expected: readonly number[],
): Promise<Line> {
  const query =
    `db.pool('${name}').versions().where(o => o.key.endsWith('/cow_128'))` +
    `.orderBy(o => o.version).reverse().take(${String(taken)})`;
  const ending = await runFreshet(root, address, ['--json', 'query', query]);
  if (ending.code !== 0) return holds(`cow query, CLI, ${name}`, 'rows', false, lastWords(ending));
  const rows = ending.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  const flat = rows.flat() as readonly { readonly key: string; readonly value: Milk }[];
  const isOwn = flat.every(({ key }) => key === `${name}/cow_128`);
  return verdict(
    `cow query, CLI, ${name}`,
    isOwn,
    flat.map(({ value }) => value.day),
    expected,
  );
}

function verdict(
  name: string,
  isOwn: boolean,
  found: readonly number[],
  expected: readonly number[],
): Line {
  const isRight = isOwn && JSON.stringify(found) === JSON.stringify(expected);
  return holds(name, `days ${expected.join(' ')}`, isRight, `days ${found.join(' ')}`);
}
