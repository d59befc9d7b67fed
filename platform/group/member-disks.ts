/**
 * What the members' disks have left, as they show it to each other. While one is nearly full all
 * members of its persistent shards refuse changes, natively; here is known of whom to say so.
 *
 * Thread: event loop.
 */
import { FreshetError, type Logger } from '../base/mod.ts';
import { type DiskRoom, diskRooms } from '../bridge/mod.ts';
import type { MemberCore } from './member-core.ts';

interface ShortDisk {
  readonly node: number;
  readonly freeBytes: number;
  readonly room: DiskRoom;
}

const MiB = 1024 * 1024;

export class MemberDisks {
  readonly #nodeId: number;
  readonly #short = new Map<number, ShortDisk>();

  constructor(core: MemberCore, log: Logger) {
    this.#nodeId = core.nodeId;
    core.listen({
      onDisk: (node, freeBytes, room) => {
        const before = this.#short.get(node)?.room ?? diskRooms.enough;
        if (room === diskRooms.enough) this.#short.delete(node);
        else this.#short.set(node, { node, freeBytes, room });
        if (room === before) return;
        const told = { node, freeBytes };
        if (room === diskRooms.enough) log.info(told, 'the disk of a member has room again');
        else log.warn(told, 'the disk of a member is nearly full, puts are refused');
      },
    });
  }

  /** What was taken already needs all that this member's disk has left. */
  get isMineFull(): boolean {
    return this.#short.get(this.#nodeId)?.room === diskRooms.none;
  }

  /** DISK_FULL, naming the member of a shard that has least left and how much that is. */
  fullError(shard: number, holders: readonly number[], what: string): FreshetError {
    const short = [...this.#short.values()].filter(({ node }) => holders.includes(node));
    const [least] = short.sort((one, other) => one.freeBytes - other.freeBytes);
    if (least === undefined) {
      // A long one may find too little where there is enough for others.
      const text = `${what} was refused: a disk of shard ${String(shard)} has no room for it`;
      return new FreshetError('DISK_FULL', text, { details: { shard } });
    }
    const { node, freeBytes } = least;
    const left = `${(freeBytes / MiB).toFixed(1)} MiB left`;
    const text = `${what} was refused: the disk of member ${String(node)} is nearly full, ${left}`;
    return new FreshetError('DISK_FULL', text, {
      mend: `Free or add disk space at member ${String(node)}`,
      details: { shard, member: node, freeBytes },
    });
  }
}
