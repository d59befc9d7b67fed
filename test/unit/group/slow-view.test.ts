import { describe, expect, test, vi } from 'vitest';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import { GroupState } from '../../../platform/group/group-state.ts';
import type { SlowMemberPolicy, SubgroupOptions } from '../../../platform/group/layout-options.ts';
import { Layout } from '../../../platform/group/layout.ts';
import {
  slowVerdicts,
  type SlowVerdict,
  spareable,
  viewDemoting,
} from '../../../platform/group/slow-view.ts';
import { type CoreShard, type CoreView, nodesOf } from '../../../platform/group/view-codec.ts';
import { noView } from '../../../platform/group/view-record.ts';
import { incarnationOf, shardOf, viewOf } from './plan-samples.ts';

const ringSize = 65_536;
const catalog = 1;
const milk = 2;
const barn = 3;

interface Given {
  readonly policy?: SlowMemberPolicy;
  /** Of milk and of barn, as this member is configured. */
  readonly configured?: readonly [number, number];
  /** As the view has them, in a layout of its own; left out: it has none. */
  readonly inView?: readonly [number, number];
  /** Who runs milk, and who barn. */
  readonly milk?: readonly number[];
  readonly barn?: readonly number[];
  /** Whose the places of milk are. */
  readonly homes?: readonly number[];
  /** Who alone sends in milk. */
  readonly senders?: readonly number[];
}

function subgroupsOf(mins: readonly [number, number], given: Given): SubgroupOptions[] {
  const { policy = 'demote', senders } = given;
  const common = { kind: 'persistent', slowMember: { policy, afterMs: 200 } } as const;
  const shards = senders === undefined ? 1 : [{ reserved: [1, 2, 3], senders: [...senders] }];
  const [milkMin, barnMin] = mins;
  return [
    { ...common, name: 'milk', shards, replicas: 3, minReplicas: milkMin },
    { ...common, name: 'barn', shards: 1, replicas: 3, minReplicas: barnMin },
  ];
}

/** Member 1 in a view of three. */
function stateIn(given: Given): GroupState {
  const { configured = [1, 1], inView, homes } = given;
  const layout = new Layout([1, 2, 3], subgroupsOf(configured, given));
  const shards: CoreShard[] = [
    shardOf(catalog, 1, [1, 2, 3]),
    shardOf(milk, 1, given.milk ?? [1, 2, 3]),
    shardOf(barn, 1, given.barn ?? [1, 2, 3]),
  ];
  const subgroups = subgroupsOf(inView ?? configured, given).map((options, nth) => {
    return { first: milk + nth, options };
  });
  const view: CoreView = {
    ...viewOf(1, 0, [1, 2, 3], shards),
    homes: homes === undefined ? [] : [{ shard: milk, nodes: homes, leaving: [] }],
    layout: inView === undefined ? null : { version: 2, ringSize, exclusive: false, subgroups },
  };
  const incarnation = incarnationOf(1);
  const state = new GroupState({
    ...{ me: 1, layout, run: 1, incarnation, ringSize, record: noView },
    ...{ poolsIn: () => [], maxClockSkewMs: 500, nowMs: 0 },
  });
  const core = { incarnation, installed: view, changing: false, leads: true, stuck: false };
  state.setCore(core, 0);
  return state;
}

/** These say that they waited for a member of milk so long. */
function accuse(state: GroupState, node: number, by: readonly number[], waitedMs = 400): void {
  const lag = { shard: milk, epoch: 1, node, waitedMs };
  for (const other of by) {
    if (other === state.me) {
      state.slow.noteLag({ ...lag, kind: 'received', messages: 1 }, 0);
    } else {
      const before = state.accusationsOf(other).filter((one) => one.node !== node);
      state.setHello(other, { ...state.myHello(), run: other, slow: [...before, lag] });
    }
  }
}

/** Once nobody was heard to think otherwise. */
function verdictsOf(state: GroupState, policy: SlowMemberPolicy = 'demote'): SlowVerdict[] {
  expect(slowVerdicts(state, policy, 0)).toEqual([]);
  return slowVerdicts(state, policy, groupLimits.tickMs);
}

function slowIn(state: GroupState, policy: SlowMemberPolicy = 'demote'): number[] {
  return verdictsOf(state, policy).map(({ node }) => node);
}

describe('a slow member may go', () => {
  test('once both others wait for it, and the shard has its minimum without it', () => {
    const state = stateIn({ inView: [2, 1] });
    accuse(state, 3, [2]);
    expect(slowIn(state)).toEqual([]);
    accuse(state, 3, [1, 2]);
    const [verdict, ...others] = verdictsOf(state);
    expect(verdict).toMatchObject({ node: 3, waitedMs: 400, accusers: [1, 2] });
    expect(others).toEqual([]);
    const next = viewDemoting(state, [verdict as SlowVerdict]) as CoreView;
    const left = next.shards.map((core) => nodesOf(next, core));
    expect(left).toEqual([
      [1, 2, 3],
      [1, 2],
      [1, 2, 3],
    ]);
    expect(next.shards.map(({ membersMin }) => membersMin)).toEqual([1, 2, 1]);
  });

  test.each<[string, Given, number[]]>([
    ['not where the view raised it', { configured: [1, 1], inView: [3, 1] }, []],
    ['where the view lowered it', { configured: [3, 1], inView: [2, 1] }, [3]],
    ['as configured where no view has a layout', { configured: [3, 1] }, []],
  ])('%s', (_what, given, expected) => {
    const state = stateIn(given);
    accuse(state, 3, [1, 2]);
    expect(slowIn(state)).toEqual(expected);
  });

  test('not from a shard that has fewer places than its minimum, and all of them taken', () => {
    const state = stateIn({ inView: [3, 1], milk: [1, 2], homes: [1, 2] });
    expect(state.minOf(milk)).toBe(2);
    accuse(state, 1, [2]);
    expect(slowIn(state)).toEqual([]);
  });

  test('by what the state says that the shard needs, which decides it for all', () => {
    const state = stateIn({ configured: [3, 3] });
    accuse(state, 3, [1, 2]);
    expect(slowIn(state)).toEqual([]);
    const needs = vi.spyOn(state, 'minOf').mockReturnValue(2);
    const [verdict] = verdictsOf(state);
    expect(verdict?.node).toBe(3);
    expect(spareable(state, verdict as SlowVerdict)).toBe(true);
    needs.mockImplementation((shard) => (shard === barn ? 3 : 2));
    expect(spareable(state, verdict as SlowVerdict)).toBe(false);
  });

  test('not with the last of those who send', () => {
    const alone = stateIn({ senders: [3] });
    accuse(alone, 3, [1, 2]);
    expect(slowIn(alone)).toEqual([]);
    const beside = stateIn({ senders: [2, 3] });
    accuse(beside, 3, [1, 2]);
    expect(slowIn(beside)).toEqual([3]);
  });

  test('of two the slowest, and none of two that wait for each other', () => {
    const both = stateIn({});
    accuse(both, 3, [1, 2], 300);
    accuse(both, 2, [1, 3], 900);
    expect(slowIn(both)).toEqual([2]);
    const each = stateIn({ milk: [1, 2] });
    accuse(each, 1, [2]);
    accuse(each, 2, [1]);
    expect(slowIn(each)).toEqual([]);
  });
});

describe('a slow member may leave the view', () => {
  test('where all its shards have the minimum of the view without it', () => {
    const state = stateIn({ policy: 'suspect', inView: [2, 2] });
    accuse(state, 3, [1, 2]);
    const [verdict] = verdictsOf(state, 'suspect');
    expect(spareable(state, verdict as SlowVerdict)).toBe(true);
    expect(verdictsOf(state, 'demote')).toEqual([]);
  });

  test.each<[string, Given, boolean]>([
    ['not where the view raised that of another', { inView: [2, 3] }, false],
    ['where the view lowered that of another', { configured: [2, 3], inView: [2, 2] }, true],
    ['where it is in no other', { inView: [2, 2], barn: [1, 2] }, true],
    ['where it is in no other, though that has too few', { inView: [2, 3], barn: [1, 2] }, true],
  ])('%s', (_what, given, expected) => {
    const state = stateIn({ policy: 'suspect', ...given });
    accuse(state, 3, [1, 2]);
    const [verdict] = verdictsOf(state, 'suspect');
    expect(verdict?.node).toBe(3);
    expect(spareable(state, verdict as SlowVerdict)).toBe(expected);
  });
});
