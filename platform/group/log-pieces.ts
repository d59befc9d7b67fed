/**
 * Reading logs record by record, those that are too long for one message in pieces.
 *
 * Where the record that comes next is longer than a message takes, its first piece stands for it:
 * the header tells the whole length, and the others are asked for by the record's place.
 *
 * Thread: event loop.
 */
import { FreshetError, isFreshetError } from '../base/mod.ts';
import { noSessions, type SessionsRead } from './core-types.ts';
import { groupLimits } from './group-limits.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import { paddedLength, readHead, type RecordHead } from './record.ts';

const readPieceCall = 'group.readPiece';

/** Of the record after (epoch, sequence): a piece, from its byte `from` on. */
function readPiece(
  core: MemberCore,
  shard: number,
  epoch: number,
  sequence: number,
  from: number,
): Promise<Buffer | null> {
  const { addon, handle } = core;
  return core.call(`Reading a long record of shard ${String(shard)}`, (token) =>
    addon.readPiece(handle, shard, epoch, sequence, from, groupLimits.pieceBytes, token),
  );
}

/** The same of a log that is damaged or not open, in few pieces: for each a segment is read. */
export function readSound(
  core: MemberCore,
  shard: number,
  [epoch, sequence]: readonly [number, number],
  from: number,
  bytes: number,
): Promise<Buffer | null> {
  return core.call(`Reading what is sound of shard ${String(shard)}`, (token) =>
    core.addon.readSound(core.handle, shard, epoch, sequence, from, bytes, token),
  );
}

/** What `read` gives, or `sound` where the log is damaged or not open for that. */
export async function unlessDamaged<Bytes>(
  read: () => Promise<Bytes>,
  sound: () => Promise<Bytes>,
): Promise<Bytes> {
  try {
    return await read();
  } catch (caught) {
    if (!isFreshetError(caught, 'LOG_CORRUPT') && !isFreshetError(caught, 'NOT_A_MEMBER')) {
      throw caught;
    }
  }
  return sound();
}

/** The pieces of a record come in order; the last one is taken in once all of it is on disk. */
export async function appendPiece(
  core: MemberCore,
  shard: number,
  from: number,
  piece: Uint8Array,
): Promise<void> {
  await core.call(`Filling shard ${String(shard)} with a long record`, (token) =>
    core.addon.appendPiece(core.handle, shard, from, piece, token),
  );
}

/** No more pieces of a record will come: the memory for all of it is given back. */
export function dropPieces(core: MemberCore, shard: number): void {
  core.addon.dropPieces(core.handle, shard);
}

/** Has other members read pieces of what is here. */
export function servePieces(core: MemberCore, messages: PeerMessages): void {
  messages.handle(readPieceCall, (_from, argument) => {
    const given = Array.isArray(argument) ? (argument as unknown[]) : [];
    if (given.length !== 4 || !given.every((item) => Number.isSafeInteger(item))) {
      throw new FreshetError('INVALID_ARGUMENT', 'A piece needs shard, epoch, sequence and offset');
    }
    const [shard, epoch, sequence, from] = given as [number, number, number, number];
    return unlessDamaged(
      () => readPiece(core, shard, epoch, sequence, from),
      () => readSound(core, shard, [epoch, sequence], from, groupLimits.soundPieceBytes),
    );
  });
}

/**
 * About `bytes` of whole records after (epoch, sequence) here, at least one; or, where that is too
 * long, its first piece. null: there is none.
 */
export async function readRecordsOrPiece(
  core: MemberCore,
  shard: number,
  [epoch, sequence]: readonly [number, number],
  bytes: number,
  sessions: SessionsRead = noSessions,
): Promise<Buffer | null> {
  try {
    return await core.readLog(shard, epoch, sequence, bytes, sessions);
  } catch (caught) {
    if (!isFreshetError(caught, 'OVERLOADED')) throw caught;
  }
  return core.readLog(shard, epoch, sequence, groupLimits.logReadBytes, sessions);
}

/** Of the record whose first piece these bytes are; null: they are whole records, or nothing. */
export function longHead(bytes: Buffer): RecordHead | null {
  if (bytes.byteLength === 0) return null;
  const head = readHead(bytes, 0);
  return paddedLength(head.length) > bytes.byteLength ? head : null;
}

/** The piece from `from` on of the record with this head, from `donor`; never empty. */
export async function fetchPiece(
  core: MemberCore,
  messages: PeerMessages,
  { shard, epoch, sequence }: RecordHead,
  { donor, from, signal }: { donor: number; from: number; signal: AbortSignal | null },
): Promise<Uint8Array> {
  const options = { timeoutMs: groupLimits.fillTimeoutMs, signal };
  const piece =
    donor === core.nodeId
      ? await readPiece(core, shard, epoch, sequence - 1, from)
      : await messages.call(donor, readPieceCall, [shard, epoch, sequence - 1, from], options);
  if (piece instanceof Uint8Array && piece.byteLength > 0) return piece;
  throw new FreshetError('INTERNAL', `Member ${String(donor)} sent no piece of a long record`);
}
