/**
 * What somebody wants the layout to become while the cluster runs, whether that is possible now,
 * and what it would change. Pure; the member that leads the view asks it.
 *
 * Kept as it is: the kind, delivery and number of shards of a subgroup (keys are hashed over them,
 * and what is stored has an order), and whether members hold one shard only. Anything else may
 * differ; new subgroups may come, and those in which no pool lives may go.
 */
import { type Static, Type } from 'typebox';
import {
  FreshetError,
  type Frozen,
  type LayoutChange,
  parseConfig,
  type ShardChange,
} from '../base/mod.ts';
import type { GroupState } from './group-state.ts';
import { groupLimits } from './group-limits.ts';
import { type SubgroupOptions, SubgroupSchema } from './layout-options.ts';
import { describeRules, goneFrom, isSameRules } from './layout-differences.ts';
import { changeLayout, firstShards, type LayoutRules, placeOf } from './layout-rules.ts';
import type { LayoutPlan, PlannedShard } from './layout-plan.ts';
import { Layout } from './layout.ts';
import { planShards } from './shard-plan.ts';
import { encodeExtra } from './view-codec.ts';
import type { ViewLayout } from './view-layout.ts';
import type { Places } from './wanted-places.ts';

const RequestSchema = Type.Object({
  /** All that there are to be, but for the catalog. */
  subgroups: Type.Array(SubgroupSchema),
  /** As `layout.exclusive` in a configuration; null: as it is. */
  exclusive: Type.Union([Type.Null(), Type.Boolean()], { default: null }),
  /** Version of the layout that it is to follow; null: whichever there is. */
  expect: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], { default: null }),
  /** Only say what it would change. */
  dryRun: Type.Boolean({ default: false }),
});

/** Named in a refusal. */
const poolsShown = 5;

export type LayoutRequest = Frozen<Static<typeof RequestSchema>>;

export interface PlannedLayout {
  readonly change: LayoutChange;
  /** For the view. Null: it changes nothing. */
  readonly given: ViewLayout | null;
}

/** From outside. Throws INVALID_CONFIG, which names the setting. */
export function parseLayoutRequest(value: unknown): LayoutRequest {
  return parseConfig(RequestSchema, value, { source: 'the new layout' });
}

/**
 * What a member that leads a view makes of it. `ringSizeOf`: bytes of each ring that fit into the
 * memory for rings under a layout; it throws where none do. Throws INVALID_CONFIG, with what to
 * mend; CONDITION_FAILED: the layout is another one by now than the request expects.
 */
export function planLayoutChange(
  state: GroupState,
  request: LayoutRequest,
  ringSizeOf: (layout: Layout) => number,
): PlannedLayout {
  const { layout: before, layouts } = state;
  const { version } = layouts;
  const { subgroups } = request;
  checkKept(before, request);
  const rules = changeLayout(before.rules, subgroups, before.rules.exclusive);
  if (isSameRules(before.rules, rules)) {
    return { change: { from: version, to: version, lines: [], shards: [] }, given: null };
  }
  checkExpected(request, version);
  const refused = tenantsRefusal(state, rules);
  if (refused !== null) throw refused;
  checkMembers(before, rules, subgroups);
  const after = new Layout(before.members, subgroups, rules.exclusive, rules);
  const firsts = firstShards(rules);
  const given: ViewLayout = {
    version: version + 1,
    ringSize: Math.min(layouts.ringSize, ringSizeOf(after)),
    exclusive: rules.exclusive,
    subgroups: subgroups.map((options) => ({ first: firsts.get(options.name) ?? 0, options })),
    nextShard: rules.nextShard,
  };
  const plan = planUnder(state, after);
  checkPlan(before, plan, state);
  checkPlaces(state, after);
  checkSize(state, after, given);
  const shards = shardChanges(state, after, plan);
  const lines = describeRules(before.rules, rules);
  return { change: { from: version, to: version + 1, lines, shards }, given };
}

/** Who would hold each shard, with those who are in the view. */
function planUnder(state: GroupState, layout: Layout): LayoutPlan {
  const present = (state.core.installed?.members ?? []).map(({ node }) => node);
  const known = state.layout.shards.map(({ shard }): PlannedShard => {
    const { nodes, leaving } = state.homes(shard);
    const runners = state.runners(shard);
    const holders = runners.length === 0 ? nodes : runners;
    const rest = { senders: [], isEmpty: false, waits: null };
    return { shard, members: nodes, holders, leaving, ...rest };
  });
  return planShards(layout.rules, { shards: known }, present);
}

/** Who is to have the shards that such a layout adds, with those who are here. */
export function placesUnder(state: GroupState, layout: Layout): Places {
  const { shards } = planUnder(state, layout);
  return new Map(shards.map(({ shard, members }) => [shard, members]));
}

function checkExpected({ expect }: LayoutRequest, version: number): void {
  if (expect === null || expect === version) return;
  const text =
    `the layout is version ${String(version)} by now, ` +
    `and this change was made for version ${String(expect)}`;
  throw new FreshetError('CONDITION_FAILED', text, {
    mend: 'Look at what it is now (freshet layout show), and apply the change again',
    details: { version, expect },
  });
}

/** Whether it lacks a subgroup that there is. */
export function takesAway(before: Layout, { subgroups }: LayoutRequest): boolean {
  const named = new Set(subgroups.map(({ name }) => name));
  return before.options.some(({ name }) => !named.has(name));
}

/** Null: no pool lives in a subgroup that these rules do not have any more, as far as is known. */
export function tenantsRefusal(state: GroupState, rules: LayoutRules): FreshetError | null {
  const lost = goneFrom(state.layout.rules, rules).map(({ name }) => ({
    name,
    pools: state.poolsIn(name),
  }));
  const full = lost.find(({ pools }) => pools.length > 0);
  if (full === undefined) return null;
  const { name, pools } = full;
  const options = state.layout.options.find((one) => one.name === name);
  const [first = ''] = pools;
  const shown = pools.slice(0, poolsShown).join(', ');
  const more = pools.length - poolsShown;
  const list = more > 0 ? `${shown} and ${String(more)} more` : shown;
  return refusal(
    `the subgroup ${name} would be taken away, and has the ${counted(pools)} ${list}`,
    `Remove ${pools.length === 1 ? 'it' : 'them'} first, with all keys (freshet pool rm ${first}), ` +
      `or keep the subgroup in the file: ${JSON.stringify(options)}`,
    { subgroup: name, pools: list },
  );
}

/** What a change may not touch; shards and kinds are looked at in layout-rules.ts. */
function checkKept(before: Layout, { exclusive }: LayoutRequest): void {
  if (exclusive !== null && exclusive !== before.rules.exclusive) {
    const now = String(before.rules.exclusive);
    throw refusal(`layout.exclusive is ${now} for good`, `Set it to ${now}, or leave it out`);
  }
}

/** Members that nobody knows, or more than there are. */
function checkMembers(
  { rules: before, members }: Layout,
  { shards }: LayoutRules,
  subgroups: readonly SubgroupOptions[],
): void {
  const list = members.map(String).join(', ');
  const count = members.length;
  for (const rules of shards) {
    const old = before.shards.find(({ shard }) => shard === rules.shard);
    const where = { subgroup: rules.subgroup, shard: rules.index };
    const stranger = rules.reserved.find((node) => !members.includes(node));
    if (stranger !== undefined) {
      throw refusal(
        `${placeOf(rules)} reserves member ${String(stranger)}, which there is not`,
        `Name one of ${list}`,
        { ...where, member: stranger },
      );
    }
    if (old !== undefined && old.delivery !== rules.delivery) {
      throw refusal(
        `${placeOf(rules)} is of ${old.delivery} delivery for good`,
        `Leave it ${old.delivery}, or add a subgroup of another name`,
        where,
      );
    }
    const options = subgroups.find(({ name }) => name === rules.subgroup);
    const own = typeof options?.shards === 'number' ? undefined : options?.shards[rules.index];
    const wanted = own?.replicas ?? options?.replicas ?? null;
    if (wanted !== null && wanted > count && wanted !== old?.max) {
      throw refusal(
        `${placeOf(rules)} is to have ${String(wanted)} members, and the cluster has ${String(count)}`,
        `Set replicas to ${String(count)} at most`,
        where,
      );
    }
  }
}

/** No shard may come to a standstill by the change. */
function checkPlan({ members: all }: Layout, { shards }: LayoutPlan, state: GroupState): void {
  const present = (state.core.installed?.members ?? []).map(({ node }) => node);
  const away = all.filter((node) => !present.includes(node)).map(String);
  for (const { shard, waits } of shards) {
    const isNew = !state.layout.has(shard);
    const runs = isNew || state.runners(shard).length >= state.minOf(shard);
    if (waits === null || !runs) continue;
    const mend = away.length === 0 ? 'Lower minReplicas' : `Start member ${away.join(', ')} first`;
    throw refusal(`it would stand still: ${waits.reason}`, mend, { shard });
  }
}

function checkSize(state: GroupState, after: Layout, given: ViewLayout): void {
  const homes = after.shards.map(({ shard, members }) => ({ shard, nodes: members, leaving: [] }));
  const bytes = encodeExtra({ homes, layout: given }).length;
  if (bytes <= groupLimits.viewExtraBytes) return;
  const most = String(groupLimits.viewExtraBytes);
  throw refusal(
    `the layout takes ${String(bytes)} bytes of a view, which has room for ${most}`,
    'Say what shards have in common once, for the subgroup',
    { version: state.layouts.version },
  );
}

/** Shards that were taken away keep their places in views until one begins without any before. */
function checkPlaces({ core, layouts }: GroupState, after: Layout): void {
  const before = core.installed?.shards ?? [];
  const gone = before.filter(({ shard }) => !after.has(shard)).length;
  const most = groupLimits.shards;
  const over = gone + after.shards.length - most;
  if (over <= 0) return;
  throw refusal(
    `with ${String(gone)} shards that were taken away there would be ` +
      `${String(most + over)}, and a view has places for ${String(most)}`,
    `Give ${String(over)} fewer, or stop all members and start them again, which frees places`,
    { version: layouts.version },
  );
}

function shardChanges(state: GroupState, after: Layout, plan: LayoutPlan): ShardChange[] {
  const gone = state.layout.shards.filter(({ shard }) => !after.has(shard));
  const going = gone.map(({ shard, subgroup, index }): ShardChange => {
    return { shard, subgroup, index, before: state.runners(shard), after: [] };
  });
  const others = plan.shards.flatMap(({ shard, members }): ShardChange[] => {
    const { subgroup, index } = after.shard(shard);
    if (!state.layout.has(shard)) return [{ shard, subgroup, index, before: null, after: members }];
    const before = state.runners(shard);
    const isKept = before.length === 0 || sorted(before) === sorted(members);
    return isKept ? [] : [{ shard, subgroup, index, before, after: members }];
  });
  return [...going, ...others];
}

function counted({ length }: readonly string[]): string {
  return length === 1 ? 'pool' : 'pools';
}

function sorted(nodes: readonly number[]): string {
  return nodes.toSorted((a, b) => a - b).join();
}

function refusal(
  message: string,
  mend: string,
  details: Readonly<Record<string, string | number>> = {},
): FreshetError {
  return new FreshetError('INVALID_CONFIG', message, { mend, details });
}
