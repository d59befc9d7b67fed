import path from 'node:path';
import { FreshetError } from '../base/mod.ts';
import type { RecordFiles } from './record-files.ts';
import { type CoreView, decodeView, encodeView } from './view-codec.ts';

/**
 * What a member's disk knows of the views: `view` in its data folder, which the core writes too
 * (its format is in native/agent/view_host.h), and `view-offer`.
 */
export interface ViewRecord {
  /** The newest view that this member saw installed. */
  readonly committed: CoreView | null;
  /** A successor that it prepared; it may have been installed elsewhere, or nowhere. */
  readonly prepared: CoreView | null;
  /** Who put the prepared one forward, in which attempt: of two with one number the later won. */
  readonly ballot: bigint;
  /** The restart that adopted the prepared one and put it forward again, by its number; 0: none. */
  readonly adoptedAt: number;
  /** The highest number of a view for which this record was offered to a restart. */
  readonly offered: number;
}

export const noView: ViewRecord = Object.freeze({
  committed: null,
  prepared: null,
  ballot: 0n,
  adoptedAt: 0,
  offered: 0,
});

export type Crc32c = (bytes: Uint8Array) => number;

const format = 1;
const headSize = 24;
const recordName = 'view';
const offerName = 'view-offer';

/** `noView` when there is none. Throws LOG_CORRUPT or NEWER_FORMAT. */
export async function readViewRecord(files: RecordFiles, crc32c: Crc32c): Promise<ViewRecord> {
  const { folder } = files;
  const file = path.join(folder, recordName);
  const bytes = await files.read(recordName);
  const offer = await files.read(offerName);
  const offered = offer === null ? 0 : offerIn(offer.toString('utf8'));
  if (offered === null) {
    throw new FreshetError('LOG_CORRUPT', `${path.join(folder, offerName)} is no number`, {
      mend: "Move the member's data folder away: the others fill it",
    });
  }
  if (bytes === null) {
    return { ...noView, offered };
  }
  if (bytes.length >= 4 && bytes.readUInt32LE(0) > format) {
    throw new FreshetError('NEWER_FORMAT', `${file} has format ${String(bytes.readUInt32LE(0))}`);
  }
  const end = bytes.length - 4;
  if (end < headSize || bytes.readUInt32LE(end) !== crc32c(bytes.subarray(0, end))) {
    throw damaged(file);
  }
  if (bytes.readUInt32LE(0) !== format) {
    throw damaged(file);
  }
  const first = headSize + bytes.readUInt32LE(16);
  const second = first + bytes.readUInt32LE(20);
  if (second !== end) {
    throw damaged(file);
  }
  return {
    committed: first === headSize ? null : decodeView(bytes.subarray(headSize, first)),
    prepared: second === first ? null : decodeView(bytes.subarray(first, second)),
    ballot: bytes.readBigUInt64LE(8),
    adoptedAt: bytes.readUInt32LE(4),
    offered,
  };
}

/** Durable when it resolves. Only while no view runs here: then the core writes it. */
export async function writeViewRecord(
  files: RecordFiles,
  { committed, prepared, ballot, adoptedAt }: Omit<ViewRecord, 'offered'>,
  crc32c: Crc32c,
): Promise<void> {
  const first = committed === null ? Buffer.alloc(0) : encodeView(committed);
  const second = prepared === null ? Buffer.alloc(0) : encodeView(prepared);
  const head = Buffer.alloc(headSize);
  head.writeUInt32LE(format, 0);
  head.writeUInt32LE(adoptedAt, 4);
  head.writeBigUInt64LE(ballot, 8);
  head.writeUInt32LE(first.length, 16);
  head.writeUInt32LE(second.length, 20);
  const body = Buffer.concat([head, first, second]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32c(body), 0);
  await files.replace(recordName, Buffer.concat([body, sum]));
}

/** A later restart has to exceed this number. Durable when it resolves. */
export async function writeViewOffer(files: RecordFiles, number: number): Promise<void> {
  await files.replace(offerName, Buffer.from(String(number)));
}

/** Null: no number. An empty file is none either, lest a promise be forgotten. */
function offerIn(text: string): number | null {
  const number = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(number) ? number : null;
}

function damaged(file: string): FreshetError {
  return new FreshetError('LOG_CORRUPT', `${file} is not a view record`, {
    mend: `Remove ${file}; the other members know the view`,
  });
}
