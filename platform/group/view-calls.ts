/**
 * The native side's calls about views, with their answers as values.
 *
 * Thread: event loop.
 */
import {
  type EpochOptions,
  frontierColumns,
  frontierWidth,
  type ShardRules,
} from '../bridge/mod.ts';
import type { CoreResult } from './core-types.ts';
import type { CoreState } from './group-state.ts';
import type { MemberCore } from './member-core.ts';
import { type CoreView, encodeView } from './view-codec.ts';

/** The views as the core has them. */
export interface SeenViews {
  readonly core: CoreState;
  /** A view that is on its way; `vote` names it when its shards are filled. */
  readonly proposal: CoreView | null;
  readonly vote: string;
  /** Shards of mine that lack the end of their epoch. */
  readonly behind: readonly number[];
  /** Seats, as bits. */
  readonly suspects: number;
}

/** Null: the member is closed. */
export function seeViews(core: MemberCore): SeenViews | null {
  const view = core.addon.view(core.handle);
  if (view === null) {
    return null;
  }
  const proposal = view.proposal === null ? null : core.views.decode(view.proposal);
  const state: CoreState = {
    incarnation: core.incarnation,
    installed: view.installed === null ? null : core.views.decode(view.installed),
    changing: proposal !== null,
    leads: view.leads,
    stuck: view.stuck,
  };
  const { vote, behind, suspects } = view;
  return { core: state, proposal, vote, behind, suspects };
}

/** Makes the memory of an epoch, which begins with its view. */
export async function prepareEpoch(core: MemberCore, options: EpochOptions): Promise<void> {
  await core.call(`Preparing an epoch of shard ${String(options.shard)}`, (token) =>
    core.addon.prepareEpoch(core.handle, options, token),
  );
}

/** Begins a view whose epochs are prepared here and at all its members. */
export async function beginView(core: MemberCore, view: CoreView, ringSize: number): Promise<void> {
  await core.call('Beginning a view', (token) =>
    core.addon.beginView(core.handle, encodeView(view), ringSize, token),
  );
}

/** NOT_CURRENT: this member does not lead, or a view is on its way. */
export function proposeView(core: MemberCore, view: CoreView): Promise<CoreResult> {
  return core.request((token) => core.addon.proposeView(core.handle, encodeView(view), token));
}

/** What the layout says of a shard that is open or being opened. */
export async function setShardRules(core: MemberCore, rules: ShardRules): Promise<void> {
  await core.call(`The rules of shard ${String(rules.shard)}`, (token) =>
    core.addon.setShardRules(core.handle, rules, token),
  );
}

/** NOT_CURRENT: a view is on its way. INVALID_ARGUMENT: no majority is left without it. */
export function accuseMember(core: MemberCore, node: number): Promise<CoreResult> {
  return core.request((token) => core.addon.accuseMember(core.handle, node, token));
}

/** A shard that was behind has been filled up to the end of this epoch. */
export async function caughtUp(core: MemberCore, shard: number, epoch: number): Promise<void> {
  await core.call(`Going on with shard ${String(shard)}`, (token) =>
    core.addon.caughtUp(core.handle, shard, epoch, token),
  );
}

/** Negative: it was refused. */
export function leaveView(core: MemberCore): number {
  return core.addon.leaveView(core.handle);
}

/** Ends everything of the view and becomes another incarnation. */
export async function renew(core: MemberCore): Promise<void> {
  await core.call('Becoming another incarnation', (token) => core.addon.renew(core.handle, token));
}

/** The newest epoch of a shard that has ended here, all of it delivered. */
export function endedEpoch(core: MemberCore, shard: number): number {
  const out = new Float64Array(frontierWidth);
  core.addon.frontiers(core.handle, shard, out);
  const epoch = out[frontierColumns.epoch] ?? 0;
  return out[frontierColumns.ended] === 1 ? epoch : epoch - 1;
}

/** Of one that runs no epoch here. Its log stays on disk; without one all that it had is gone. */
export async function closeShard(core: MemberCore, shard: number): Promise<void> {
  await core.call(`Closing shard ${String(shard)}`, (token) =>
    core.addon.closeShard(core.handle, shard, token),
  );
}
