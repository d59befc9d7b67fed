import { check } from '../base/mod.ts';
import { type PackedRecord, paddedLength, readRecord } from '../group/mod.ts';
import type { ScanPage } from './shard-access.ts';

/** Takes a native scan result apart: records, resume bytes, u32 their length, u32 record count. */
export function readScanPage(bytes: Buffer): ScanPage {
  const trailer = 8;
  check(bytes.byteLength >= trailer, 'a scan result has its trailer', { size: bytes.byteLength });
  const resumeLength = bytes.readUInt32LE(bytes.byteLength - trailer);
  const count = bytes.readUInt32LE(bytes.byteLength - trailer + 4);
  const resumeAt = bytes.byteLength - trailer - resumeLength;
  const records: PackedRecord[] = [];
  for (let at = 0; records.length < count;) {
    const record = readRecord(bytes, at);
    records.push(record);
    at += paddedLength(record.head.length);
  }
  const resume = resumeLength === 0 ? null : bytes.subarray(resumeAt, resumeAt + resumeLength);
  return { records, previous: [], resume };
}
