/**
 * Mends a shard's log here from the copies of other members: surveys it, fetches the records of
 * every hole by their place in the history, and has them written where they belong.
 *
 * Thread: event loop.
 * Invariants
 *  1. A hole is filled only with records between its own neighbours, which the native side
 *  compares.
 *  2. Without a record behind it, a hole is filled only with what this member has in memory, or
 *  with the longest of what all other members of the shard have: what one of them lacks was never
 *  acknowledged as persisted.
 *  3. While the shard runs here nothing is taken from others that is not persisted everywhere.
 */
import { FreshetError, isFreshetError, limits, type Logger, messageOf } from '../base/mod.ts';
import { frontierColumns, frontierWidth } from '../bridge/mod.ts';
import { groupLimits } from './group-limits.ts';
import {
  beforeAll,
  type LogHole,
  type LogPlace,
  type LogPosition,
  logStart,
  readAnySound,
  repairLog,
  surveyLog,
} from './log-calls.ts';
import type { MemberCore } from './member-core.ts';
import type { PeerMessages } from './peer-messages.ts';
import { fetchPiece, longHead, readRecordsOrPiece } from './log-pieces.ts';
import { headerSize, paddedLength, readHead, type RecordHead } from './record.ts';

const readSoundCall = 'group.readSound';

export interface Mended {
  /** Holes that were filled. */
  readonly filled: number;
  /** Those that nobody could fill. */
  readonly left: readonly LogHole[];
  /**
   * Nothing that the others have says what was in the first of them: there is no record behind it,
   * or they have another history there.
   */
  readonly isLoose: boolean;
}

/** `loose`: left, as `Mended` says. */
type Filled = 'filled' | 'left' | 'loose';

export interface ShardRepairOptions {
  readonly core: MemberCore;
  readonly messages: PeerMessages;
  /** Node ids of those that have a place in a shard now. */
  readonly homes: (shard: number) => readonly number[];
  readonly log: Logger;
}

export class ShardRepair {
  readonly #core: MemberCore;
  readonly #messages: PeerMessages;
  readonly #homes: (shard: number) => readonly number[];
  readonly #log: Logger;

  constructor({ core, messages, homes, log }: ShardRepairOptions) {
    this.#core = core;
    this.#messages = messages;
    this.#homes = homes;
    this.#log = log;
    messages.handle(readSoundCall, (_from, argument) => {
      const [shard, ...position] = argument as [number, number, number];
      return readAnySound(core, shard, position);
    });
  }

  /** `isOpen`: its store lies in memory. `segment` null: all of the log. Throws DISK_FAILED, CLOSED. */
  async mend(shard: number, isOpen: boolean, segment: number | null): Promise<Mended> {
    const survey = await surveyLog(this.#core, shard, segment, logStart);
    const segments = new Set(survey.holes.map((hole) => hole.segment));
    const left = new Map<LogHole, Filled>();
    let filled = 0;
    for (const each of segments) {
      filled += await this.#mendSegment(shard, isOpen, each, survey.end, left);
    }
    const [first] = left.values();
    return { filled, left: [...left.keys()], isLoose: first === 'loose' };
  }

  /** Hole by hole, as each one that is filled tells more about those behind it. */
  async #mendSegment(
    shard: number,
    isOpen: boolean,
    segment: number,
    end: LogPlace,
    left: Map<LogHole, Filled>,
  ): Promise<number> {
    const given = new Set<number>();
    for (let filled = 0; ;) {
      const { holes } = await surveyLog(this.#core, shard, segment, end);
      const hole = holes.find(({ begin }) => !given.has(begin));
      if (hole === undefined) {
        return filled;
      }
      given.add(hole.begin);
      const done = await this.#fill(shard, isOpen, hole, end);
      if (done === 'filled') {
        filled++;
      } else {
        left.set(hole, done);
      }
    }
  }

  async #fill(shard: number, isOpen: boolean, hole: LogHole, end: LogPlace): Promise<Filled> {
    if (hole.begin === 0) {
      return (await this.#write(shard, hole, end, new Uint8Array())) ? 'filled' : 'left';
    }
    if (isOpen && (await this.#fillFrom(shard, this.#core.nodeId, hole, end)) === 'filled') {
      return 'filled';
    }
    const others = this.#homes(shard).filter(
      (node) => node !== this.#core.nodeId && this.#messages.up.has(node),
    );
    if (isOpen && !this.#isPersisted(shard, hole)) {
      return 'left';
    }
    if (hole.behind === null) {
      const isFilled = !isOpen && (await this.#fillOpenEnd(shard, others, hole, end));
      return isFilled ? 'filled' : 'loose';
    }
    let done: Filled = 'left';
    for (const donor of others) {
      const tried = await this.#fillFrom(shard, donor, hole, end);
      if (tried === 'filled') return tried;
      if (tried === 'loose') done = tried;
    }
    return done;
  }

  async #fillFrom(shard: number, donor: number, hole: LogHole, end: LogPlace): Promise<Filled> {
    const records = await this.#fetch(shard, donor, hole);
    if (records === null) return 'left';
    return (await this.#write(shard, hole, end, records)) ? 'filled' : 'loose';
  }

  /** The history ends in the hole: everybody has to say how it ends. */
  async #fillOpenEnd(
    shard: number,
    others: readonly number[],
    hole: LogHole,
    end: LogPlace,
  ): Promise<boolean> {
    const rest = this.#homes(shard).filter((node) => node !== this.#core.nodeId);
    if (others.length === 0 || others.length < rest.length) {
      return false;
    }
    const answers = await Promise.all(others.map((donor) => this.#fetch(shard, donor, hole)));
    if (answers.includes(null)) {
      return false;
    }
    const longest = answers.reduce((a, b) => ((b?.byteLength ?? 0) > (a?.byteLength ?? 0) ? b : a));
    return longest !== null && (await this.#write(shard, hole, end, longest));
  }

  /** False: another history, or what does not fit. */
  async #write(shard: number, hole: LogHole, end: LogPlace, records: Uint8Array): Promise<boolean> {
    try {
      await repairLog(this.#core, shard, hole, end, records);
      return true;
    } catch (caught) {
      const refused = ['CONDITION_FAILED', 'INVALID_ARGUMENT', 'LOG_CORRUPT'] as const;
      if (refused.some((code) => isFreshetError(caught, code))) {
        return false;
      }
      throw caught;
    }
  }

  /** From the record before the hole to the one behind it, as `donor` has them; null: it has not. */
  async #fetch(shard: number, donor: number, hole: LogHole): Promise<Buffer | null> {
    const { before, behind } = hole;
    // More than any segment takes behind what lies before it, so that one without an end is filled
    // to its end.
    const enough = hole.end === 0 ? groupLimits.repairBytes : Infinity;
    const inside = hole.end === 0 ? limits.valueBytesMax : hole.end - hole.begin;
    const most = groupLimits.repairBytesMax + inside;
    const chunks: Buffer[] = [];
    let bytes = 0;
    let shared = 0;
    let place: LogPosition | null = before === null ? beforeAll : [before[0], before[1] - 1];
    try {
      while (place !== null && shared <= enough && bytes <= most) {
        const chunk = await this.#read(shard, donor, place, hole);
        const taken = takeUntil(chunk, behind);
        chunks.push(taken.bytes);
        bytes += taken.bytes.byteLength;
        shared += taken.shared;
        place = taken.next;
      }
      return Buffer.concat(chunks, bytes);
    } catch (caught) {
      const error = messageOf(caught);
      this.#log.info({ shard, donor, error }, 'a member has no good copy of what is damaged here');
      return null;
    }
  }

  async #read(
    shard: number,
    donor: number,
    position: LogPosition,
    { before, behind }: LogHole,
  ): Promise<Buffer> {
    const argument = [shard, ...position];
    const options = { timeoutMs: groupLimits.fillTimeoutMs, signal: null };
    const chunk =
      donor === this.#core.nodeId
        ? await readRecordsOrPiece(this.#core, shard, position, groupLimits.fillChunkBytes)
        : await this.#messages.call(donor, readSoundCall, argument, options);
    if (chunk === null) {
      return Buffer.alloc(0);
    }
    if (!(chunk instanceof Uint8Array)) {
      throw new FreshetError('INTERNAL', `Member ${String(donor)} sent no log of a shard`);
    }
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const long = longHead(bytes);
    if (long === null) return bytes;
    // To be compared alone; see native/agent/log_repair.h.
    const isNeighbour = isAt(long, before) || isAt(long, behind);
    return isNeighbour ? bytes.subarray(0, headerSize) : this.#fetchRest(long, donor, bytes);
  }

  /** All of a long record, of which `piece` is the first. */
  async #fetchRest(head: RecordHead, donor: number, piece: Uint8Array): Promise<Buffer> {
    const record = Buffer.allocUnsafeSlow(paddedLength(head.length));
    for (let from = 0; ;) {
      record.set(piece, from);
      from += piece.byteLength;
      if (from >= record.byteLength) return record;
      const where = { donor, from, signal: null };
      piece = await fetchPiece(this.#core, this.#messages, head, where);
    }
  }

  #isPersisted(shard: number, { behind }: LogHole): boolean {
    const frontiers = new Float64Array(frontierWidth);
    this.#core.addon.frontiers(this.#core.handle, shard, frontiers);
    const epoch = frontiers[frontierColumns.epoch] as number;
    const persisted = frontiers[frontierColumns.persisted] as number;
    return behind !== null && (behind[0] < epoch || behind[1] <= persisted);
  }
}

interface Taken {
  readonly bytes: Buffer;
  /** Of them those of records that share their segments with others. */
  readonly shared: number;
  /** Where to go on; null: that was all. */
  readonly next: LogPosition | null;
}

function isAt({ epoch, sequence }: RecordHead, position: LogPosition | null): boolean {
  return position?.[0] === epoch && position[1] === sequence;
}

/** Records up to the one at `last`. */
function takeUntil(chunk: Buffer, last: LogPosition | null): Taken {
  let next: LogPosition | null = null;
  let shared = 0;
  let at = 0;
  while (at < chunk.byteLength) {
    const { epoch, sequence, length } = readHead(chunk, at);
    at += paddedLength(length);
    if (length <= groupLimits.segmentBytes) shared += paddedLength(length);
    next = [epoch, sequence];
    if (last !== null && (epoch > last[0] || (epoch === last[0] && sequence >= last[1]))) {
      return { bytes: chunk.subarray(0, at), shared, next: null };
    }
  }
  return { bytes: chunk, shared, next };
}
