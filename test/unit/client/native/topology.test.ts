import { expect, test } from 'vitest';
import { FreshetError, ManualClock, type NativeDoorInfo } from '../../../../platform/base/mod.ts';
import { Placement } from '../../../../platform/bridge/mod.ts';
import { Topology, TopologyKeeper } from '../../../../platform/client/native/topology.ts';

const placement = new Placement({
  xxh3: (bytes) => BigInt(bytes[bytes.length - 1] ?? 0),
  keyPlace: (key, places) => key.charCodeAt(key.length - 1) % places,
});
const address = (nodeId: number, port = 7000 + nodeId) => ({ nodeId, host: '127.0.0.1', port });
const pool = (name: string, shards: number[]) => {
  const rules = { id: 1, kind: 'volatile', maxValueBytes: 9 } as const;
  return { name, shards, locations: {}, ...rules };
};

function told(change: Partial<NativeDoorInfo> = {}): NativeDoorInfo {
  const bytes = new Uint8Array(1);
  return {
    ticket: { ticket: bytes, key: bytes, expires: 0, clusterId: bytes },
    view: 1,
    members: [1, 2, 3].map((node) => address(node)),
    shards: [
      { shard: 2, members: [1, 2, 3], senders: [1, 3], persistent: true, raw: false },
      { shard: 3, members: [3, 1], senders: [3, 1], persistent: false, raw: true },
    ],
    pools: [pool('/barn', [2, 3]), pool('/field', [2])],
    ...change,
  };
}

test('asks members in one order for all shards, another one at each client', () => {
  const orders = [0, 1, 2, 3].map((turn) => {
    const topology = new Topology(told(), placement, turn);
    const [two, three] = [topology.shard(2)!, topology.shard(3)!];
    return [two.readers, two.writers, three.readers];
  });
  expect(orders[0]).toEqual([
    [1, 2, 3],
    [1, 3],
    [1, 3],
  ]);
  expect(orders[1]).toEqual([
    [2, 3, 1],
    [3, 1],
    [3, 1],
  ]);
  expect(orders[3]).toEqual(orders[0]);
});

test('places keys by their pool and their hash', () => {
  const topology = new Topology(told(), placement, 0);
  const barn = topology.poolOf('/barn/a')!;
  expect([barn.name, topology.isRaw(barn)]).toEqual(['/barn', true]);
  // By the last byte here: 'b' is even, 'a' is not.
  expect(topology.shardOf(barn, '/barn/b')?.shard).toBe(2);
  expect(topology.shardOf(barn, '/barn/a')?.shard).toBe(3);
  expect(topology.shardOf(topology.poolOf('/field/a')!, '/field/a')?.shard).toBe(2);
  expect(topology.poolOf('/barns/a')).toBeNull();
  expect(topology.poolsUnder('/').map(({ name }) => name)).toEqual(['/barn', '/field']);
  const away = pool('/away', [9]);
  expect(topology.shardOf(away, '/away/a')).toBeNull();
});

test('a door that is not told of is where it was, while its member holds a shard', () => {
  const first = new Topology(told(), placement, 0);
  expect(first.isComplete).toBe(true);
  const less = told({ members: [address(1), address(3, 99)] });
  const second = new Topology(less, placement, 0, first);
  expect(second.isComplete).toBe(false);
  expect([...second.addresses.values()].map(({ port }) => port)).toEqual([7001, 7002, 99]);
  const gone = { ...less, shards: less.shards.map((shard) => ({ ...shard, members: [1, 3] })) };
  const third = new Topology(gone, placement, 0, second);
  expect([third.isComplete, third.addresses.has(2)]).toEqual([true, false]);
});

test('is fetched by one call at a time, again while a newer view is known', async () => {
  const clock = new ManualClock();
  const answers: (NativeDoorInfo | null)[] = [];
  let fetches = 0;
  const keeper = new TopologyKeeper({
    fetch: () => {
      fetches++;
      const answer = answers.shift() ?? null;
      if (answer !== null) return Promise.resolve(answer);
      return Promise.reject(new FreshetError('UNREACHABLE', 'nobody answers'));
    },
    placement,
    clock,
    turn: 0,
    onChange: () => undefined,
  });
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  answers.push(told());
  await keeper.load();
  keeper.onView(1);
  await pass(60_000);
  expect(fetches).toBe(1);
  // The one that tells it has not installed the view yet; then nobody answers; then it has.
  answers.push(told(), null, told({ view: 2 }));
  keeper.onView(2);
  keeper.refresh();
  keeper.refresh();
  await pass(0);
  expect(fetches).toBe(2);
  await pass(200);
  expect([fetches, keeper.current?.view]).toEqual([3, 1]);
  await pass(200);
  expect(fetches).toBe(3);
  await pass(200);
  expect([fetches, keeper.current?.view]).toEqual([4, 2]);
  await pass(60_000);
  expect(fetches).toBe(4);
  keeper.close();
  keeper.refresh();
  expect(fetches).toBe(4);
});
