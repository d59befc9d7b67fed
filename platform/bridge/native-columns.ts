/**
 * Numbers and columns of the native surface (`native.ts`), which say what `native/` says.
 */

/** Row kinds of `drain`; a row is `rowWidth` float64s: [kind, a, b, c, d, e, f, g]. */
export const rowKinds = {
  /** token, status, epoch, version, time µs, previous version of key */
  completion: 1,
  /** subscription id, shard, epoch, version, time µs */
  event: 2,
  /** node id, 1 up | 0 down | 2 refused, status */
  peer: 3,
  /** shard, status, node id that was lost or 0 */
  shardStopped: 4,
  /** from node id, bytes; fetch with `takeMessage`, in order */
  message: 5,
  /** token, status; bytes wait in `takeResult` unless the call has none */
  result: 6,
  /** token: a borrowed value is no longer read */
  released: 7,
  /** shard, status, segment, offset: damage found in a log */
  damage: 8,
  /** node id, free bytes, diskRooms: what is left on a member's disk, while it is not enough */
  disk: 9,
  /** viewNotices: what happened to the views; see `view` */
  view: 10,
  /** shard, epoch, node id, lagKinds, waited ms, sequences or steps lacked: it held me up */
  lag: 11,
  /** call: a client's trigger; its frame is fetched with `takeMessage`, answer `answerTrigger` */
  trigger: 12,
} as const;

/** enough; little: values are refused; none: all changes are. */
export const diskRooms = { enough: 0, little: 1, none: 2 } as const;
export type DiskRoom = (typeof diskRooms)[keyof typeof diskRooms];

/** What a member was waited for: what it receives, delivers or syncs, or blocks of large values. */
export const lagKinds = { received: 0, delivered: 1, persisted: 2, blocks: 3 } as const;

export const viewNotices = {
  /** `view` says something else. */
  changed: 1,
  /** Fill the shards that the proposal gives this member, then call `viewFilled`. */
  fill: 2,
  /** The others went on without this member: `renew` and ask to be let in. */
  outdated: 3,
  /** A shard lacks the end of its epoch: fill it from one that has it, then call `caughtUp`. */
  behind: 4,
  /** The disk failed: nobody is to wait for this member until it can be written again. */
  failed: 5,
} as const;

export const rowWidth = 8;

/** Columns of `submit`'s `extra`, all float64; pass null when every one has its "none" value. */
export const extraColumns = {
  eventTime: 0, // µs; NaN: none
  expectVersion: 1, // -1: any
  expectVersionOfKey: 2, // -1: any; 0: absent
  expectEpoch: 3, // -1: any
  session: 4, // 0: none; < 2^53
  request: 5,
  lowestUnanswered: 6,
} as const;
export const extraWidth = 7;

/** Columns of the `head` that point reads fill. */
export const headColumns = {
  status: 0, // 0, NOT_FOUND, COMPACTED, COLD, NOT_CURRENT ...
  removed: 1,
  epoch: 2,
  version: 3,
  previousVersionOfKey: 4,
  time: 5,
  eventTime: 6, // NaN: none
  size: 7, // bytes of the value
  coldSegment: 8,
  coldOffset: 9,
  coldLength: 10,
  metaLength: 11, // of `glance`
} as const;
export const headWidth = 12;
/** What `glance` answers in place of a length. */
export const glances = { askOtherwise: -1, noRoom: -2 } as const;

/** Columns of `frontiers`' out. */
export const frontierColumns = {
  received: 0, // sequence, -1: none
  delivered: 1,
  persisted: 2,
  deliveredVersion: 3,
  persistedVersion: 4,
  stopped: 5, // status
  epoch: 6, // 0: no epoch started
  newestTime: 7,
  ended: 8, // 1: the epoch is delivered to its end, for the next view
} as const;
export const frontierWidth = 9;

/**
 * Columns of `clocks`: the wall clock that stamps come from, read at the start and counted on; the
 * machine's wall clock now; the newest time that was stamped here, or seen in an order.
 */
export const clockColumns = { wall: 0, machine: 1, newest: 2 } as const;
export const clockWidth = 3;

export const recordKinds = { put: 1, remove: 2, trigger: 3, control: 4 } as const;
/** By which members pass on the blocks of large values (native/core/multicast_schedule.h). */
export const multicastAlgorithms = { binomial: 0, chain: 1, tree: 2, sequential: 3 } as const;
export const acks = { none: 0, delivered: 1, persisted: 2 } as const;
export const readPoints = { newest: 0, atVersion: 1, exactVersion: 2, atTime: 3 } as const;
/** What a read may show: anything applied, or what all members have (on disk, if persistent). */
export const readFloors = { local: 0, stable: 1 } as const;
