import { expect, test } from 'vitest';
import { ManualClock } from '../../../platform/base/mod.ts';
import { CastMachine } from '../../../platform/replicated/cast-machine.ts';
import type { CastMessage } from '../../../platform/replicated/cast-messages.ts';
import { Channel, type ChannelEvent } from '../../../platform/replicated/channel.ts';
import { ChannelListener } from '../../../platform/replicated/channel-listener.ts';
import { PeerOutbox } from '../../../platform/replicated/peer-outbox.ts';
import { replicatedLimits } from '../../../platform/replicated/replicated-limits.ts';

interface Station {
  readonly channel: Channel<string>;
  readonly events: ChannelEvent<string>[];
}

/** Members of one channel whose messages arrive at once, but those to `deaf` ones. */
function stations(
  clock: ManualClock,
  nodes: readonly number[],
  deaf: readonly number[] = [],
  throwing: readonly number[] = [],
) {
  const all = new Map<number, Station>();
  for (const nodeId of nodes) {
    const events: ChannelEvent<string>[] = [];
    const listener = new ChannelListener<string>(() => undefined);
    listener.begin((event) => {
      events.push(event);
      if (throwing.includes(nodeId)) throw new Error('not today');
    }, false);
    const channel = new Channel<string>({
      name: '/radio',
      nodeId,
      timeoutMs: 1000,
      clock,
      machine: new CastMachine(nodeId),
      onEvent: (event) => {
        listener.onEvent(event);
      },
      send: (to, message) => {
        clock.after(1, () => {
          if (!deaf.includes(to)) all.get(to)?.channel.onMessage(nodeId, message);
        });
      },
    });
    all.set(nodeId, { channel, events });
  }
  return { all, at: (node: number): Station => all.get(node) as Station };
}

const heard = ({ events }: Station) =>
  events.flatMap((event) => (event.type === 'message' ? [event.message] : []));

test('what is sent before there is a view is sent in it, and flushed', async () => {
  const clock = new ManualClock();
  const { all, at } = stations(clock, [1, 2]);
  const sent = [at(1).channel.fbcast('one'), at(1).channel.cbcast('two'), at(1).channel.flush()];
  expect(at(1).channel.members).toEqual([]);
  for (const { channel } of all.values()) channel.onView(1, [1, 2]);
  clock.advance(100);
  await Promise.all(sent);
  expect(at(1).channel.members).toEqual([1, 2]);
  expect(heard(at(2))).toEqual(['one', 'two']);
  expect(at(2).events[0]).toEqual({
    type: 'view',
    number: 1,
    members: [1, 2],
    joined: [1, 2],
    left: [],
    rank: 1,
    leader: 1,
    continuous: false,
  });
  // Everything is told: nobody has to wake up any more.
  expect(clock.timerCount).toBe(0);
});

test('waiting ends with whom it waited for', async () => {
  const clock = new ManualClock();
  const { at } = stations(clock, [1, 2]);
  at(1).channel.onView(1, [1, 2]);
  const refused = expect(at(1).channel.fbcast('one')).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: expect.stringContaining('by member 2') as string,
  });
  clock.advance(1000);
  await refused;
});

test('a program that throws holds nobody up', async () => {
  const clock = new ManualClock();
  const { all, at } = stations(clock, [1, 2], [], [1, 2]);
  const sent = [at(1).channel.fbcast('one'), at(2).channel.cbcast('two'), at(1).channel.flush()];
  for (const { channel } of all.values()) channel.onView(1, [1, 2]);
  clock.advance(100);
  await Promise.all(sent);
  for (const node of [1, 2]) expect(heard(at(node)).sort()).toEqual(['one', 'two']);
  expect(clock.timerCount).toBe(0);
});

test('who was left out is told that what it sent may be lost', async () => {
  const clock = new ManualClock();
  const { all, at } = stations(clock, [1, 2, 3]);
  for (const { channel } of all.values()) channel.onView(1, [1, 2, 3]);
  clock.advance(100);
  // The others go on without member 3, which hears of nothing.
  for (const node of [1, 2]) at(node).channel.onView(2, [1, 2]);
  clock.advance(5);
  await at(3).channel.fbcast('lost');
  const flushed = expect(at(3).channel.flush()).rejects.toMatchObject({ code: 'NOT_CURRENT' });
  for (const { channel } of all.values()) channel.onView(3, [1, 2, 3]);
  clock.advance(100);
  await flushed;
  expect(at(3).events.at(-1)).toMatchObject({ type: 'view', number: 3, continuous: false });
  expect(heard(at(1))).toEqual([]);
  expect(at(1).events.at(-1)).toMatchObject({ number: 3, joined: [3], continuous: true });
});

test('what is too much is refused; a closed channel takes nothing and no part', async () => {
  const clock = new ManualClock();
  const { all, at } = stations(clock, [1, 2], [1]);
  const { channel } = at(1);
  const large = 'x'.repeat(replicatedLimits.messageBytes);
  await expect(channel.mcast(large)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  const some = Array.from({ length: replicatedLimits.unstableMessages }, () => channel.mcast('x'));
  await expect(channel.mcast('one more')).rejects.toMatchObject({ code: 'OVERLOADED' });
  channel.close();
  const ends = await Promise.allSettled(some);
  expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
  await expect(channel.mcast('x')).rejects.toMatchObject({ code: 'CLOSED' });
  for (const one of all.values()) one.channel.onView(1, [1, 2]);
  clock.advance(100);
  expect(at(2).events).toEqual([]);
});

test('an outbox keeps its order, sends again, and forgets who is gone', async () => {
  const clock = new ManualClock();
  const arrived: number[] = [];
  const state = { fails: 2, isWanted: true };
  const outbox = new PeerOutbox({
    clock,
    send: async (messages) => {
      // The first ones arrive although the sender is told that they may not have.
      arrived.push(...messages.map((message) => (message.type === 'cast' ? message.view : 0)));
      if (state.fails-- > 0) throw new Error('lost');
      return Promise.resolve();
    },
    isWanted: () => state.isWanted,
  });
  const message = (view: number): CastMessage => ({ type: 'cast', view, cast });
  const cast = {
    sender: 1,
    seq: 1,
    order: 'mcast',
    nth: 1,
    clock: [],
    bytes: Buffer.of(),
  } as const;
  const settle = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(replicatedLimits.retryPauseMs);
    await new Promise((resolve) => setImmediate(resolve));
  };
  outbox.push(message(1));
  outbox.push(message(2));
  await settle();
  outbox.push(message(3));
  await settle();
  expect(arrived).toEqual([1, 2, 1, 2, 1, 2, 3]);
  state.fails = 1;
  outbox.push(message(4));
  await new Promise((resolve) => setImmediate(resolve));
  state.isWanted = false;
  await settle();
  expect(arrived).toEqual([1, 2, 1, 2, 1, 2, 3, 4]);
});
