import { loadAddon } from './load.ts';
import type { MemberHandle, NativeAddon } from './native.ts';

/** Offsets in a record's header; see native/core/record.h. */
const header = {
  size: 64,
  length: 8,
  flags: 13,
  keyLength: 14,
  extensionLength: 16,
  metaLength: 18,
  epoch: 24,
} as const;

const withoutValue = 16;

/** Reads records of a member's store on a worker thread, from memory. */
export class RecordReader {
  readonly #addon: NativeAddon;
  readonly #member: MemberHandle;
  readonly #versions = new Float64Array(1);

  constructor(addon: NativeAddon, member: MemberHandle) {
    this.#addon = addon;
    this.#member = member;
  }

  /**
   * The value of a version, copied; null: no such version of that epoch, cold, pruned, too long to
   * be copied, or the member is closed.
   */
  readValue(shard: number, version: number, epoch: number): Uint8Array | null {
    this.#versions[0] = version;
    const record = this.#addon.getVersions(this.#member, shard, this.#versions, 1, Infinity);
    if (record.length < header.size || record.readUInt32LE(header.epoch) !== epoch) return null;
    const isLeftOut = (record.readUInt8(header.flags) & withoutValue) !== 0;
    return isLeftOut ? null : valueOf(record);
  }

  /**
   * The value in a record that others read too (`shareVersion`), where it lies: not to be written
   * to. null: it was written to, or nobody holds it.
   */
  openShared(number: number): Uint8Array | null {
    const record = this.#addon.openShared(this.#member, number);
    return record === null ? null : valueOf(record);
  }

  /** Is a record that was opened, and is held still, what it was? */
  isSharedSound(number: number): boolean {
    return this.#addon.isSharedSound(this.#member, number);
  }

  close(): void {
    this.#addon.closeMember(this.#member);
  }
}

function valueOf(record: Buffer): Uint8Array {
  const start =
    header.size +
    record.readUInt16LE(header.extensionLength) +
    record.readUInt16LE(header.keyLength) +
    record.readUInt16LE(header.metaLength);
  const end = record.readUInt32LE(header.length);
  // No Buffer: of one a `slice` would be no copy.
  return new Uint8Array(record.buffer, record.byteOffset + start, end - start);
}

/** The store of the member that `memberKey` names, of the same process. Throws CLOSED. */
export function attachReader(memberKey: number): RecordReader {
  const addon = loadAddon();
  return new RecordReader(addon, addon.attachMember(memberKey));
}
