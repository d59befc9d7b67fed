import { expect, test } from 'vitest';
import { ManualClock } from '../../../platform/base/mod.ts';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import type { MemberCore } from '../../../platform/group/member-core.ts';
import { encodeView, ViewDecoder } from '../../../platform/group/view-codec.ts';
import { ViewLeave } from '../../../platform/group/view-leave.ts';

/** Member 1 of a view of three goes; time passes by hand. */
function rig() {
  const clock = new ManualClock();
  const members = [1, 2, 3].map((node, seat) => ({
    ...{ node, seat },
    incarnation: node.toString(16).padStart(16, '0'),
  }));
  const view = { number: 1, parent: 0, members, shards: [], homes: [], layout: null };
  const seen = { installed: encodeView(view), proposal: null, vote: '', behind: [], suspects: 0 };
  const left: number[] = [];
  const core = {
    ...{ nodeId: 1, handle: {}, incarnation: members[0]?.incarnation, waiting: 0 },
    views: new ViewDecoder(),
    addon: {
      view: () => ({ ...seen, leads: true, stuck: false }),
      leaveView: () => {
        left.push(clock.monotonicMs());
        return 0;
      },
    },
  };
  const staying = new Set([2, 3]);
  const leave = new ViewLeave(core as unknown as MemberCore, clock, (node) => staying.has(node));
  let isOver = false;
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    ...{ core, seen, staying, leave, left },
    begin: () => {
      void leave.run().then(() => {
        isOver = true;
      });
    },
    after: async (ms: number): Promise<boolean> => {
      await turn();
      clock.advance(ms);
      await turn();
      return isOver;
    },
  };
}

const { leaveListenMs, leavePollMs, leaveWaitMs } = groupLimits;

test('listens, leaves, and is over as soon as the others have gone on', async () => {
  const { leave, left, begin, after } = rig();
  begin();
  expect(await after(leaveListenMs - 1)).toBe(false);
  expect(left).toEqual([]);
  expect(await after(1)).toBe(false);
  expect(left).toEqual([leaveListenMs]);
  leave.look();
  expect(await after(0)).toBe(false);
  leave.onOutdated();
  expect(await after(0)).toBe(true);
  expect(leave.isOver).toBe(true);
});

test('keeps its view where others go as well, or are too few', async () => {
  for (const seat of [1, 2]) {
    const { seen, staying, leave, left, begin, after } = rig();
    begin();
    expect(await after(leaveListenMs - 1)).toBe(false);
    if (seat === 1) staying.delete(2);
    else seen.suspects = 1 << seat;
    leave.look();
    expect(await after(0)).toBe(true);
    expect(left).toEqual([]);
  }
});

test('waits for its changes first, and no longer than that helps', async () => {
  const { core, left, staying, leave, begin, after } = rig();
  core.waiting = 2;
  begin();
  await after(leaveListenMs);
  await after(10 * leavePollMs);
  expect(left).toEqual([]);
  core.waiting = 0;
  expect(await after(leavePollMs)).toBe(false);
  expect(left).toHaveLength(1);
  staying.clear();
  leave.look();
  expect(await after(0)).toBe(true);
});

test('waits for others that do not answer, until its time is up or the member closes', async () => {
  const given = rig();
  given.begin();
  await given.after(leaveListenMs);
  expect(await given.after(leaveWaitMs - 1)).toBe(false);
  expect(await given.after(1)).toBe(true);
  const closed = rig();
  closed.begin();
  await closed.after(leaveListenMs);
  closed.leave.end();
  expect(await closed.after(0)).toBe(true);
});
