import { loadAddon } from './load.ts';
import type { MemberHandle, NativeAddon } from './native.ts';

/** Offsets in a record's header; see native/core/record.h. */
const header = { size: 64, length: 8, keyLength: 14, extensionLength: 16, metaLength: 18 } as const;

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
   * The value of a version, copied; null: no such version, cold, pruned, or the member is closed.
   */
  readValue(shard: number, version: number): Uint8Array | null {
    this.#versions[0] = version;
    const record = this.#addon.getVersions(this.#member, shard, this.#versions, 1);
    if (record.length < header.size) {
      return null;
    }
    const start =
      header.size +
      record.readUInt16LE(header.extensionLength) +
      record.readUInt16LE(header.keyLength) +
      record.readUInt16LE(header.metaLength);
    return record.subarray(start, record.readUInt32LE(header.length));
  }

  close(): void {
    this.#addon.closeMember(this.#member);
  }
}

/** The store of the member that `memberKey` names, of the same process. Throws CLOSED. */
export function attachReader(memberKey: number): RecordReader {
  const addon = loadAddon();
  return new RecordReader(addon, addon.attachMember(memberKey));
}
