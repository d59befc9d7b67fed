/**
 * What is done about slow members, from the installed view and what the members say of each other.
 * Pure functions.
 *
 * A member is slow in a shard when more than half of the other members of its epoch were made to
 * wait for it for the shard's `afterMs`, and not all of these are slow themselves: of two that wait
 * for each other nobody knows whose fault it is. The shard goes on without it only with its
 * minimum of members, one of its senders among them, and never without anybody; and only once that
 * has been so for a moment, in which who thinks otherwise is heard.
 */
import type { GroupState } from './group-state.ts';
import type { ShardLayout } from './layout.ts';
import type { SlowMemberPolicy } from './layout-options.ts';
import { viewWithout } from './next-view.ts';
import { type CoreShard, type CoreView, nodesOf } from './view-codec.ts';

export interface SlowVerdict {
  readonly layout: ShardLayout;
  readonly node: number;
  /** The longest that one of the others waited. */
  readonly waitedMs: number;
  readonly accusers: readonly number[];
}

/** Of each shard with this policy the slowest member that it can do without. */
export function slowVerdicts(
  state: GroupState,
  policy: SlowMemberPolicy,
  nowMs: number,
): SlowVerdict[] {
  const view = state.core.installed;
  const isQuiet = view?.members.every(({ node }) => state.accusationsOf(node).length === 0) ?? true;
  const found = (isQuiet ? [] : (view?.shards ?? [])).flatMap((core) => {
    const layout = state.layout.has(core.shard) ? state.layout.shard(core.shard) : null;
    const isMeant = layout !== null && layout.slowMember.policy !== 'wait';
    if (view === null || core.closed || !isMeant) return [];
    const nodes = nodesOf(view, core);
    return slowOf(state, layout, core, nodes).filter(({ node }) =>
      mayGo(state, layout, nodes, node),
    );
  });
  const names = state.slow.standing(found.map(nameOf), nowMs);
  const slowest = new Map<ShardLayout, SlowVerdict>();
  for (const verdict of found) {
    const { layout, waitedMs } = verdict;
    const isMeant = layout.slowMember.policy === policy && names.includes(nameOf(verdict));
    const isSlower = waitedMs > (slowest.get(layout)?.waitedMs ?? -1);
    if (isMeant && isSlower) slowest.set(layout, verdict);
  }
  return [...slowest.values()];
}

function nameOf({ layout, node }: SlowVerdict): string {
  return `${String(node)} ${String(layout.shard)}`;
}

/** Can all its shards do without it, and are most members of the view left then? */
export function spareable(state: GroupState, { node }: SlowVerdict): boolean {
  const view = state.core.installed;
  if (view === null || 2 * (view.members.length - 1) <= view.members.length) return false;
  return view.shards.every((core) => {
    const nodes = nodesOf(view, core);
    const layout = state.layout.has(core.shard) ? state.layout.shard(core.shard) : null;
    return layout === null || !nodes.includes(node) || mayGo(state, layout, nodes, node);
  });
}

/** The view in which these shards go on without these members. */
export function viewDemoting(state: GroupState, verdicts: readonly SlowVerdict[]): CoreView | null {
  return viewWithout(state, null, (node, shard) =>
    verdicts.some((verdict) => verdict.node === node && verdict.layout.shard === shard),
  );
}

export function describeVerdict({ layout, node, waitedMs, accusers }: SlowVerdict): string {
  const { subgroup, index, slowMember } = layout;
  const others = accusers.map(String).join(', ');
  return (
    `member ${String(node)} is slow in shard ${String(index)} of ${subgroup}: ` +
    `members ${others} waited up to ${String(waitedMs)} ms for it ` +
    `(${slowMember.policy} after ${String(slowMember.afterMs)} ms)`
  );
}

function slowOf(
  state: GroupState,
  layout: ShardLayout,
  { shard, epoch }: CoreShard,
  nodes: readonly number[],
): SlowVerdict[] {
  const accusations = nodes.flatMap((other) =>
    state
      .accusationsOf(other)
      .filter((one) => one.shard === shard && one.epoch === epoch)
      .map(({ node, waitedMs }) => ({ other, node, waitedMs })),
  );
  if (accusations.length === 0) return [];
  const found = nodes.flatMap((node): SlowVerdict[] => {
    const said = accusations.filter((one) => one.node === node);
    const isMost = 2 * said.length > nodes.length - 1;
    const accusers = said.map(({ other }) => other);
    const waitedMs = Math.max(0, ...said.map((one) => one.waitedMs));
    return isMost ? [{ layout, node, waitedMs, accusers }] : [];
  });
  const slow = new Set(found.map(({ node }) => node));
  return found.filter(({ accusers }) => accusers.some((other) => !slow.has(other)));
}

function mayGo(
  state: GroupState,
  layout: ShardLayout,
  nodes: readonly number[],
  node: number,
): boolean {
  const left = nodes.filter((other) => other !== node);
  const senders = layout.senders.map((rank) => layout.members[rank]);
  const isSending = !senders.includes(node) || left.some((other) => senders.includes(other));
  return left.length >= Math.max(1, state.minOf(layout.shard)) && isSending;
}
