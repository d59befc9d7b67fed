/**
 * Fills a shard of this member from another one: finds the newest point that both histories have in
 * common, forgets what lies behind it here, and fetches the rest in bounded chunks.
 *
 * Where delivery is raw each member has a history of its own, which stays as it is: what came to
 * others is not for this one. Only the rules of the pools are fetched.
 *
 * Thread: event loop.
 * Invariants
 *  1. Nothing is appended after a record that the donor does not have.
 *  2. What lies before the common point is never touched.
 */
import { FreshetError } from '../base/mod.ts';
import { noSessions, type SessionsRead } from './core-types.ts';
import type { WhileLocal } from './fill-progress.ts';
import { groupLimits } from './group-limits.ts';
import type { Fill } from './group-messages.ts';
import type { ShardLayout } from './layout.ts';
import type { LogPosition } from './log-calls.ts';
import {
  appendPiece,
  dropPieces,
  fetchPiece,
  longHead,
  readRecordsOrPiece,
  servePieces,
} from './log-pieces.ts';
import type { MemberCore } from './member-core.ts';
import { positionCall } from './observer-feed.ts';
import type { PeerMessages } from './peer-messages.ts';
import {
  isSessionsPiece,
  lastHead,
  paddedLength,
  readHead,
  type RecordHead,
  recordsThrough,
} from './record.ts';

/** A place in a log: after the record of this epoch and sequence. */
interface Place {
  readonly epoch: number;
  readonly sequence: number;
}

/** Where a reader of a log stands, amid the sessions that go with a volatile shard's last record. */
interface Reader extends Place {
  readonly sessions: SessionsRead;
}

/** A record by its place and checksum. */
interface Mark extends Place {
  readonly crc: number;
}

type Kept = Pick<ShardLayout, 'persistent' | 'delivery'>;

const beyondEverySequence = 2 ** 52;
const allEntries = 2 ** 52;
/** Enough for most records; only the first one's head is wanted. */
const markBytes = 64 * 1024;
const start: Place = { epoch: 0, sequence: -1 };
const readLogCall = 'group.readLog';
const markCall = 'group.mark';

export interface ShardFillerOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  /** What is kept of a shard. */
  readonly shardOf: (shard: number) => Kept;
  /** Whether logs have no room. */
  readonly isDiskFull: () => boolean;
  /** Forgets what lies behind a position here. */
  readonly cutBack: (shard: number, position: LogPosition) => Promise<void>;
}

export class ShardFiller {
  readonly #core: MemberCore;
  readonly #messages: PeerMessages;
  readonly #shardOf: (shard: number) => Kept;
  readonly #isDiskFull: () => boolean;
  readonly #cutBack: (shard: number, position: LogPosition) => Promise<void>;
  #trusted: readonly number[] = [];

  constructor({ core, messages, shardOf, isDiskFull, cutBack }: ShardFillerOptions) {
    this.#shardOf = shardOf;
    this.#isDiskFull = isDiskFull;
    this.#cutBack = cutBack;
    this.#core = core;
    this.#messages = messages;
    servePieces(core, messages);
    messages.handle(readLogCall, (_from, argument) => {
      const [shard, epoch, sequence, ...sessions] = numbers(argument, 6);
      const place = { epoch: epoch as number, sequence: sequence as number };
      const reader = { ...place, sessions: sessions as unknown as SessionsRead };
      return this.#readMine(shard as number, reader, groupLimits.fillChunkBytes);
    });
    messages.handle(markCall, (_from, argument) => {
      const [shard, epoch, sequence] = numbers(argument, 3);
      return this.#myMark(shard as number, {
        epoch: epoch as number,
        sequence: sequence as number,
      });
    });
  }

  /**
   * Of these shards all that is here is known to be the beginning of the others' history. That need
   * not be looked up, which a volatile shard could not answer: it forgets.
   */
  trust(shards: readonly number[]): void {
    this.#trusted = shards;
  }

  /**
   * Fetches one chunk, up to the end of an epoch; false: the donor has no more up to there. All
   * pieces of sessions are one chunk, unless it `mayGoOn` no longer or the donor has gone on.
   */
  async follow(
    { shard, donor }: Fill,
    mine: Place,
    epochMax: number,
    signal: AbortSignal,
    mayGoOn: () => boolean,
  ): Promise<boolean> {
    if (this.#isRaw(shard)) return false;
    this.#requireRoom(shard);
    const local: WhileLocal = (work) => work;
    let at = readerAt(mine);
    let next = await this.#fetchChunk(shard, donor, at, signal, local, epochMax);
    if (next === null) return false;
    while (next !== null && isAmid(next) && !hasBegunAnew(at, next) && mayGoOn()) {
      at = next;
      next = await this.#fetchChunk(shard, donor, at, signal, local, epochMax);
    }
    return true;
  }

  /**
   * `mine` is where this member stands; `local` is told what waits for this member's disk alone;
   * nothing of epochs above `through` is fetched. Throws when donor or disk fails, or when
   * aborted; DISK_FULL before the disk would fail.
   *
   * Fetches all that a donor has which adds nothing meanwhile, or nothing up to `through`. From
   * one that goes on it fetches in rounds, each what came during the one before, and ends when they
   * get no smaller: the rest can only be fetched while nothing is added.
   */
  async fill(
    fill: Fill,
    mine: Place,
    signal: AbortSignal,
    local: WhileLocal,
    through = Infinity,
  ): Promise<void> {
    const { shard, donor } = fill;
    if (this.#isRaw(shard)) {
      const rules = await this.#readDonor(shard, donor, readerAt(start), signal);
      await local(this.#core.appendLog(shard, rules));
      return;
    }
    const isTrusted = this.#trusted.includes(shard);
    let common = isTrusted ? mine : await this.#commonPlace(shard, donor, mine, signal);
    if (common.epoch !== mine.epoch || common.sequence !== mine.sequence) {
      await local(this.#cutBack(shard, [common.epoch, common.sequence]));
      // What is in memory alone is not cut but emptied.
      common = this.#shardOf(shard).persistent ? common : start;
    }
    const isOpenEnded = through === Infinity;
    let end = isOpenEnded ? await this.#donorEnd(shard, donor, signal) : null;
    let left = Infinity;
    for (let at: Reader | null = readerAt(common); at !== null;) {
      this.#requireRoom(shard);
      at = await this.#fetchChunk(shard, donor, at, signal, local, through);
      if (at === null || end === null || isBefore(reached(at), end)) continue;
      const now = await this.#donorEnd(shard, donor, signal);
      const more = now.epoch === end.epoch ? now.sequence - end.sequence : now.sequence + 1;
      if (more > left * groupLimits.fillShrink) return;
      left = more;
      end = now;
    }
  }

  #isRaw(shard: number): boolean {
    return this.#shardOf(shard).delivery === 'raw';
  }

  async #donorEnd(shard: number, donor: number, signal: AbortSignal): Promise<Place> {
    const options = { timeoutMs: groupLimits.fillTimeoutMs, signal };
    const told = await this.#messages.call(donor, positionCall, shard, options);
    const [epoch, sequence] = numbers(told, 2);
    return { epoch: epoch as number, sequence: sequence as number };
  }

  /** Nobody waits for what is fetched here: what is left of the disk belongs to running epochs. */
  #requireRoom(shard: number): void {
    if (!this.#shardOf(shard).persistent || !this.#isDiskFull()) return;
    throw new FreshetError('DISK_FULL', `Shard ${String(shard)} is not filled: no room is left`);
  }

  /**
   * What a donor at which this epoch has ended delivered in it after `mine`: all before is common,
   * as members deliver the same. Nothing of later epochs.
   */
  async fillEnd({ shard, donor }: Fill, mine: Place, signal: AbortSignal): Promise<void> {
    const { epoch } = mine;
    for (let at: Reader | null = readerAt(mine); at !== null;) {
      at = await this.#fetchChunk(shard, donor, at, signal, (work) => work, epoch);
    }
  }

  /** Returns where to go on; null: the donor has no more, up to the epoch `through`. */
  async #fetchChunk(
    shard: number,
    donor: number,
    at: Reader,
    signal: AbortSignal,
    local: WhileLocal,
    through = Infinity,
  ): Promise<Reader | null> {
    const chunk = recordsThrough(await this.#readDonor(shard, donor, at, signal), through);
    const last = lastHead(chunk);
    if (last === null) {
      return null;
    }
    const { epoch, sequence, version } = last;
    const long = longHead(chunk);
    if (long !== null) {
      await this.#fetchRest(long, donor, chunk, signal, local);
      return readerAt({ epoch, sequence });
    }
    await local(this.#core.appendLog(shard, chunk));
    return isSessionsPiece(last)
      ? { ...at, sessions: [epoch, sequence, version] }
      : readerAt({ epoch, sequence });
  }

  /** All of a long record, of which `piece` is the first; nothing of it stays if that fails. */
  async #fetchRest(
    head: RecordHead,
    donor: number,
    piece: Uint8Array,
    signal: AbortSignal,
    local: WhileLocal,
  ): Promise<void> {
    const { shard, length } = head;
    try {
      for (let from = 0; ;) {
        await local(appendPiece(this.#core, shard, from, piece));
        from += piece.byteLength;
        if (from >= paddedLength(length)) return;
        piece = await fetchPiece(this.#core, this.#messages, head, { donor, from, signal });
      }
    } catch (caught) {
      dropPieces(this.#core, shard);
      throw caught;
    }
  }

  async #readDonor(
    shard: number,
    donor: number,
    { epoch, sequence, sessions }: Reader,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const argument = [shard, epoch, sequence, ...sessions];
    const options = { timeoutMs: groupLimits.fillTimeoutMs, signal };
    const chunk = await this.#messages.call(donor, readLogCall, argument, options);
    if (chunk === null) {
      return Buffer.alloc(0);
    }
    if (!(chunk instanceof Uint8Array)) {
      throw new FreshetError('INTERNAL', `Member ${String(donor)} sent no log of a shard`);
    }
    return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }

  /**
   * The newest place that both have. Usually my end; else searched by halving, first over epochs
   * newest first, then over the sequences of the epoch in which the histories part.
   */
  async #commonPlace(
    shard: number,
    donor: number,
    mine: Place,
    signal: AbortSignal,
  ): Promise<Place> {
    if (mine.sequence < 0) {
      return mine.epoch === 0 ? mine : start;
    }
    const before = { epoch: mine.epoch, sequence: mine.sequence - 1 };
    const shared = await this.#sharedMark(shard, donor, before, signal);
    if (shared !== null) {
      return shared;
    }
    for (let epoch = mine.epoch; epoch > 0; epoch--) {
      const first = await this.#sharedMark(shard, donor, { epoch, sequence: -1 }, signal);
      if (first?.epoch === epoch) {
        return this.#commonWithin(shard, donor, first, mine, signal);
      }
    }
    return start;
  }

  /** `low` is common; the place sought is at or after it, before `mine`. */
  async #commonWithin(
    shard: number,
    donor: number,
    low: Place,
    mine: Place,
    signal: AbortSignal,
  ): Promise<Place> {
    let common = low;
    let high = low.epoch === mine.epoch ? mine.sequence : beyondEverySequence;
    while (common.sequence + 1 < high) {
      const middle = Math.floor((common.sequence + high) / 2);
      const place = { epoch: low.epoch, sequence: middle - 1 };
      const shared = await this.#sharedMark(shard, donor, place, signal);
      if (shared?.epoch === low.epoch) {
        common = shared;
      } else {
        high = middle;
      }
    }
    return common;
  }

  /** The record after `place` here and there, when it is one and the same; else null. */
  async #sharedMark(
    shard: number,
    donor: number,
    place: Place,
    signal: AbortSignal,
  ): Promise<Mark | null> {
    const mine = await this.#myMark(shard, place);
    const argument = [shard, place.epoch, place.sequence];
    const options = { timeoutMs: groupLimits.fillTimeoutMs, signal };
    const theirs = await this.#messages.call(donor, markCall, argument, options);
    return mine !== null && isMark(theirs) && sameMark(mine, theirs) ? mine : null;
  }

  async #myMark(shard: number, place: Place): Promise<Mark | null> {
    const at = readerAt(place);
    let bytes = await this.#readMine(shard, at, markBytes);
    if (bytes === null || bytes.byteLength === 0) {
      return null;
    }
    let head = readHead(bytes, 0);
    if (isSessionsPiece(head)) {
      // It stands before the record that is asked for.
      const sessions: SessionsRead = [head.epoch, head.sequence, allEntries];
      bytes = await this.#readMine(shard, { ...at, sessions }, markBytes);
      if (bytes === null || bytes.byteLength === 0) return null;
      head = readHead(bytes, 0);
    }
    return { epoch: head.epoch, sequence: head.sequence, crc: head.crc };
  }

  #readMine(shard: number, at: Reader, bytes: number): Promise<Buffer | null> {
    const { epoch, sequence, sessions } = at;
    return readRecordsOrPiece(this.#core, shard, [epoch, sequence], bytes, sessions);
  }
}

function readerAt({ epoch, sequence }: Place): Reader {
  return { epoch, sequence, sessions: noSessions };
}

function isAmid({ sessions }: Reader): boolean {
  return sessions[2] > 0;
}

/** The donor's last record, to which the sessions belong, is another one than it was. */
function hasBegunAnew(from: Reader, to: Reader): boolean {
  const [epoch, sequence] = from.sessions;
  return isAmid(from) && (to.sessions[0] !== epoch || to.sessions[1] !== sequence);
}

/** Who has come to the sessions lacks but the last record of what the donor had then. */
function reached({ epoch, sequence, sessions }: Reader): Place {
  return sessions[2] > 0 ? { epoch: sessions[0], sequence: sessions[1] } : { epoch, sequence };
}

function isBefore(a: Place, b: Place): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.sequence < b.sequence);
}

function sameMark(a: Mark, b: Mark): boolean {
  return a.epoch === b.epoch && a.sequence === b.sequence && a.crc === b.crc;
}

function isMark(value: unknown): value is Mark {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const { epoch, sequence, crc } = value as Record<string, unknown>;
  return typeof epoch === 'number' && typeof sequence === 'number' && typeof crc === 'number';
}

function numbers(value: unknown, count: number): readonly number[] {
  const given = Array.isArray(value) ? (value as unknown[]) : [];
  if (given.length !== count || !given.every((item) => Number.isSafeInteger(item))) {
    throw new FreshetError('INVALID_ARGUMENT', `A call needs ${String(count)} whole numbers`);
  }
  return given as number[];
}
