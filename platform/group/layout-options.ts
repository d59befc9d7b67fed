import { type Static, Type } from 'typebox';
import type { Frozen } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';

/**
 * The layout of a cluster as it is configured: subgroups, their shards, how many members each shard
 * has, and which. `resolveLayout` checks it and makes rules of it.
 */

const subgroupKinds = ['volatile', 'persistent', 'trigger'] as const;
export type SubgroupKind = (typeof subgroupKinds)[number];

/** `raw`: in each sender's order only, without versions. */
export type Delivery = 'ordered' | 'raw';

const nodes = Type.Array(Type.Integer({ minimum: 1, maximum: 0xffff_ffff }));
const count = Type.Integer({ minimum: 1, unit: 'members' });
const countOrDefault = Type.Union([Type.Null(), count]);
const delivery = Type.Union([Type.Literal('ordered'), Type.Literal('raw')]);

/**
 * What is done about a member that holds the others up (slow-members.ts): nothing (`wait`); the
 * view goes on without it, and it joins again (`suspect`); the shard goes on without it, and it
 * observes (`demote`).
 */
const SlowMemberSchema = Type.Object({
  policy: Type.Union([Type.Literal('wait'), Type.Literal('suspect'), Type.Literal('demote')]),
  /** How long changes have to have waited for it. */
  afterMs: Type.Optional(Type.Integer({ minimum: 200, maximum: 600_000, unit: 'ms' })),
});

/**
 * How values that do not go through a ring (over a quarter of it) reach the members of a shard: in
 * blocks that they pass on to each other. Of the epochs that begin from then on.
 */
const MulticastSchema = Type.Object({
  algorithm: Type.Optional(
    Type.Union([
      Type.Literal('binomial'),
      Type.Literal('chain'),
      Type.Literal('tree'),
      Type.Literal('sequential'),
    ]),
  ),
  blockBytes: Type.Optional(
    Type.Integer({
      minimum: groupLimits.blockBytesMin,
      maximum: groupLimits.blockBytesMax,
      unit: 'bytes',
    }),
  ),
});

/** What one shard has otherwise than its subgroup says. */
const ShardSchema = Type.Object({
  replicas: Type.Optional(countOrDefault),
  minReplicas: Type.Optional(count),
  /** Members that hold this shard whenever they are there. */
  reserved: Type.Optional(nodes),
  /** Of the reserved members, those that alone send; left out: every member of the shard. */
  senders: Type.Optional(nodes),
  delivery: Type.Optional(delivery),
  slowMember: Type.Optional(SlowMemberSchema),
  multicast: Type.Optional(MulticastSchema),
});

/** One entry of `subgroups` in a member's configuration. */
export const SubgroupSchema = Type.Object({
  name: Type.String(),
  kind: Type.Union([Type.Literal('volatile'), Type.Literal('persistent'), Type.Literal('trigger')]),
  /** How many alike, or what each of them is; fixed once the subgroup exists. */
  shards: Type.Union([Type.Integer({ minimum: 1 }), Type.Array(ShardSchema, { minItems: 1 })], {
    default: 4,
  }),
  /** Members of each shard when enough are there; null: three. */
  replicas: Type.Union([Type.Null(), count], { default: null }),
  /** A shard with fewer members stops and says so. */
  minReplicas: Type.Optional(count),
  delivery: Type.Optional(delivery),
  slowMember: Type.Optional(SlowMemberSchema),
  multicast: Type.Optional(MulticastSchema),
});

export type SlowMemberPolicy = Static<typeof SlowMemberSchema>['policy'];

export interface SlowMember {
  readonly policy: SlowMemberPolicy;
  readonly afterMs: number;
}

export type Multicast = Required<Frozen<Static<typeof MulticastSchema>>>;

export type ShardOptions = Frozen<Static<typeof ShardSchema>>;
export type SubgroupOptions = Frozen<Static<typeof SubgroupSchema>>;

export const catalogSubgroup = 'catalog';

/** Of a shard that says nothing. */
export const defaultReplicas = 3;
export const defaultMinReplicas = 1;
export const defaultSlowMember: SlowMember = Object.freeze({ policy: 'wait', afterMs: 1000 });
export const defaultMulticast: Multicast = Object.freeze({
  algorithm: 'binomial',
  blockBytes: groupLimits.blockBytesDefault,
});

/** One subgroup of each kind. */
export const defaultSubgroups: readonly SubgroupOptions[] = Object.freeze(
  subgroupKinds.map((kind) => Object.freeze({ name: kind, kind, shards: 4, replicas: null })),
);
