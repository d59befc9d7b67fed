/** Clients of native doors do not wait for the event loops of members, nor miss what dies. */
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { Database } from '../../platform/client/mod.ts';
import { connect, raw } from '../../platform/client/mod.ts';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ServingPorts } from '../../platform/serving.ts';
import type { StallOrder, StallReport } from '../interaction/member/orders.ts';
import { bytes, startProcessCluster, text } from '../support/cluster.ts';
import { loopbackDoors } from '../support/loopback-doors.ts';
import { programFile, tempFolder, until } from '../support/mod.ts';
import { openNativeOnly } from '../support/native-only.ts';

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Members whose event loops can be stopped. */
async function startMembers(name: string): Promise<LocalCluster> {
  const entry = pathToFileURL(programFile('test/interaction/member/main.ts'));
  const running = await startProcessCluster(await tempFolder(name), {
    entry,
    extra: () => loopbackDoors,
  });
  ends.push(() => running.close());
  return running;
}

function addressOf(running: LocalCluster, id: number): string {
  const { info } = running.members[id - 1]!;
  return `127.0.0.1:${String((info as ServingPorts).grpc)}`;
}

async function connectNatively(running: LocalCluster): Promise<Database> {
  const addresses = running.members.map(({ id }) => addressOf(running, id));
  const database = await connect(addresses, { door: 'native', timeoutMs: 30_000 });
  ends.push(() => database.close());
  return database;
}

/** Resolves once the member's event loop is about to stand still; `report` when it went on. */
async function stall(
  running: LocalCluster,
  id: number,
  order: StallOrder,
): Promise<{ readonly report: Promise<StallReport> }> {
  const { process: child } = running.members[id - 1]!;
  const stalls = new Promise<void>((resolve) => {
    const onMessage = (message: { readonly type: string }): void => {
      if (message.type !== 'stalls') return;
      child!.off('message', onMessage);
      resolve();
    };
    child!.on('message', onMessage);
  });
  const report = running.call(id, 'stall', order) as Promise<StallReport>;
  report.catch(() => undefined);
  await stalls;
  return { report };
}

test.each(['volatile', 'persistent'] as const)(
  'puts, gets and a watch of a %s pool go on while no event loop does, and while a member dies',
  async (kind) => {
    const running = await startMembers('native-stall');
    const database = await connectNatively(running);
    await database.createPool({ name: '/barn', kind });
    const pool = database.pool('/barn', raw());
    const told: string[] = [];
    const abort = new AbortController();
    const watching = (async () => {
      for await (const { object } of pool.watch({ signal: abort.signal })) told.push(object.key);
    })();
    const isSilent = () => told.length === 0;
    while (isSilent()) await pool.put('begin', bytes('x'));
    const put: string[] = [];
    const work = async (part: string): Promise<void> => {
      for (let count = 0; count < 50; count++) {
        const name = `${part}/${String(count)}`;
        await pool.put(name, bytes(name));
        put.push(`/barn/${name}`);
        expect(text((await pool.get(name))?.value)).toBe(name);
      }
      await until(() => put.every((key) => told.includes(key)));
    };

    // They stand still until the native threads of the others have gone on without the first.
    const mostMs = 60_000;
    const first = await stall(running, 1, { leastMs: mostMs, mostMs, without: 1 });
    const others = await Promise.all(
      [2, 3].map(async (id) => stall(running, id, { leastMs: 2000, mostMs, without: 1 })),
    );
    let hasGoneOn = false;
    for (const { report } of [first, ...others]) {
      report.then(
        () => (hasGoneOn = true),
        () => undefined,
      );
    }
    await work('while all stand still');
    expect(hasGoneOn).toBe(false);
    await running.kill(1);
    await work('while one died');
    for (const { report } of others) expect((await report).members).toEqual([2, 3]);
    abort.abort();
    await expect(watching).rejects.toMatchObject({ code: 'CANCELLED' });
    // Once each; the order holds within a shard only.
    expect(told.filter((key) => key !== '/barn/begin').sort()).toEqual(put.sort());
  },
);

test('what was acknowledged is found, and made once, whichever members die', async () => {
  const running = await startMembers('native-kill');
  const database = await connectNatively(running);
  await database.createPool({ name: '/count', kind: 'persistent' });
  const pool = database.pool('/count', raw());
  const made = new Map<string, number>();
  let isOver = false;
  const lane = async (nth: number): Promise<void> => {
    for (let count = 0; !isOver; count++) {
      const name = `${String(nth)}/${String(count)}`;
      const { version } = await pool.put(name, bytes(name), { expect: { versionOfKey: 0 } });
      made.set(name, version);
    }
  };
  const lanes = Promise.all(Array.from({ length: 16 }, async (_, nth) => lane(nth)));
  lanes.catch(() => undefined);
  for (const victim of [1, 2, 3]) {
    const before = made.size;
    await until(() => made.size > before + 300);
    await running.kill(victim);
    const atKill = made.size;
    await until(() => made.size > atKill + 300);
    await running.start(victim);
    await running.whenRunning();
  }
  isOver = true;
  await lanes;
  const found = await Promise.all([...made.keys()].map(async (name) => pool.get(name)));
  const versions = found.map((object) => object?.version ?? 0);
  expect(versions).toEqual([...made.values()]);
  // Their gRPC doors are at other ports by now.
  const again = await connectNatively(running);
  expect(await again.pool('/count', raw()).versions().count()).toBe(made.size);
});

test('a client goes on natively after every member came back at another port', async () => {
  const running = await startMembers('native-restart');
  let asked = 1;
  const door = await openNativeOnly(async () => {
    const grpc = new GrpcDoor(addressOf(running, asked), { token: null, timeoutMs: 5000 });
    try {
      return await grpc.nativeDoor();
    } finally {
      await grpc.close();
    }
  });
  ends.push(() => door.close());
  const grpc = new GrpcDoor(addressOf(running, 1), { token: null, timeoutMs: 30_000 });
  await grpc.createPool({ name: '/barn', kind: 'persistent' });
  await grpc.close();
  const goesOn = async (name: string): Promise<boolean> => {
    const key = `/barn/${name}`;
    const made = await door.put({ key, value: bytes(name), timeoutMs: 2000 }).catch(() => null);
    return made !== null && text((await door.get({ key }))?.value) === name;
  };
  await until(() => goesOn('first'));
  const before = running.members.map(({ info }) => (info as ServingPorts).native);
  for (const id of [1, 2, 3]) {
    asked = (id % 3) + 1;
    await running.kill(id);
    await running.start(id);
    await running.whenRunning();
  }
  const after = running.members.map(({ info }) => (info as ServingPorts).native);
  expect(after.some((port) => before.includes(port))).toBe(false);
  await until(() => goesOn('last'));
});
