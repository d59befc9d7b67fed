/** What a client sends again when the member that answers it is lost is applied once. */
import { afterEach, describe, expect, test } from 'vitest';
import { connect, type Database, raw } from '../../platform/client/mod.ts';
import { type LocalCluster, memberEntry } from '../../platform/local-cluster.ts';
import type { ServingPorts } from '../../platform/serving.ts';
import { bytes, startProcessCluster, text } from '../support/cluster.ts';
import { loopbackDoors } from '../support/loopback-doors.ts';
import { tempFolder } from '../support/mod.ts';

let cluster: LocalCluster | null = null;
let db: Database | null = null;

afterEach(async () => {
  await db?.close();
  await cluster?.close();
  [cluster, db] = [null, null];
});

async function start(): Promise<{ running: LocalCluster; database: Database }> {
  const entry = memberEntry('serving-member');
  const folder = await tempFolder('client-sessions');
  const running = await startProcessCluster(folder, { entry, extra: () => loopbackDoors });
  cluster = running;
  const doors = running.members.map(({ info }) => (info as ServingPorts).grpc);
  const database = await connect(
    doors.map((port) => `127.0.0.1:${String(port)}`),
    { timeoutMs: 30_000 },
  );
  db = database;
  return { running, database };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Changes through one client until it is told to end; what was answered is counted. */
class Changes {
  readonly #pool;
  readonly #turns;
  readonly done = { puts: 0, steps: 0, flips: 0 };
  isOver = false;

  constructor(database: Database) {
    this.#pool = database.pool('/count', raw());
    this.#turns = database.pool('/turns', raw());
  }

  /** Each of a key of its own. */
  async put(lane: number): Promise<void> {
    for (let count = 0; !this.isOver; count++) {
      await this.#pool.put(`${String(lane)}/${String(count)}`, bytes('once'));
      this.done.puts++;
    }
  }

  /** Each expects the one before it: what is made twice is refused. */
  async step(): Promise<void> {
    let versionOfKey = 0;
    while (!this.isOver) {
      const value = bytes(String(this.done.steps + 1));
      const { version } = await this.#turns.put('steps', value, { expect: { versionOfKey } });
      versionOfKey = version;
      this.done.steps++;
    }
  }

  /** There, gone, there, gone. */
  async flip(): Promise<void> {
    while (!this.isOver) {
      const expect = { versionOfKey: 0 };
      const { version } = await this.#turns.put('flip', bytes('there'), { expect });
      await this.#turns.remove('flip', { expect: { versionOfKey: version } });
      this.done.flips++;
    }
  }
}

describe.each(['persistent', 'volatile'] as const)('on a %s pool, while members die', (kind) => {
  test('each change of a client that counts is made once', async () => {
    const { running, database } = await start();
    await database.createPool({ name: '/count', kind });
    await database.createPool({ name: '/turns', kind });
    const changes = new Changes(database);
    const { done } = changes;
    const work = Promise.all([
      ...[1, 2, 3].map(async (lane) => changes.put(lane)),
      changes.step(),
      changes.flip(),
    ]);
    // The client begins with the first and goes on with the second.
    for (const victim of [1, 2]) {
      const before = done.puts;
      await until(() => done.puts >= before + 100);
      await running.kill(victim);
      const atKill = done.puts;
      await until(() => done.puts >= atKill + 100);
      await running.start(victim);
      await running.whenRunning();
    }
    changes.isOver = true;
    await work;

    const counted = database.pool('/count', raw());
    expect(await counted.keys().count()).toBe(done.puts);
    expect(await counted.versions().count()).toBe(done.puts);
    const turns = database.pool('/turns', raw());
    expect(text((await turns.get('steps'))?.value)).toBe(String(done.steps));
    expect(await turns.get('flip')).toBeNull();
    expect(Math.min(done.steps, done.flips)).toBeGreaterThan(0);
  });
});
