import { check, limits } from '../base/mod.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The named maxima of the store room. Units stand last. */
const table = {
  /** Puts that wait at one shard for room in its ring, and their bytes; one alone may be larger. */
  waitingPuts: 65_536,
  waitingBytes: 256 * MiB,
  /** Pause of waiting puts: for room in a ring, and for a shard that stands still. */
  ringPauseMs: 1,
  stoppedPauseMs: 20,
  /** How often overdue calls are looked for. */
  overdueSweepMs: 100,
  /** One part of a value that is too long for a message between members. */
  longPartBytes: 4 * MiB,
  /** Of such values that others are bringing here, and how long one waits for its next part. */
  longBytes: 2048 * MiB,
  longIdleMs: 30_000,
  /** Bytes of one answer of a scan, and records of one step of a feed. */
  scanBatchBytes: MiB,
  feedBatchBytes: MiB,
  feedBatchRecords: limits.watchStepEvents,
  /** Records of so many bytes are read by themselves; as `limits.sharedRecordMin` of the addon. */
  sharedRecordBytes: 256 * KiB,
  /** Bytes of one remote answer; larger ones come in the next. */
  remoteFeedWaitMs: 5000,
  /** How long a watch from now on waits for its shard to be current. */
  feedStartMs: 1000,
  /** A value above this is not copied only to read its meta. */
  statCopyBytes: 64 * KiB,
  /** Tries to write the catalog while others write it. */
  catalogTries: 16,
  catalogValueBytes: limits.bundleBytes,
  /** Catalog values up to this size are kept in memory. */
  catalogResidentBytes: 64 * KiB,
  /** How long a change of the layout waits for the catalog, before a subgroup is taken away. */
  tenantsWaitMs: 5000,
  /** Keys of an event-time cut that are held while its newest versions are sought. */
  eventCutKeys: 1_000_000,
  /** Puts in flight while the keys of a removed pool are removed. */
  sweepInFlight: 256,
};

export const storeLimits: Readonly<typeof table> = Object.freeze(table);

check(
  storeLimits.feedBatchRecords * storeLimits.sharedRecordBytes <= limits.valueBytesWhole,
  'the smaller records of a step are given at once',
);
check(storeLimits.longBytes >= limits.valueBytesMax, 'a largest value can be brought');
