/** What a client sends again when the member that answers it is lost is applied once. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Database, raw } from '../../platform/client/mod.ts';
import { bytes, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';
import { type ServedProcesses, startServedProcesses } from '../support/serving.ts';

let served: ServedProcesses | null = null;

afterEach(async () => {
  await served?.close();
  served = null;
});

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

describe.each([
  ['persistent', 'native'],
  ['volatile', 'native'],
  ['persistent', 'grpc'],
  ['volatile', 'grpc'],
] as const)('on a %s pool, through the %s door, while members die', (kind, door) => {
  test('each change of a client that counts is made once', async () => {
    served = await startServedProcesses(await tempFolder('client-sessions'), { door });
    const { running, database } = served;
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
