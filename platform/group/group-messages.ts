import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';

/**
 * The messages of the start protocol (see establish-machine.ts). All but `hello` belong to one
 * attempt of one run of the leader; whatever belongs to another is stale.
 */

const count = Type.Integer({ minimum: 0 });
const node = Type.Integer({ minimum: 1 });
const attempt = Type.Object({ leader: count, number: count });
const epochs = Type.Array(Type.Object({ shard: node, epoch: count }));

/** Where a member stands with one shard. */
const ShardReport = Type.Object({
  shard: node,
  /** Log position of its last record: (epoch, sequence); sequence −1: nothing. */
  epoch: count,
  sequence: Type.Integer({ minimum: -1 }),
  version: count,
  /** Of all records, in hex; equal histories have equal digests. */
  digest: Type.String(),
  /** The epoch that runs now; 0: none. */
  running: count,
  /** The highest epoch it ever prepared. */
  highest: count,
});

const GroupMessageSchema = Type.Union([
  /** To the leader: whom I am connected with, and whether a shard of mine stands still. */
  Type.Object({
    type: Type.Literal('hello'),
    incarnation: count,
    fingerprint: Type.String(),
    up: Type.Array(node),
    disturbed: Type.Boolean(),
  }),
  Type.Object({ type: Type.Literal('collect'), attempt }),
  Type.Object({
    type: Type.Literal('report'),
    attempt,
    view: count,
    shards: Type.Array(ShardReport),
  }),
  /** Stop these shards; what you hold of them is final then. */
  Type.Object({ type: Type.Literal('seal'), attempt, shards: Type.Array(node) }),
  Type.Object({ type: Type.Literal('sealed'), attempt, shards: Type.Array(ShardReport) }),
  /** Fetch what you miss of these shards from these members. */
  Type.Object({
    type: Type.Literal('fill'),
    attempt,
    fills: Type.Array(Type.Object({ shard: node, donor: node })),
  }),
  Type.Object({ type: Type.Literal('filled'), attempt, shards: Type.Array(ShardReport) }),
  /** Make the epochs' memory and the view record; start nothing yet. */
  Type.Object({
    type: Type.Literal('prepare'),
    attempt,
    view: count,
    starts: epochs,
  }),
  Type.Object({ type: Type.Literal('prepared'), attempt }),
  /** All have prepared: start. */
  Type.Object({ type: Type.Literal('start'), attempt }),
  Type.Object({ type: Type.Literal('started'), attempt }),
  Type.Object({ type: Type.Literal('failed'), attempt, reason: Type.String() }),
]);

export type GroupMessage = Static<typeof GroupMessageSchema>;
export type GroupMessageOf<Kind extends GroupMessage['type']> = Extract<
  GroupMessage,
  { readonly type: Kind }
>;
export type Attempt = Static<typeof attempt>;
export type ShardReport = Static<typeof ShardReport>;
export type Fill = GroupMessageOf<'fill'>['fills'][number];
export type EpochStart = GroupMessageOf<'prepare'>['starts'][number];

/** The message, or null when it is not one. */
export function parseGroupMessage(value: unknown): GroupMessage | null {
  return Value.Check(GroupMessageSchema, value) ? value : null;
}

export function sameAttempt(a: Attempt, b: Attempt): boolean {
  return a.leader === b.leader && a.number === b.number;
}

/** Is `a` a longer history than `b`? Log positions are ordered by epoch, then sequence. */
export function isLonger(a: ShardReport, b: ShardReport): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);
}
