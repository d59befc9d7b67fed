import { afterAll, beforeAll, expect, test } from 'vitest';
import { FreshetError, type PutRequest, SystemRandom } from '../../platform/base/mod.ts';
import type { Door } from '../../platform/client/mod.ts';
import { Emitter } from '../../platform/lambda/emit.ts';
import type { LambdaNode } from '../../platform/lambda/mod.ts';
import { MemberDoor } from '../../platform/member-door.ts';
import { startTestCluster, type TestCluster, text } from '../support/cluster.ts';
import { makeTempFolder, type TemporaryFolder } from '../support/mod.ts';

let folder: TemporaryFolder;
let cluster: TestCluster;

beforeAll(async () => {
  folder = await makeTempFolder('emits');
  cluster = await startTestCluster({ folder: folder.path });
  const { objects } = cluster.member(1).store;
  await objects.createPool({ name: '/out', kind: 'persistent' });
  await objects.createPool({ name: '/next', kind: 'trigger' });
});

afterAll(async () => {
  await cluster.close();
  await folder.remove();
});

const edges = {
  stored: [{ to: '/out', by: 'put' }],
  handed: [{ to: '/next', by: 'triggerPut' }],
  lost: [{ to: '/nowhere', by: 'put' }],
};
const node = { lambda: 'farm/echo', prefix: '/in', edges } as unknown as LambdaNode;

async function emit(door: Door, output: keyof typeof edges, name: string): Promise<void> {
  const emitter = new Emitter(door, cluster.member(1).clock, new SystemRandom());
  const bytes = Buffer.from(name);
  await emitter.send(node, [{ output, name, bytes, eventTime: null, meta: {} }], { time: 5 });
}

const stopped = (): FreshetError => new FreshetError('SHARD_STOPPED', 'It may have been made');

/** The door of member 1, which loses the answers of the first puts, as a view that changes does. */
function losingDoor(losses: number): Door {
  const door = new MemberDoor(cluster.member(1), () => ({}));
  let left = losses;
  const put = async (request: PutRequest) => {
    const result = await door.put(request);
    if (left-- > 0) throw stopped();
    return result;
  };
  return { put, triggerPut: door.triggerPut.bind(door) } as unknown as Door;
}

test('an emit that a change of the view cuts off is made once', async () => {
  await emit(losingDoor(3), 'stored', 'cow');
  const found = [];
  for await (const { value, meta } of cluster
    .member(2)
    .store.objects.history({ key: '/out/cow' })) {
    found.push([text(value), meta]);
  }
  expect(found).toEqual([['cow', { 'origin-time': '5' }]]);
});

test('a trigger is handed on once a member can take it in', async () => {
  const tries: string[] = [];
  for (const { store } of cluster.members) {
    store.onTrigger(({ key }) => {
      tries.push(key);
      // As a member that has not begun its lambdas yet.
      if (tries.length < 3) throw stopped();
    });
  }
  await emit(losingDoor(0), 'handed', 'cow');
  expect(tries).toEqual(['/next/cow', '/next/cow', '/next/cow']);
});

test('what will not pass fails at once', async () => {
  await expect(emit(losingDoor(0), 'lost', 'cow')).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
});
