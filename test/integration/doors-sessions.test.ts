/** A request that names itself is made once, by whichever door it comes again. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Door } from '../../platform/client/mod.ts';
import { bytes } from '../support/cluster.ts';
import { openNativeOnly } from '../support/native-only.ts';
import { ask, type DoorsRig, memberDoor, startDoors } from './doors-rig.ts';

let rig: DoorsRig;
let native: Door;

beforeAll(async () => {
  rig = await startDoors('sessions', 1);
  await rig.cluster.door.createPool({ name: '/barn/notes', kind: 'volatile' });
  native = await openNativeOnly(async () => rig.cluster.door.nativeDoor());
});

afterAll(async () => {
  await native.close();
  await rig.close();
});

test('a put that is sent again is answered as the first time', async () => {
  const session = { session: 77, request: 5, lowestUnanswered: 5 };
  const headers = { 'freshet-session': '77-5-5' };
  const key = '/barn/notes/once';
  const put = { key, value: bytes('x'), session };
  const first = await rig.cluster.door.put(put);
  expect(await memberDoor(rig).put(put)).toEqual(first);
  const [again] = await memberDoor(rig).putMany([put]);
  expect(again).toEqual(first);
  expect(await native.put(put)).toEqual(first);
  const path = '/v1/objects/barn/notes/once';
  const answer = await ask(rig.httpPort, path, { method: 'PUT', headers, body: 'x' });
  expect(JSON.parse(answer.body.toString())).toEqual(first);

  const next = { session: 77, request: 6, lowestUnanswered: 6 };
  const removed = await rig.cluster.door.remove({ key, session: next });
  const gone = { 'freshet-session': '77-6-6' };
  const deleted = await ask(rig.httpPort, path, { method: 'DELETE', headers: gone });
  expect(JSON.parse(deleted.body.toString())).toEqual(removed);
  expect(await native.remove({ key, session: next })).toEqual(removed);
  // Whoever has told that it has the answer cannot ask for it again.
  for (const door of [rig.cluster.door, native]) {
    await expect(door.put(put)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
  }
});

test('what names no request is refused', async () => {
  const put = { key: '/barn/notes/none', value: bytes('x') };
  const wrong = { session: 0, request: 1, lowestUnanswered: 1 };
  for (const door of [rig.cluster.door, native]) {
    await expect(door.put({ ...put, session: wrong })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  }
  for (const header of ['77', '77-1', '77-0-0', '77-1-2', 'a-b-c']) {
    const answer = await ask(rig.httpPort, '/v1/objects/barn/notes/none', {
      method: 'PUT',
      headers: { 'freshet-session': header },
      body: 'x',
    });
    expect([header, answer.status]).toEqual([header, 400]);
  }
});
