/** What clients of native doors feel of event loops that stand still. */
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Database } from '../../../platform/client/mod.ts';
import type { LocalCluster } from '../../../platform/local-cluster.ts';
import { startBenchCluster } from '../bench-cluster.ts';
import type { Figure, Row } from '../row.ts';
import { percentile } from '../statistics.ts';

const stallMs = { full: 2000, quick: 500 };
/** What is asked ends so long before the loops go on. */
const marginMs = 100;
const perSecond = 200;
const watchedMs = 5000;
const share = 0.99;

/** Milliseconds, one of each round. */
interface Waits {
  readonly puts: number[];
  readonly gets: number[];
  readonly events: number[];
}

export const stalledLoops: Row = {
  name: 'stalled-loops',
  method:
    'A native client puts 100 B, gets it (linearizable) and watches it, 200 times a second, while ' +
    'the event loops of all three members stand still for 2 s: p99 from the call to its answer, ' +
    'of the watch from the put to its event; beside it the same while the loops turn.',
  open: async ({ folder, quick }) => {
    const { db, ports, cluster, close } = await startBenchCluster(folder);
    await db.createPool({ name: '/bench', kind: 'volatile', schema: 'raw' });
    const addresses = ports.map(({ grpc }) => `127.0.0.1:${String(grpc)}`);
    const client = await connect(addresses, { door: 'native' });
    const watched = await watch(client);
    const ms = quick ? stallMs.quick : stallMs.full;
    await watched.work(ms);
    return {
      close: async () => {
        await client.close();
        await close();
      },
      run: async () => {
        const turning = await watched.work(ms - marginMs);
        const { ended } = await standStill(cluster, ms);
        let goesOn = false;
        void ended.then(() => (goesOn = true));
        const hasGoneOn = (): boolean => goesOn;
        const standing = await watched.work(ms - marginMs);
        if (hasGoneOn()) throw new Error('the event loops went on before the client was done');
        await ended;
        return [
          figure('put', standing.puts, turning.puts),
          figure('get', standing.gets, turning.gets),
          figure('watch', standing.events, turning.events),
        ];
      },
    };
  },
};

function figure(what: string, standing: readonly number[], turning: readonly number[]): Figure {
  const raw = { name: 'while the loops turn', value: percentile(turning, share) };
  const value = percentile(standing, share);
  return { name: `stalled-loops ${what} p99`, unit: 'ms', value, raw };
}

/** A watch that has begun, and the work that it is told of. */
async function watch(client: Database): Promise<{ work(ms: number): Promise<Waits> }> {
  const events = new Map<string, () => void>();
  let told = 0;
  void (async () => {
    for await (const { object } of client.door.watch({ prefix: '/bench/' })) {
      told++;
      events.get(object.key)?.();
    }
  })().catch(() => undefined); // closed with its client
  const value = Buffer.alloc(100, 1);
  while (told === 0) {
    await client.door.put({ key: '/bench/begin', value });
    await pause(10);
  }
  let count = 0;
  const work = async (ms: number): Promise<Waits> => {
    const waits: Waits = { puts: [], gets: [], events: [] };
    const rounds: Promise<void>[] = [];
    const begin = performance.now();
    for (let nth = 0; performance.now() - begin < ms; nth++) {
      const key = `/bench/${String(count++)}`;
      const due = begin + (nth * 1000) / perSecond;
      if (due > performance.now()) await pause(due - performance.now());
      rounds.push(round(client, key, value, waits, events));
    }
    await Promise.all(rounds);
    return waits;
  };
  return { work };
}

async function round(
  client: Database,
  key: string,
  value: Buffer,
  waits: Waits,
  events: Map<string, () => void>,
): Promise<void> {
  const begin = performance.now();
  const told = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`the watch was not told of ${key}`));
    }, watchedMs);
    events.set(key, () => {
      clearTimeout(timer);
      events.delete(key);
      waits.events.push(performance.now() - begin);
      resolve();
    });
  });
  const asked = async (): Promise<void> => {
    await client.door.put({ key, value });
    waits.puts.push(performance.now() - begin);
    const getBegin = performance.now();
    const found = await client.door.get({ key });
    waits.gets.push(performance.now() - getBegin);
    if (found === null) throw new Error(`${key} was put and is not there`);
  };
  await Promise.all([asked(), told]);
}

/** Resolves once all event loops stand still; `ended` once they have gone on. */
async function standStill(
  cluster: LocalCluster,
  ms: number,
): Promise<{ readonly ended: Promise<unknown> }> {
  const calls = cluster.members.map(({ id, process: child }) => {
    const stands = new Promise<void>((resolve) => {
      const onMessage = (message: { readonly type: string }): void => {
        if (message.type !== 'stands') return;
        child?.off('message', onMessage);
        resolve();
      };
      child?.on('message', onMessage);
    });
    const ended = cluster.call(id, 'standStill', ms);
    ended.catch(() => undefined);
    return { stands, ended };
  });
  await Promise.all(calls.map(({ stands }) => stands));
  return { ended: Promise.race(calls.map(({ ended }) => ended)) };
}
