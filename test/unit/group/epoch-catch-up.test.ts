import { expect, test } from 'vitest';
import { FreshetError, silentLogger } from '../../../platform/base/mod.ts';
import { catchUp } from '../../../platform/group/epoch-catch-up.ts';
import type { MemberCore } from '../../../platform/group/member-core.ts';
import type { PeerMessages } from '../../../platform/group/peer-messages.ts';
import type { ShardFiller } from '../../../platform/group/shard-filler.ts';
import { encodeView, ViewDecoder } from '../../../platform/group/view-codec.ts';
import { positionOf, shardOf, viewOf } from './plan-samples.ts';

/** Member 1 of a view of four; shard 1 is of all, in epoch 5, and behind here. */
function rig(given: {
  behind?: number[];
  broken?: number[];
  mine?: ReturnType<typeof positionOf>;
}) {
  const done: string[] = [];
  const view = viewOf(9, 8, [1, 2, 3, 4], [shardOf(1, 5, [1, 2, 3, 4]), shardOf(2, 3, [1, 2])]);
  const native = {
    installed: encodeView(view),
    proposal: null,
    ...{ vote: '0', attempt: 1, suspects: 0, leads: false, stuck: false },
    behind: given.behind ?? [1],
  };
  const core = {
    nodeId: 1,
    incarnation: '0'.repeat(16),
    handle: null,
    views: new ViewDecoder(),
    addon: {
      view: () => native,
      caughtUp: (_handle: unknown, shard: number, epoch: number) =>
        done.push(`caught up with ${String(shard)} in ${String(epoch)}`),
    },
    call: (_what: string, start: (token: number) => number) => {
      start(1);
      return Promise.resolve(null);
    },
  };
  const messages = {
    up: new Set([2, 4]),
    call: (node: number, method: string, argument: unknown) => {
      done.push(`${method} of ${String(node)} for ${JSON.stringify(argument)}`);
      return given.broken?.includes(node) === true
        ? Promise.reject(new FreshetError('TIMEOUT', 'it did not end'))
        : Promise.resolve(positionOf(5, 9));
    },
  };
  const filler = {
    fillEnd: ({ shard, donor }: { shard: number; donor: number }, from: object) => {
      done.push(`fill ${String(shard)} from ${String(donor)} after ${JSON.stringify(from)}`);
      return Promise.resolve();
    },
  };
  const options = {
    core: core as unknown as MemberCore,
    messages: messages as unknown as PeerMessages,
    filler: filler as unknown as ShardFiller,
    log: silentLogger(),
    position: () => Promise.resolve(given.mine ?? positionOf(5, 7)),
    pause: () => Promise.resolve(),
    ends: {
      messages: messages as unknown as PeerMessages,
      mayGoOn: () => true,
      endedCall: 'ended',
      timeoutMs: 1000,
    },
  };
  return { done, run: async () => catchUp(options, new AbortController().signal) };
}

test('the end of an epoch comes from the first at which it has ended', async () => {
  const { done, run } = rig({ broken: [2], mine: positionOf(5, 7) });
  await run();
  // Member 3 is not connected.
  expect(done).toEqual([
    'ended of 2 for [1,6]',
    'ended of 4 for [1,6]',
    expect.stringMatching(/^fill 1 from 4 after .*"epoch":5,"sequence":7/),
    'caught up with 1 in 5',
  ]);
});

test('all of it is fetched where nothing of it is here', async () => {
  const { done, run } = rig({ mine: positionOf(4, 90) });
  await run();
  expect(done[1]).toBe('fill 1 from 2 after {"epoch":5,"sequence":-1}');
});

test('it is given up when nobody can give it', async () => {
  const { done, run } = rig({ broken: [2, 4] });
  await expect(run()).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(done.filter((step) => !step.startsWith('ended'))).toEqual([]);
});

test('where no shard is behind nothing is done', async () => {
  const { done, run } = rig({ behind: [] });
  await run();
  expect(done).toEqual([]);
});
