/** Values too long for one message, while members that are processes are killed and come back. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { FreshetError, isFreshetError, type PutResult } from '../../platform/base/mod.ts';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import type { ServingPorts } from '../../platform/serving.ts';
import { longValue } from '../support/long-value.ts';
import { tempFolder, until } from '../support/mod.ts';
import { type ServedProcesses, startServedProcesses } from '../support/serving.ts';

const MiB = 2 ** 20;
const ids = [1, 2, 3];
const timeoutMs = 60_000;
const pools = [
  { name: '/light', kind: 'volatile' },
  { name: '/kept', kind: 'persistent' },
] as const;

let served: ServedProcesses | null = null;
const doors = new Map<number, GrpcDoor>();

afterEach(async () => {
  for (const door of doors.values()) await door.close();
  doors.clear();
  await served?.close();
  served = null;
});

/** Three members that hold all shards, and a pool of each kind. */
async function start(shardMiB = 512): Promise<{ readonly folder: string }> {
  const folder = await tempFolder('long-value-crashes');
  const subgroups = pools.map(({ kind }) => ({ name: kind, kind, shards: 1, replicas: 3 }));
  const config = {
    memory: { ringBudgetBytes: 24 * MiB, shardBytes: shardMiB * MiB },
    subgroups,
  };
  const cluster = await startServedProcesses(folder, { config, door: 'grpc' });
  served = cluster;
  for (const pool of pools) {
    await cluster.database.createPool({ ...pool, schema: 'raw', maxValueBytes: 256 * MiB });
  }
  return { folder };
}

/** The door of a member, wherever it is since the member's last start. */
function doorOf(id: number): GrpcDoor {
  const known = doors.get(id);
  if (known !== undefined) return known;
  const door = new GrpcDoor(served?.addresses.get(id) ?? '', { token: null, timeoutMs });
  doors.set(id, door);
  return door;
}

async function kill(killed: readonly number[]): Promise<void> {
  await Promise.all(killed.map(async (id) => served?.running.kill(id)));
  for (const id of killed) await doors.get(id)?.close();
  for (const id of killed) doors.delete(id);
}

async function startAgain(killed: readonly number[]): Promise<void> {
  await Promise.all(killed.map(async (id) => served?.running.start(id)));
  await served?.running.whenRunning(timeoutMs);
}

function digestOf(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex');
}

/** Over HTTP, of a member that runs. */
function ask(id: number, path: string): Promise<Response> {
  const { http } = served?.running.members[id - 1]?.info as ServingPorts;
  return fetch(`http://127.0.0.1:${String(http)}${path}`);
}

/** Of what a member holds itself under a key; null: nothing. */
async function digestAt(id: number, key: string): Promise<string | null> {
  const answer = await ask(id, `/v1/objects${key}?read=local`);
  if (answer.status === 404) return null;
  expect(answer.status).toBe(200);
  const hash = createHash('sha256');
  const body: AsyncIterable<Uint8Array> | null = answer.body;
  for await (const bytes of body ?? []) hash.update(bytes);
  return hash.digest('hex');
}

async function heldBy(key: string): Promise<readonly (string | null)[]> {
  return Promise.all(ids.map((id) => digestAt(id, key)));
}

/** A native counter of a member that runs. */
async function counterOf(id: number, name: string): Promise<number> {
  const answer = await ask(id, '/metrics');
  const sample = new RegExp(`^freshet_${name}_total\\S* (\\d+)$`, 'm').exec(await answer.text());
  if (sample === null) throw new Error(`Member ${String(id)} does not count ${name}`);
  return Number(sample[1]);
}

/** A put on its way: how it ended is told once it has. */
class Way {
  readonly digest: string;
  readonly done: Promise<PutResult | FreshetError>;
  outcome: PutResult | FreshetError | null = null;

  constructor(at: number, key: string, value: Buffer) {
    this.digest = digestOf(value);
    const put = doorOf(at).put({ key, value, ack: 'persisted' });
    this.done = put.catch((caught: unknown) => {
      if (isFreshetError(caught)) return caught;
      throw caught;
    });
    void this.done.then((outcome) => {
      this.outcome = outcome;
    });
  }
}

/** All members hold it if it was answered; else all do, or none. */
async function expectWholeOrNot(key: string, { digest, outcome }: Way): Promise<void> {
  const held = await heldBy(key);
  const [first] = held;
  expect(held).toEqual(ids.map(() => first));
  expect(outcome).not.toBeNull();
  expect(outcome instanceof FreshetError ? [digest, null] : [digest]).toContain(first);
}

/** All have the same records, in memory and on disk. */
async function expectSameLogs(): Promise<void> {
  const { ok, shards } = await doorOf(2).verify(false);
  const verdicts = shards.flatMap(({ members }) => members.map(({ verdict }) => verdict));
  expect([ok, ...new Set(verdicts)]).toEqual([true, 'same']);
}

/** null: it was answered. */
function codeOf(outcome: PutResult | FreshetError): string | null {
  return outcome instanceof FreshetError ? outcome.code : null;
}

/** Of a put at member 1: who is killed, and whose counter shows then how far it is. */
const kills = [
  { what: 'a member that gets its blocks', victim: 3, watched: 3, counter: 'bytes_read' },
  { what: 'a member that writes it to disk', victim: 3, watched: 3, counter: 'log_bytes' },
  { what: 'its sender, which sends', victim: 1, watched: 2, counter: 'bytes_read' },
  { what: 'its sender, as others write it to disk', victim: 1, watched: 2, counter: 'log_bytes' },
];

const crashes =
  'a put under way is there as a whole or not, whoever is killed, also at who comes back';

// Four times 200 MiB go to three disks, and back to who was killed.
test(crashes, { timeout: 4 * timeoutMs }, async () => {
  await start();
  const before = new Way(2, '/kept/before', longValue(65 * MiB + 1, 0));
  expect(await before.done).toMatchObject({ version: 1 });
  for (const [nth, { what, victim, watched, counter }] of kills.entries()) {
    const base = await counterOf(watched, counter);
    const key = `/kept/${String(nth)}`;
    const way = new Way(1, key, longValue(200 * MiB - nth, nth + 1));
    await until(async () => (await counterOf(watched, counter)) > base + MiB);
    // To disk it may just have gone.
    if (counter === 'bytes_read') expect(way.outcome, what).toBeNull();
    await kill([victim]);
    // Who is left goes on; what became of it a sender that is gone tells nobody.
    const outcomes = victim === 1 ? [null, 'UNREACHABLE'] : [null];
    expect(outcomes, what).toContain(codeOf(await way.done));
    await startAgain([victim]);
    await expectWholeOrNot(key, way);
  }
  await expectWholeOrNot('/kept/before', before);
  await expectSameLogs();
});

test('after all were killed, every long value that was persisted is there', async () => {
  // Less than its values take: they are read from disk.
  await start(128);
  const sizes = [65 * MiB, 130 * MiB + 1, 70 * MiB + 5];
  const ways: Way[] = [];
  for (const [nth, size] of sizes.entries()) {
    const way = new Way(nth + 1, `/kept/${String(nth)}`, longValue(size, nth));
    expect(codeOf(await way.done)).toBeNull();
    ways.push(way);
  }
  // One more is under way then.
  const base = await counterOf(2, 'bytes_read');
  const last = new Way(1, '/kept/last', longValue(150 * MiB, 9));
  await until(async () => (await counterOf(2, 'bytes_read')) > base + 4 * MiB);
  expect(last.outcome).toBeNull();
  await kill(ids);
  await last.done;
  await startAgain(ids);
  for (const [nth, way] of ways.entries()) await expectWholeOrNot(`/kept/${String(nth)}`, way);
  await expectWholeOrNot('/kept/last', last);
  await expectSameLogs();
});

test('a blank member gets the long values of its shards from the others', async () => {
  const { folder } = await start();
  const puts = pools.flatMap(({ name }, nth) =>
    [65 * MiB + 3, 100 * MiB].map((size, more) => ({
      key: `${name}/${String(more)}`,
      value: longValue(size, 2 * nth + more),
    })),
  );
  const put = async ({ key, value }: (typeof puts)[number]): Promise<string> => {
    await doorOf(1).put({ key, value });
    return digestOf(value);
  };
  const digests = new Map<string, string>();
  for (const one of puts.slice(0, 3)) digests.set(one.key, await put(one));
  await kill([3]);
  await rm(join(folder, 'member-3'), { recursive: true });
  for (const one of puts.slice(3)) digests.set(one.key, await put(one));
  await startAgain([3]);
  for (const [key, digest] of digests) expect(await heldBy(key)).toEqual(ids.map(() => digest));
  await expectSameLogs();
});
