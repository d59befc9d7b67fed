/**
 * The native side's calls that care for logs, with their answers as values.
 *
 * Thread: event loop.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { FreshetError, isFreshetError, SchemaCheck } from '../base/mod.ts';
import type { ShardOptions } from '../bridge/mod.ts';
import { groupLimits } from './group-limits.ts';
import { readRecordsOrPiece, readSound, unlessDamaged } from './log-pieces.ts';
import type { MemberCore } from './member-core.ts';

const count = Type.Integer({ minimum: 0 });
/** A place in a log: segment, offset in its file. */
const PlaceSchema = Type.Tuple([count, count]);
/** A place in a history: after the record of this epoch and sequence (−1: before the first). */
const positionSchema = Type.Tuple([count, Type.Integer({ minimum: -1 })]);

const HoleSchema = Type.Object({
  segment: count,
  /** 0: the segment's header. */
  begin: count,
  /** 0: up to the segment's end. */
  end: count,
  /** Of the sound records next to it; null: there is none. */
  before: Type.Union([positionSchema, Type.Null()]),
  behind: Type.Union([positionSchema, Type.Null()]),
});
const SurveySchema = Type.Object({ end: PlaceSchema, holes: Type.Array(HoleSchema) });
const ScrubStepSchema = Type.Object({
  next: PlaceSchema,
  bytes: count,
  end: PlaceSchema,
  damage: Type.Union([PlaceSchema, Type.Null()]),
});
const CheckpointSchema = Type.Object({
  epoch: count,
  sequence: Type.Integer({ minimum: -1 }),
  version: count,
  /** In hex. */
  digest: Type.String(),
});
const HistorySchema = Type.Object({
  /** Now. */
  end: CheckpointSchema,
  /** At every 1024th version, ascending. */
  checkpoints: Type.Array(CheckpointSchema),
});

const surveyCheck = new SchemaCheck(SurveySchema);
const scrubStepCheck = new SchemaCheck(ScrubStepSchema);
const historyCheck = new SchemaCheck(HistorySchema);

export type LogPlace = Static<typeof PlaceSchema>;
export type LogPosition = Static<typeof positionSchema>;
export type LogHole = Static<typeof HoleSchema>;
export type LogSurvey = Static<typeof SurveySchema>;
export type ScrubStep = Static<typeof ScrubStepSchema>;
export type Checkpoint = Static<typeof CheckpointSchema>;
export type History = Static<typeof HistorySchema>;

export const logStart: LogPlace = [0, 0];

/** Before the first record. */
export const beforeAll: LogPosition = [0, -1];

/** `segment` null: the whole log. `claimed`: `end` of a survey of the whole log. */
export async function surveyLog(
  core: MemberCore,
  shard: number,
  segment: number | null,
  claimed: LogPlace,
): Promise<LogSurvey> {
  const bytes = await core.call(`Surveying the log of shard ${String(shard)}`, (token) =>
    core.addon.surveyLog(core.handle, shard, segment, claimed[0], claimed[1], token),
  );
  return parse(surveyCheck, bytes);
}

export async function repairLog(
  core: MemberCore,
  shard: number,
  { segment, begin }: LogHole,
  claimed: LogPlace,
  records: Uint8Array,
): Promise<void> {
  await core.call(`Repairing the log of shard ${String(shard)}`, (token) =>
    core.addon.repairLog(
      core.handle,
      shard,
      segment,
      begin,
      claimed[0],
      claimed[1],
      records,
      token,
    ),
  );
}

/** Opens a persistent shard; what its log holds behind `after` is dropped, damaged or not. */
export async function openShardCut(
  core: MemberCore,
  options: ShardOptions,
  [epoch, sequence]: LogPosition,
): Promise<void> {
  await core.call(`Cutting shard ${String(options.shard)} back`, (token) =>
    core.addon.openShardCut(core.handle, options, epoch, sequence, token),
  );
}

/** null: the thread that would do it has other work. */
export async function scrubStep(
  core: MemberCore,
  shard: number,
  from: LogPlace,
): Promise<ScrubStep | null> {
  const { scrubStepBytes } = groupLimits;
  try {
    const bytes = await core.call(`Scrubbing shard ${String(shard)}`, (token) =>
      core.addon.scrubLog(core.handle, shard, from[0], from[1], scrubStepBytes, token),
    );
    return parse(scrubStepCheck, bytes);
  } catch (caught) {
    if (isFreshetError(caught, 'OVERLOADED')) return null;
    throw caught;
  }
}

export async function readHistory(core: MemberCore, shard: number): Promise<History> {
  const bytes = await core.call(`Asking shard ${String(shard)} for its checkpoints`, (token) =>
    core.addon.checkpoints(core.handle, shard, token),
  );
  return parse(historyCheck, bytes);
}

/**
 * A log that failed is cut back to what was synced before and opened again; any other stays as it
 * is. Rejects until that is done; INVALID_ARGUMENT: the shard still runs here.
 */
export async function reopenLog(core: MemberCore, shard: number): Promise<void> {
  await core.call(`Opening the log of shard ${String(shard)} again`, (token) =>
    core.addon.reopenLog(core.handle, shard, token),
  );
}

/** The history as another member told it. Throws INTERNAL when it is none. */
export function parseHistory(value: unknown): History {
  if (historyCheck.accepts(value)) return value;
  throw new FreshetError('INTERNAL', 'A member told no history of a shard');
}

/**
 * Whole records after a position, from memory, from disk, or, where the log is damaged or not open
 * for that, from what of its files is sound. Throws LOG_CORRUPT: what comes next is not.
 */
export async function readAnySound(
  core: MemberCore,
  shard: number,
  [epoch, sequence]: LogPosition,
): Promise<Buffer | null> {
  const { fillChunkBytes } = groupLimits;
  return unlessDamaged(
    () => readRecordsOrPiece(core, shard, [epoch, sequence], fillChunkBytes),
    () => readSound(core, shard, [epoch, sequence], 0, fillChunkBytes),
  );
}

function parse<Schema extends TSchema>(
  check: SchemaCheck<Schema>,
  bytes: Buffer | null,
): Static<Schema> {
  const value: unknown = JSON.parse((bytes ?? Buffer.alloc(0)).toString('utf8'));
  if (check.accepts(value)) return value;
  throw new FreshetError('INTERNAL', 'The native side told of a log what cannot be read');
}
