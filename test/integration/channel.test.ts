import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ChannelEvent, ProgramCluster } from '../../platform/member/mod.ts';
import { startProgram } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';
import type { calls } from '../support/radio-program.ts';

let running: LocalCluster | null = null;
let radio: ProgramCluster<typeof calls>;

beforeEach(async () => {
  const folder = await tempFolder('channel');
  const file = 'test/support/radio-program.ts';
  ({ cluster: running, program: radio } = await startProgram<typeof calls>(folder, file));
  await Promise.all(radio.ids.map((id) => radio.call(id, 'open')));
});

afterEach(async () => {
  await running?.close();
  running = null;
});

async function messagesOf(id: number, order: string): Promise<string[]> {
  const events = await radio.call(id, 'events');
  return events.flatMap((event) =>
    event.type === 'message' && event.order === order ? [event.message] : [],
  );
}

async function sendFromAll(order: 'mcast' | 'fbcast' | 'cbcast' | 'abcast', count: number) {
  await Promise.all(
    radio.ids.map((id) => radio.call(id, 'send', { order, prefix: `${String(id)}-`, count })),
  );
  // Everything is delivered everywhere after that: no waiting below.
  await Promise.all(radio.ids.map((id) => radio.call(id, 'flush')));
}

test('every order delivers everything everywhere, in that order', async () => {
  for (const order of ['mcast', 'fbcast', 'cbcast', 'abcast'] as const)
    await sendFromAll(order, 60);
  const sent = radio.ids.flatMap((id) => Array.from({ length: 60 }, (_, nth) => `${id}-${nth}`));
  const [first] = await Promise.all(radio.ids.map((id) => messagesOf(id, 'abcast')));
  for (const id of radio.ids) {
    for (const order of ['mcast', 'fbcast', 'cbcast', 'abcast']) {
      expect((await messagesOf(id, order)).sort()).toEqual([...sent].sort());
    }
    const fifo = await messagesOf(id, 'fbcast');
    for (const from of radio.ids) {
      const own = fifo.filter((message) => message.startsWith(`${String(from)}-`));
      expect(own).toEqual(sent.filter((message) => message.startsWith(`${String(from)}-`)));
    }
    expect(await messagesOf(id, 'abcast')).toEqual(first);
  }
});

test('an answer is nowhere before its question', async () => {
  await radio.call(1, 'send', { order: 'cbcast', prefix: 'question', count: 200 });
  await radio.call(1, 'flush');
  await radio.call(2, 'flush');
  const heard = await messagesOf(3, 'cbcast');
  expect(heard).toHaveLength(400);
  const early = heard.filter((message, at) => {
    const question = message.replace('answer', 'question');
    return message.startsWith('answer') && heard.indexOf(question) > at;
  });
  expect(early).toEqual([]);
});

test('who goes on after a member was killed has the same of it, before the view', async () => {
  for (const order of ['mcast', 'fbcast', 'cbcast'] as const) {
    await radio.call(3, 'sendOn', { order, prefix: `${order}-` });
  }
  while ((await messagesOf(1, 'cbcast')).length < 100) await sendFromOthers();
  await radio.kill(3);
  const before = await Promise.all([1, 2].map(untilWithout3));
  const heard = before.map((events) =>
    events.flatMap((event) =>
      event.type === 'message' && event.from === 3 ? [event.message] : [],
    ),
  );
  expect([...(heard[1] ?? [])].sort()).toEqual([...(heard[0] ?? [])].sort());
  expect(heard[0]?.length).toBeGreaterThan(100);
  // The channel goes on, and the member comes back to it.
  await sendFromOthers();
  await radio.start(3);
  await radio.call(3, 'open');
  await radio.call(3, 'send', { order: 'cbcast', prefix: 'back-', count: 1 });
  await radio.call(3, 'flush');
  for (const id of radio.ids) expect(await messagesOf(id, 'cbcast')).toContain('back-0');
});

test('a member that comes back holds nobody up, and opens the channel when it likes', async () => {
  await radio.kill(3);
  await Promise.all([1, 2].map(untilWithout3));
  await radio.start(3);
  // It is in the view again, and nobody there has opened the channel.
  while ((await radio.call(1, 'members')).length < 3) await sendFromOthers();
  await radio.call(1, 'send', { order: 'cbcast', prefix: 'missed-', count: 3 });
  await radio.call(2, 'send', { order: 'abcast', prefix: 'missed-', count: 3 });
  await radio.call(1, 'flush');
  await radio.call(2, 'flush');
  await radio.call(3, 'open');
  for (const order of ['cbcast', 'abcast'] as const) {
    await radio.call(1, 'send', { order, prefix: 'heard-', count: 1 });
    await radio.call(1, 'flush');
    expect(await messagesOf(3, order)).toEqual(['heard-0']);
    expect(await messagesOf(2, order)).toContain('missed-2');
  }
  const [first] = await radio.call(3, 'events');
  const members = await radio.call(3, 'members');
  expect(first).toMatchObject({ type: 'view', continuous: false, joined: members, left: [] });
});

async function sendFromOthers(): Promise<void> {
  for (const id of [1, 2]) {
    await radio.call(id, 'send', { order: 'fbcast', prefix: `${String(id)}-`, count: 1 });
  }
}

/** What a member had before it went on without member 3. */
async function untilWithout3(id: number): Promise<ChannelEvent<string>[]> {
  for (;;) {
    const events = await radio.call(id, 'events');
    const at = events.findIndex((event) => event.type === 'view' && event.left.includes(3));
    if (at >= 0) return events.slice(0, at);
  }
}
