import { check } from '../base/mod.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The named maxima of the group room. Units stand last. */
const table = {
  /** Calls of this member that wait for the native side. A power of two: tokens are cut by it. */
  waitingTokens: 1 << 18,
  /** Rows taken from the native side at once, and how often before others get a turn. */
  drainRows: 512,
  drainRounds: 16,
  /** A message to a member travels in parts of this size, so that small ones get between. */
  messagePartBytes: 256 * KiB,
  /** A message put together from parts: the largest value and what is around it. */
  messageBytes: 72 * MiB,
  /** Bytes that wait for one member. */
  outboxBytes: 160 * MiB,
  /** Calls to other members without an answer, and calls of others being served. */
  openCalls: 16_384,
  servedCalls: 8192,
  /** How long the outbox pauses when the way to a member is full. */
  outboxPauseMs: 1,
  callTimeoutMs: 10_000,
  /** Bytes of log in one step of filling a member that is behind. */
  fillChunkBytes: 4 * MiB,
  /** Of a record that is too long for a message. */
  pieceBytes: MiB,
  soundPieceBytes: 64 * MiB,
  /** At most so much, for a single record that is larger, and what has to come with it. */
  logReadBytes: 72 * MiB - 256 * KiB,
  fillTimeoutMs: 30_000,
  /** Of what one round found, at most so much for another while the donor goes on. */
  fillShrink: 0.9,
  /** How often a donor looks whether an epoch has ended, for a member that joins. */
  endedPollMs: 10,
  /** How long a member that lacks the end of an epoch asks one donor before the next. */
  endedWaitMs: 2000,
  /** A segment of a log, unless one record is larger; kSegmentSize of the native side. */
  segmentBytes: 16 * MiB,
  /** Records fetched for the end of a segment, without larger ones, and beside a hole of a log. */
  repairBytes: 36 * MiB,
  repairBytesMax: 144 * MiB,
  /** Checked in one step of a scrub; how long it pauses for other work. */
  scrubStepBytes: MiB,
  scrubPauseMs: 50,
  /** Before what nobody could mend is tried again. */
  mendPauseMs: 30_000,
  /** A scrub of all logs of another member. */
  verifyTimeoutMs: 3_600_000,
  /** A step of the start protocol that takes longer is given up and tried anew. */
  stepTimeoutMs: 20_000,
  fillStepTimeoutMs: 600_000,
  /** Members that are filled at once to come into shards. */
  admissions: 4,
  /** How often one that is filled says that it gets on; when it is left alone, for how long. */
  fillNoticeMs: 1000,
  fillStallMs: 45_000,
  stalledPauseMs: 10_000,
  /** Pause before the next try. */
  retryPauseMs: 200,
  /** Rounds of filling in one try; more means that histories do not come together. */
  fillRounds: 4,
  /** How often the start protocol says whom it waits for. */
  waitingNoticeMs: 5000,
  tickMs: 200,
  /** How long a majority waits for the others before it restarts without them. */
  restartGraceMs: 3000,
  /** Before a disk that failed is tried again: the first time, and at most. */
  diskRetryMs: 1000,
  diskRetryMsMax: 60_000,
  /** A lease of the core with what clocks may drift: what ran before is over after it. */
  leaseMs: 402,
  /** How long a member whose view cannot go on waits before it gives it up. */
  renewAfterMs: 1000,
  /** A change of view that takes longer while a member of the old one is back blank is given up. */
  changeStallMs: 60_000,
  /** For how long it has to have hope before it waits anew. */
  hopeAfterMs: 500,
  /** For how long a member is held to be slow after it was waited for. */
  lagHoldsMs: 3000,
  /** A slow member keeps up for so many times what it was waited for before it is let in again, */
  keepUpFactor: 10,
  /** and twice as long the next time, up to this. */
  slowWaitMsMax: 600_000,
  /** An observer asks again after a pause; so much at once it takes of a shard. */
  observePauseMs: 50,
  observeChunks: 4,
  /** How long a member's host name waits to be looked up again: the first time, and at most. */
  lookUpMs: 250,
  lookUpMsMax: 10_000,
  /** How often clocks are compared; while somebody is not let in for that. */
  clockLookMs: 10_000,
  clockDoubtMs: 1000,
  /** Calls in one comparison, of which the quickest counts, and how long each may take. */
  clockTries: 5,
  clockTimeoutMs: 2000,
  /** Below that a clock is not moved. */
  clockStepUs: 10_000,
  /** How long a shard stays open at a member that left it. */
  closeAfterMs: 30_000,
  /** How long closing waits for a step that is under way. */
  closeWaitMs: 1000,
  /** How long a member that leaves waits for its changes, and then for the view without it. */
  leaveWaitMs: 4000,
  /** How often it looks whether its changes are answered. */
  leavePollMs: 5,
  /** How long it listens whether others leave as well: a cluster that ends keeps its view. */
  leaveListenMs: 150,
  /** View events that wait for one watcher. */
  viewEvents: 1024,
  ringSizeMin: 64 * KiB,
  /** Larger ones do not stay in a core's cache: 10 % fewer puts of 100 B, 15 % of 10 KiB. */
  ringSizeMax: 2 * MiB,
  ringBudgetDefault: 64 * MiB,
  /** kBlockSizeMin, Max and Default of the native side. */
  blockBytesMin: 4 * KiB,
  blockBytesMax: 8 * MiB,
  blockBytesDefault: 256 * KiB,
  shardMemoryDefault: 256 * MiB,
  subgroups: 64,
  /** Homes and layout of a view, encoded; kViewExtraMax of the native side. */
  viewExtraBytes: 32 * KiB,
  /** The layout of a view as text, which is packed there. */
  layoutBytes: MiB,
  /** Shards of all subgroups; kViewShardsMax of the native side. */
  shards: 256,
  /** Members of one shard; kMembersMax of the native side. */
  shardMembers: 16,
};

export const groupLimits: Readonly<typeof table> = Object.freeze(table);

check(
  Number.isInteger(Math.log2(groupLimits.waitingTokens)),
  'the number of tokens is a power of two',
);
check(groupLimits.messagePartBytes <= groupLimits.messageBytes, 'a part fits a message');
check(
  groupLimits.logReadBytes + groupLimits.messagePartBytes <= groupLimits.messageBytes,
  'what is read of a log fits a message with what is around it',
);
check(
  groupLimits.repairBytes > 2 * groupLimits.segmentBytes,
  'a segment is fetched with the record before it and one behind it',
);
check(groupLimits.messageBytes * 2 <= groupLimits.outboxBytes, 'two messages fit the outbox');
check(groupLimits.ringSizeMin <= groupLimits.ringSizeMax, 'ring sizes are in order');
