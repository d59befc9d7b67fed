import { afterEach, expect, test } from 'vitest';
import { until } from '../../support/mod.ts';
import { Client, longBody, type LongDoor, longSize, putHead, startLongDoor } from './long-rig.ts';

/** What a pool of the door takes no more. */
const tooLong = Buffer.alloc(longSize + 1);

let door: LongDoor;

afterEach(async () => {
  await door.close();
});

/** Two begin to come, and a third is refused, so that neither more nor less is on its way. */
async function holdAllRoom(): Promise<readonly Client[]> {
  const before = door.looks();
  const holders = [new Client(door), new Client(door)];
  for (const holder of holders) holder.send(putHead(longSize));
  await until(() => door.looks() === before + 2);
  const third = new Client(door).send(putHead(longSize));
  expect(await third.answers(1)).toEqual([429]);
  third.socket.destroy();
  return holders;
}

async function letGo(holders: readonly Client[]): Promise<void> {
  for (const holder of holders) {
    expect(await holder.send(longBody).answers(1)).toEqual([200]);
    holder.socket.destroy();
  }
}

async function expectAllRoom(): Promise<void> {
  await letGo(await holdAllRoom());
}

async function putOne(): Promise<number | undefined> {
  const client = new Client(door).send(putHead(longSize), longBody);
  const [status] = await client.answers(1);
  client.socket.destroy();
  return status;
}

/** Also once the server has heard of its end. */
async function expectAllRoomAfter(client: Client): Promise<void> {
  await expectAllRoom();
  client.socket.destroy();
  expect(await putOne()).toBe(200);
  await expectAllRoom();
}

test('long puts one behind the other leave all room', async () => {
  door = await startLongDoor();
  const client = new Client(door);
  for (let nth = 1; nth <= 3; nth++) client.send(putHead(longSize), longBody, putHead(1), 'x');
  expect(await client.answers(6)).toEqual([200, 200, 200, 200, 200, 200]);
  await expectAllRoomAfter(client);
});

test('and where the first is refused as its pool takes none so long', async () => {
  door = await startLongDoor();
  const client = new Client(door);
  client.send(putHead(tooLong.byteLength), tooLong, putHead(longSize), longBody);
  expect(await client.answers(2)).toEqual([413, 200]);
  await expectAllRoomAfter(client);
});

test('and where the first is refused as others have all room', async () => {
  door = await startLongDoor();
  const holders = await holdAllRoom();
  const client = new Client(door).send(putHead(longSize), longBody);
  expect(await client.answers(1)).toEqual([429]);
  await letGo(holders);
  expect(await client.send(putHead(longSize), longBody).answers(2)).toEqual([429, 200]);
  await expectAllRoomAfter(client);
});

test('and where the client goes in the middle of the first', async () => {
  door = await startLongDoor();
  for (let round = 1; round <= 2; round++) {
    const client = new Client(door).send(putHead(longSize), longBody.subarray(1));
    await until(() => door.looks() === round);
    client.socket.destroy();
  }
  await until(async () => (await putOne()) === 200);
  await expectAllRoom();
});

test('and where the client goes while all wait behind the first', async () => {
  let puts = 0;
  door = await startLongDoor({}, () => (puts++ > 0 ? Promise.resolve() : new Promise(() => null)));
  const client = new Client(door);
  client.send(putHead(1), 'x', putHead(longSize), longBody, putHead(longSize), 'begin');
  await until(() => door.looks() === 2 && puts === 2);
  client.socket.destroy();
  await until(async () => (await putOne()) === 200);
  await expectAllRoom();
});
