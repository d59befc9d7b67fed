import { type Static, Type } from 'typebox';
import { isFreshetError, SchemaCheck } from '../base/mod.ts';
import { decodeView } from './view-codec.ts';
import { layoutFromText } from './view-layout.ts';

/**
 * The messages of a total restart (restart-*.ts) and of joining a view (join-leader.ts). All but
 * `hello` belong to one attempt of one run of the member that leads it; whatever belongs to another
 * is stale. Views and layouts travel as base64 of their encoding (view-codec.ts, view-layout.ts);
 * empty: none.
 */

const count = Type.Integer({ minimum: 0 });
const node = Type.Integer({ minimum: 1 });
const attempt = Type.Object({ leader: count, number: count });
const incarnation = Type.String({ pattern: '^[0-9a-f]{16}$' });
const encodedView = Type.String();
const encodedLayout = Type.String();
const ballot = Type.String({ pattern: '^[0-9]+$' });

/** Where a member stands with one shard. */
const ShardReport = Type.Object({
  shard: node,
  /** Log position of its last record: (epoch, sequence); sequence −1: nothing. */
  epoch: count,
  sequence: Type.Integer({ minimum: -1 }),
  version: count,
  /** Of all records, in hex; equal histories have equal digests. */
  digest: Type.String(),
  /** The highest epoch it ever prepared. */
  highest: count,
});

const apart = Type.Array(Type.Object({ shard: node, version: count, minority: Type.Array(node) }));
const fills = Type.Array(Type.Object({ shard: node, donor: node }));

const GroupMessageSchema = Type.Union([
  /** To everyone, whenever it changes: who I am, whom I am connected with, which view I have. */
  Type.Object({
    type: Type.Literal('hello'),
    /** This run of the process, and how its core shows itself now. */
    run: count,
    incarnation,
    fingerprint: Type.String(),
    /** Version of the layout that it goes by; left out: its configuration's. */
    layout: Type.Optional(count),
    up: Type.Array(node),
    /** Number of the installed view; 0: none. */
    view: count,
    /** Too few of its members are left to go on. */
    stuck: Type.Boolean(),
    /** Of the members of that view. */
    incarnations: Type.Array(incarnation),
    /** Shards that may not go on here: damaged for good, or with another history. */
    refused: Type.Array(node),
    /** Members that made this one wait too long in an epoch of a shard, of late. */
    slow: Type.Array(Type.Object({ shard: node, epoch: node, node, waitedMs: count })),
    /** Shards that this one observes, since it was slow; whether it has kept up for a while. */
    observes: Type.Array(Type.Object({ shard: node, ready: Type.Boolean() })),
    /** Members with whose clocks it compared its own: ahead of it by so much; 0: near enough. */
    clocks: Type.Array(Type.Object({ node, aheadMs: Type.Integer() })),
    /** It is about to leave its view. */
    leaving: Type.Optional(Type.Boolean()),
    /** Its disk failed: it is in no view before that can be written again. */
    ailing: Type.Optional(Type.Boolean()),
  }),
  Type.Object({ type: Type.Literal('collect'), attempt }),
  Type.Object({
    type: Type.Literal('report'),
    attempt,
    incarnation,
    /** How long ago this run, or this incarnation, began. */
    ageMs: Type.Number({ minimum: 0 }),
    committed: encodedView,
    prepared: encodedView,
    ballot,
    adoptedAt: count,
    offered: count,
    shards: Type.Array(ShardReport),
  }),
  /**
   * What you hold is final; note that you offered it for a view of this number. `layout`: what the
   * view before the restart had.
   */
  Type.Object({
    type: Type.Literal('seal'),
    attempt,
    view: count,
    layout: encodedLayout,
    shards: Type.Array(node),
  }),
  Type.Object({ type: Type.Literal('sealed'), attempt, shards: Type.Array(ShardReport) }),
  /** Fetch what you miss of these shards from these members. */
  Type.Object({ type: Type.Literal('fill'), attempt, fills }),
  Type.Object({ type: Type.Literal('filled'), attempt, shards: Type.Array(ShardReport) }),
  /**
   * Note that this view was prepared to follow that one: whoever restarts later has to know it, as
   * those who prepared it before may be too few.
   */
  Type.Object({
    type: Type.Literal('adopt'),
    attempt,
    base: encodedView,
    view: encodedView,
    ballot,
  }),
  Type.Object({ type: Type.Literal('adopted'), attempt }),
  /**
   * Make the epochs' memory and the view record; start nothing yet. `apart` names members whose
   * histories are not those of most: these shards go on without them.
   */
  Type.Object({
    type: Type.Literal('prepare'),
    attempt,
    before: encodedView,
    view: encodedView,
    apart,
  }),
  Type.Object({ type: Type.Literal('prepared'), attempt }),
  /** All have prepared: start. */
  Type.Object({ type: Type.Literal('start'), attempt }),
  Type.Object({ type: Type.Literal('started'), attempt }),
  /**
   * To one that is to come into shards: fetch most of what you miss, then say `admitted`, and where
   * you stand with `shards` then. `layout`: of the view.
   */
  Type.Object({
    type: Type.Literal('admit'),
    attempt,
    fills,
    shards: Type.Array(node),
    layout: encodedLayout,
  }),
  Type.Object({
    type: Type.Literal('admitted'),
    attempt,
    incarnation,
    shards: Type.Array(ShardReport),
  }),
  /** Not yet, but it gets on with it. */
  Type.Object({ type: Type.Literal('filling'), attempt }),
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
export type Apart = GroupMessageOf<'prepare'>['apart'][number];
export type Hello = GroupMessageOf<'hello'>;
export type Report = GroupMessageOf<'report'>;

type MessageSchema = (typeof GroupMessageSchema.anyOf)[number];

const checkOfType: ReadonlyMap<unknown, SchemaCheck<MessageSchema>> = new Map(
  GroupMessageSchema.anyOf.map(
    (schema) => [schema.properties.type.const, new SchemaCheck(schema)] as const,
  ),
);

/** Checked against the one schema that it can match, not against one after the other. */
function isGroupMessage(value: unknown): value is GroupMessage {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  return checkOfType.get(value.type)?.accepts(value) === true;
}

/** The message, or null when it is not one, or what it holds are no views and no layout. */
export function parseGroupMessage(value: unknown): GroupMessage | null {
  if (!isGroupMessage(value)) return null;
  const views = viewsIn(value).map((text) => Buffer.from(text, 'base64'));
  const areViews = views.every((view) => isReadable(() => decodeView(view)));
  const hasLayout = value.type === 'seal' || value.type === 'admit';
  const isLayout = !hasLayout || isReadable(() => layoutFromText(value.layout));
  return areViews && isLayout ? value : null;
}

function viewsIn(message: GroupMessage): string[] {
  const isGiven = (bytes: string): boolean => bytes !== '';
  switch (message.type) {
    case 'report':
      return [message.committed, message.prepared].filter(isGiven);
    case 'adopt':
      return [message.view, ...[message.base].filter(isGiven)];
    case 'prepare':
      return [message.view, ...[message.before].filter(isGiven)];
    default:
      return [];
  }
}

function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (caught) {
    if (!isFreshetError(caught)) throw caught;
    return false;
  }
}

export function sameAttempt(a: Attempt, b: Attempt): boolean {
  return a.leader === b.leader && a.number === b.number;
}

/** Is `a` a longer history than `b`? Log positions are ordered by epoch, then sequence. */
export function isLonger(a: ShardReport, b: ShardReport): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);
}
