import { describe, expect, test } from 'vitest';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import type { GroupEffect } from '../../../platform/group/group-events.ts';
import { GroupMachine } from '../../../platform/group/group-machine.ts';
import type { Hello } from '../../../platform/group/group-messages.ts';
import { fingerprintOf } from '../../../platform/group/layout-in-force.ts';
import type { CoreView } from '../../../platform/group/view-codec.ts';
import { noView } from '../../../platform/group/view-record.ts';
import { incarnationOf, layoutOf, positionOf, shardOf, viewOf } from './plan-samples.ts';

const layout = layoutOf([1, 2, 3, 4], 2, 2);
/** Shard 1 is of all, shard 2 of members 2 and 3, shard 3 of 4 and 1. */
const shards = [shardOf(1, 5, [3, 1]), shardOf(2, 7, [3]), shardOf(3, 8, [1])];
const view = viewOf(9, 8, [3, 1], shards);
const ringSize = 65_536;

/** Member 3 leads a view of 3 and 1; the others may come. */
class Leader {
  readonly machine = new GroupMachine({
    me: 3,
    layout,
    run: 30,
    incarnation: incarnationOf(3),
    record: noView,
    ringSize,
    replaceAfterMs: 10_000,
    poolsIn: () => [],
    maxClockSkewMs: 500,
    nowMs: 0,
  });
  nowMs = 1000;

  constructor(installed: CoreView = view) {
    this.peer(1, { view: 9 });
    this.core(installed);
  }

  enter(event: Parameters<GroupMachine['onEvent']>[0]): readonly GroupEffect[] {
    return this.machine.onEvent(event, this.nowMs);
  }

  core(installed: CoreView, given: { leads?: boolean; changing?: boolean } = {}) {
    const state = { incarnation: incarnationOf(3), installed, stuck: false };
    const core = { ...state, leads: true, changing: false, ...given };
    return this.enter({ type: 'core', core, proposal: null });
  }

  /** It comes, or says something else. */
  peer(node: number, given: Partial<Hello> = {}): readonly GroupEffect[] {
    const hello: Hello = {
      type: 'hello',
      run: node * 10,
      incarnation: incarnationOf(node),
      fingerprint: fingerprintOf(layout, ringSize),
      up: [1, 2, 3, 4].filter((other) => other !== node),
      view: 0,
      stuck: false,
      incarnations: [],
      refused: [],
      slow: [],
      observes: [],
      clocks: [],
      ...given,
    };
    this.enter({ type: 'peer', node, up: true });
    this.clock(node, 0);
    return this.enter({ type: 'message', from: node, message: hello });
  }

  /** Its clock is compared with this one's, and is so far ahead. */
  clock(node: number, aheadUs: number): readonly GroupEffect[] {
    const offset = { leastUs: aheadUs - 1000, mostUs: aheadUs + 1000 };
    return this.enter({ type: 'clock', node, offset, stepUs: 0 });
  }

  admitted(node: number, effects: readonly GroupEffect[]): readonly GroupEffect[] {
    const { attempt } = admissionIn(effects);
    const message = {
      type: 'admitted',
      attempt,
      incarnation: incarnationOf(node),
      shards: [],
    };
    return this.enter({ type: 'message', from: node, message });
  }

  later(delayMs: number): readonly GroupEffect[] {
    this.nowMs += delayMs;
    return this.enter({ type: 'tick' });
  }
}

function admissionsIn(effects: readonly GroupEffect[]) {
  return effects.flatMap((effect) =>
    effect.type === 'send' && effect.message.type === 'admit'
      ? [{ to: effect.to, ...effect.message }]
      : [],
  );
}

function admissionIn(effects: readonly GroupEffect[]) {
  const [found] = admissionsIn(effects);
  if (found === undefined) {
    throw new Error('nobody was admitted');
  }
  return found;
}

function proposalsIn(effects: readonly GroupEffect[]) {
  return effects.filter((effect) => effect.type === 'propose');
}

describe('the view that lets a member in', () => {
  test('gives it the lowest free seat and the end of every rank order', () => {
    const leader = new Leader();
    const [proposed] = proposalsIn(leader.admitted(2, leader.peer(2)));
    expect(proposed?.view).toMatchObject({ number: 10, parent: 9 });
    expect(proposed?.view.members).toEqual([
      ...view.members,
      { node: 2, seat: 0, incarnation: incarnationOf(2) },
    ]);
    expect(proposed?.view.shards).toEqual([
      shardOf(1, 6, [3, 1, 0]),
      shardOf(2, 8, [3, 0]),
      // It holds no part of that one, which runs on.
      shardOf(3, 8, [1]),
    ]);
  });

  test('leaves closed shards closed', () => {
    const closed = shardOf(3, 8, []);
    const leader = new Leader(viewOf(9, 8, [3, 1], [...shards.slice(0, 2), closed]));
    const [proposed] = proposalsIn(leader.admitted(4, leader.peer(4)));
    expect(proposed?.view.shards).toEqual([shardOf(1, 6, [3, 1, 0]), shards[1], closed]);
  });

  test('names the incarnation that was filled', () => {
    const leader = new Leader();
    const { attempt } = admissionIn(leader.peer(2));
    const incarnation = 'abcdefabcdefabcd';
    const message = { type: 'admitted', attempt, incarnation, shards: [] };
    const [proposed] = proposalsIn(leader.enter({ type: 'message', from: 2, message }));
    expect(proposed?.view.members.at(-1)).toEqual({ node: 2, seat: 0, incarnation });
  });
});

describe('who is let in', () => {
  test('fetches each shard of its own from the first who runs it', () => {
    const admission = admissionIn(new Leader().peer(4));
    expect(admission.to).toBe(4);
    expect(admission.fills).toEqual([
      { shard: 1, donor: 3 },
      { shard: 3, donor: 1 },
    ]);
  });

  test('are several at once, each with a view as soon as it is filled', () => {
    const leader = new Leader();
    const slow = leader.peer(4);
    const quick = leader.peer(2);
    expect(admissionsIn(quick).map(({ to }) => to)).toEqual([2]);
    expect(proposalsIn(leader.admitted(2, quick))[0]?.view.members).toHaveLength(3);
    const taken = [shardOf(1, 6, [3, 1, 2]), shardOf(2, 8, [3, 2]), shardOf(3, 8, [1])];
    expect(admissionsIn(leader.core(viewOf(10, 9, [3, 1, 2], taken)))).toEqual([]);
    expect(proposalsIn(leader.admitted(4, slow))[0]?.view.members).toHaveLength(4);
  });

  test('come in one view, if they are filled by then and fewer than its members', () => {
    const leader = new Leader(viewOf(9, 8, [3, 1], shards));
    leader.core(viewOf(9, 8, [3, 1], shards), { changing: true });
    const asked = [leader.peer(2), leader.peer(4)];
    expect(asked.flatMap(admissionsIn)).toEqual([]);
    const admitted = leader.core(viewOf(9, 8, [3, 1], shards));
    for (const { to, attempt } of admissionsIn(admitted)) {
      const message = { type: 'admitted', attempt, incarnation: incarnationOf(to), shards: [] };
      leader.core(viewOf(9, 8, [3, 1], shards), { changing: true });
      leader.enter({ type: 'message', from: to, message });
    }
    const [first] = proposalsIn(leader.core(viewOf(9, 8, [3, 1], shards)));
    expect(first?.view.members.map(({ node }) => node)).toEqual([3, 1, 2]);
    const taken = [shardOf(1, 6, [3, 1, 2]), shardOf(2, 8, [3, 2]), shardOf(3, 8, [1])];
    const [second] = proposalsIn(leader.core(viewOf(10, 9, [3, 1, 2], taken)));
    expect(second?.view.members.map(({ node }) => node)).toEqual([3, 1, 2, 4]);
  });

  test('hold up nobody when they make no progress, and are asked again later', () => {
    const leader = new Leader();
    const { attempt } = admissionIn(leader.peer(2));
    const half = groupLimits.fillStallMs - 1;
    leader.later(half);
    leader.enter({ type: 'message', from: 2, message: { type: 'filling', attempt } });
    expect(JSON.stringify(leader.later(half))).not.toMatch(/no progress/);
    expect(JSON.stringify(leader.later(1))).toMatch(/member 2 makes no progress/);
    expect(admissionsIn(leader.later(groupLimits.stalledPauseMs - 1))).toEqual([]);
    expect(admissionsIn(leader.later(1)).map(({ to }) => to)).toEqual([2]);
  });

  test('reaches all members, and they it', () => {
    const leader = new Leader();
    expect(admissionsIn(leader.peer(2, { up: [3, 4] }))).toEqual([]);
    expect(admissionsIn(leader.peer(1, { view: 9, up: [3] }))).toEqual([]);
    expect(admissionsIn(leader.peer(2))).toEqual([]);
    expect(admissionsIn(leader.peer(1, { view: 9 })).map(({ to }) => to)).toEqual([2]);
  });

  test('is nobody while another change is under way, or somebody else leads', () => {
    const leader = new Leader();
    leader.core(view, { changing: true });
    expect(admissionsIn(leader.peer(2))).toEqual([]);
    expect(admissionsIn(leader.core(view, { leads: false }))).toEqual([]);
    expect(admissionsIn(leader.core(view))).toHaveLength(1);
  });

  test('is nobody with another configuration or a view of its own', () => {
    const leader = new Leader();
    expect(admissionsIn(leader.peer(2, { fingerprint: 'another' }))).toEqual([]);
    expect(admissionsIn(leader.peer(2, { view: 4 }))).toEqual([]);
  });
});

describe('a member of the view', () => {
  test('gets back what it lacks and no longer refuses', () => {
    const leader = new Leader();
    leader.peer(1, { view: 9, refused: [1] });
    const without = viewOf(10, 9, [3, 1], [shardOf(1, 6, [3]), ...shards.slice(1)]);
    expect(admissionsIn(leader.core(without))).toEqual([]);
    const effects = leader.peer(1, { view: 10 });
    expect(admissionIn(effects)).toMatchObject({ to: 1, fills: [{ shard: 1, donor: 3 }] });
    const [proposed] = proposalsIn(leader.admitted(1, effects));
    expect(proposed?.view.members).toEqual(without.members);
    expect(proposed?.view.shards[0]).toEqual(shardOf(1, 7, [3, 1]));
  });

  test('is taken out of what it refuses, and the last one closes the shard', () => {
    const leader = new Leader();
    const [proposed] = proposalsIn(leader.peer(1, { view: 9, refused: [1, 3] }));
    expect(proposed?.view.shards).toEqual([shardOf(1, 6, [3]), shards[1], shardOf(3, 9, [])]);
  });
});

describe('a shard that lost all members', () => {
  const closed = shardOf(3, 9, []);
  const open = viewOf(10, 9, [3, 1, 4], [shardOf(1, 6, [3, 1, 4]), shardOf(2, 7, [3]), closed]);

  /** It leads, and both that may have held shard 3 are there. */
  function ask(): { leader: Leader; effects: readonly GroupEffect[] } {
    const leader = new Leader();
    leader.peer(4, { view: 10 });
    return { leader, effects: leader.core(open) };
  }

  function tell(
    leader: Leader,
    node: number,
    effects: readonly GroupEffect[],
    sequence: number,
  ): readonly GroupEffect[] {
    const { attempt } = admissionIn(effects);
    const shards = [positionOf(8, sequence, { shard: 3 })];
    const message = { type: 'admitted', attempt, incarnation: incarnationOf(node), shards };
    return leader.enter({ type: 'message', from: node, message });
  }

  test('waits for all that may have held it', () => {
    const leader = new Leader(viewOf(9, 8, [3, 1], [...shards.slice(0, 2), closed]));
    expect(
      admissionsIn(leader.core(viewOf(9, 8, [3, 1], [...shards.slice(0, 2), closed]))),
    ).toEqual([]);
  });

  test('goes on from the longest of their histories', () => {
    const { leader, effects } = ask();
    expect(admissionsIn(effects).map(({ to, fills }) => [to, fills])).toEqual([
      [4, []],
      [1, []],
    ]);
    expect(tell(leader, 1, effects, 5)).toEqual([]);
    const filling = tell(leader, 4, effects, 7);
    expect(admissionIn(filling)).toMatchObject({ to: 1, fills: [{ shard: 3, donor: 4 }] });
    const [proposed] = proposalsIn(tell(leader, 1, filling, 7));
    expect(proposed?.view.shards[2]).toEqual(shardOf(3, 10, [4, 1]));
  });

  test('stays closed when filling does not bring them together', () => {
    const { leader, effects } = ask();
    tell(leader, 1, effects, 5);
    const filling = tell(leader, 4, effects, 7);
    const after = tell(leader, 1, filling, 6);
    expect(proposalsIn(after)).toEqual([]);
    expect(JSON.stringify(after)).toMatch(/shard 3 stays closed/);
  });
});

describe('a join that fails', () => {
  test('is tried again after a pause, as another attempt', () => {
    const leader = new Leader();
    const { attempt } = admissionIn(leader.peer(2));
    const message = { type: 'failed', attempt, reason: 'no disk' };
    const effects = leader.enter({ type: 'message', from: 2, message });
    expect(effects).toContainEqual({
      type: 'log',
      level: 'warn',
      text: 'member 2 could not be filled: no disk',
    });
    expect(admissionsIn(leader.later(groupLimits.retryPauseMs * 5 - 1))).toEqual([]);
    const again = admissionIn(leader.later(1));
    expect(again.attempt).not.toEqual(attempt);
  });

  test('is given up when the member comes back as another, without a lost connection', () => {
    const leader = new Leader();
    const first = leader.peer(2);
    leader.peer(2, { incarnation: incarnationOf(99) });
    expect(proposalsIn(leader.admitted(2, first))).toEqual([]);
    expect(admissionsIn(leader.later(groupLimits.retryPauseMs))).toHaveLength(1);
  });

  test('is tried again when the core does not take the view, or fails over it', () => {
    for (const type of ['proposed', 'failed'] as const) {
      const leader = new Leader();
      const [proposed] = proposalsIn(leader.admitted(2, leader.peer(2)));
      const attempt = proposed?.attempt ?? { leader: 0, number: 0 };
      leader.enter({ type, attempt, taken: false, reason: 'closed' });
      // What was filled stays so.
      const again = leader.later(groupLimits.retryPauseMs);
      expect(admissionsIn(again), type).toEqual([]);
      expect(proposalsIn(again), type).toHaveLength(1);
    }
  });
});

describe('a member that is being let in', () => {
  const attempt = { leader: 30, number: 5 };
  const fills = [{ shard: 1, donor: 3 }];
  const admit = { type: 'admit', attempt, fills, shards: [], layout: '' };

  function newJoiner(): GroupMachine {
    return new GroupMachine({
      me: 2,
      layout,
      run: 20,
      incarnation: incarnationOf(2),
      record: noView,
      ringSize,
      replaceAfterMs: 10_000,
      poolsIn: () => [],
      maxClockSkewMs: 500,
      nowMs: 0,
    });
  }

  test('says when it has what it was told to fetch, to whom told it', () => {
    const joiner = newJoiner();
    const effects = joiner.onEvent({ type: 'message', from: 3, message: admit }, 1);
    expect(effects).toContainEqual({
      type: 'admit',
      attempt,
      sealed: layout.heldBy(2).map(({ shard }) => shard),
      fills: admit.fills,
      shards: [],
    });
    expect(
      joiner.onEvent({ type: 'admitted', attempt, reason: null, shards: [] }, 2),
    ).toContainEqual({
      type: 'send',
      to: 3,
      message: { type: 'admitted', attempt, incarnation: incarnationOf(2), shards: [] },
    });
  });

  test('says that it is not, when a restart takes it', () => {
    const joiner = newJoiner();
    joiner.onEvent({ type: 'message', from: 3, message: admit }, 1);
    const collect = { type: 'collect', attempt: { leader: 10, number: 1 } };
    expect(joiner.onEvent({ type: 'message', from: 1, message: collect }, 2)).toContainEqual({
      type: 'send',
      to: 3,
      message: { type: 'failed', attempt, reason: 'a restart has begun' },
    });
  });

  test('takes no further step of a restart that it was in', () => {
    const joiner = newJoiner();
    const restart = { leader: 10, number: 1 };
    const collect = { type: 'collect', attempt: restart };
    joiner.onEvent({ type: 'message', from: 1, message: collect }, 1);
    joiner.onEvent({ type: 'states', attempt: restart, shards: [], record: null }, 2);
    joiner.onEvent({ type: 'message', from: 3, message: admit }, 3);
    const seal = { type: 'seal', attempt: restart, view: 3, layout: '', shards: [1] };
    const effects = joiner.onEvent({ type: 'message', from: 1, message: seal }, 4);
    expect(effects.filter(({ type }) => type === 'stopShards')).toEqual([]);
  });
});
