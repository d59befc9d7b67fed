/**
 * The native surface, declared once: names and order mirror `native/binding/*.cc`.
 *
 * Rules: absent is `null` (or a stated number), never `undefined`; numbers are safe integers unless
 * a comment says otherwise; a call returns 0 or a positive number, or the negated status code of
 * `native/core/status.h`. Handles are opaque; closing is idempotent; use after close answers
 * CLOSED. Bytes given to a call are copied before it returns unless its comment says "borrowed".
 * Results that take time come as rows of {@link NativeAddon.drain}, under a token of the caller's.
 */
import type { FabricReport, TransportKind } from './native-transports.ts';

/** Opaque. One per process and member; worker threads get their own with `attachMember`. */
export type MemberHandle = { readonly brand: 'member' };

export interface MemberOptions {
  readonly clusterId: Uint8Array; // 16 bytes
  readonly secret: Uint8Array; // 32 bytes; proves that a peer belongs
  readonly nodeId: number;
  readonly listenHost: string;
  readonly listenPort: number; // 0: any free one
  readonly transport: TransportKind;
  readonly dataFolder: string | null; // null: no persistent shard can be opened
  /** Where clients of the native door come in; port 0: any free one. Null: there is none. */
  readonly door: { readonly host: string; readonly port: number } | null;
  readonly spinMicros: number; // busy polling before sleeping; 0: none
  readonly heartbeatMs: number;
  readonly silenceMs: number; // a peer silent for longer is lost
}

export interface ShardOptions {
  readonly shard: number;
  readonly persistent: boolean;
  readonly memoryMax: number; // bytes of resident segments
}

/** What the layout says of a shard's epochs. */
export interface ShardRules {
  readonly shard: number;
  /** Delivered as received, of volatile shards only; of the epochs made from now on. */
  readonly raw: boolean;
  /** How large values go, multicastAlgorithms; of the epochs made from now on. */
  readonly multicast: number;
  readonly blockSize: number; // bytes
}

export interface EpochOptions {
  readonly shard: number;
  readonly epoch: number;
  readonly members: readonly number[]; // node ids in rank order
  readonly senders: readonly number[]; // ranks, ascending
  readonly ringSize: number; // bytes, a power of two
  readonly dispatchLagMax: number; // versions; Infinity: no bound
}

/** The views as the agent last told of them; bytes as in native/core/view/view.h. */
export interface NativeView {
  readonly installed: Buffer | null;
  readonly proposal: Buffer | null;
  readonly vote: string; // of the proposal, 16 hexadecimal digits
  readonly attempt: number; // the members' number of this try to go on
  readonly suspects: number; // seats as bits
  readonly leads: boolean; // this member may propose a view
  readonly stuck: boolean; // too few are here to go on
  readonly behind: readonly number[]; // shards that lack the end of their epoch
}

/** A scan of one shard on its query thread, in version order (or reverse). */
export interface ScanOptions {
  readonly shard: number;
  /**
   * 'versions': every retained record; 'objects': the newest per key as of the cut, in key order.
   */
  readonly kind: 'versions' | 'objects' | 'keys';
  readonly prefix: string;
  readonly fromVersion: number; // inclusive; 0: from the start
  readonly toVersion: number; // inclusive; the cut; Infinity: the newest shown by `floor`
  readonly floor: number; // readFloors
  readonly fromTime: number; // µs, inclusive; -Infinity: no bound
  readonly toTime: number; // µs, inclusive; Infinity: no bound
  readonly reverse: boolean;
  readonly limit: number; // records in all; Infinity: no bound
  readonly wantValues: boolean;
  readonly wantRemoved: boolean; // removes too
  readonly program: Uint8Array | null; // filter program of platform/expression
  readonly batchBytes: number; // a result is cut at about this size
  /** From an earlier result: where to go on. */
  readonly resume: Uint8Array | null;
}

/**
 * A result of `scan` and `getVersions` is packed: records as native/core/record.h lays them out,
 * back to back, 64-byte aligned (value absent if not wanted: then header.length ends after meta and
 * `value size` stands in header.sequence). `scan` appends a trailer: resume bytes, their u32 length
 * (0: the scan is complete), and the u32 number of records.
 */
export interface NativeAddon {
  // --- constants.cc
  readonly statusNames: readonly string[]; // index is the code
  readonly limits: Readonly<Record<string, number>>; // limits.h, camelCase

  // --- member.cc
  /** Starts agent, log and query threads. `onWake` runs on the event loop when rows wait; one
   *  call may stand for many rows. Throws an Error whose message starts with a status name. */
  openMember(options: MemberOptions, onWake: () => void): MemberHandle;
  /** The same member in a worker thread, for reads only. `key` is `memberKey` of the first. */
  attachMember(key: number): MemberHandle;
  memberKey(member: MemberHandle): number;
  listenPort(member: MemberHandle): number;
  /** 0: there is no native door. */
  doorPort(member: MemberHandle): number;
  /** Clients of the native door may change what lies in this pool; null: not any more. */
  nameDoorPool(member: MemberHandle, pool: number, name: string | null): number;
  /** To the client of a `trigger` row. `time` µs. */
  answerTrigger(member: MemberHandle, call: number, status: number, time: number): number;
  /** Stops threads, syncs and closes logs, frees memory. Blocks shortly; idempotent. */
  closeMember(member: MemberHandle): void;
  /** Fills rows, returns how many. Call until it returns fewer than fit. */
  drain(member: MemberHandle, rows: Float64Array): number;
  takeResult(member: MemberHandle, token: number): Buffer | null;
  counters(member: MemberHandle): Readonly<Record<string, number>>;

  // --- peers.cc
  /** `host` is numeric; '': not known yet, it may connect itself. Again: it is dialled there now.
   *  INVALID_ARGUMENT: it is a name. */
  addPeer(member: MemberHandle, nodeId: number, host: string, port: number): number;
  forgetPeer(member: MemberHandle, nodeId: number): number;
  /** Ordered, reliable while the peer stays up; up to the value limit. OVERLOADED: try later. */
  sendMessage(member: MemberHandle, nodeId: number, bytes: Uint8Array): number;
  takeMessage(member: MemberHandle): Buffer | null;

  // --- view.cc (results by token but for `view`, `viewFilled`, `watchLag` and `incarnation`)
  /**
   * Starts the prepared epochs of a view that all its members begin with; SHARD_STOPPED: one is not
   * prepared here, or was stopped.
   */
  beginView(member: MemberHandle, view: Uint8Array, ringSize: number, token: number): number;
  /** NOT_CURRENT: this member does not lead, or another view is under way. */
  proposeView(member: MemberHandle, view: Uint8Array, token: number): number;
  /** Has the view go on without a member that is too slow, as if it were silent. NOT_CURRENT: a
   *  view is under way. INVALID_ARGUMENT: not another member, or no majority is left without it. */
  accuseMember(member: MemberHandle, nodeId: number, token: number): number;
  /** `lag` rows tell who makes this member wait for `afterMs` or more in a shard (four heartbeats
   *  at the least); 0: none. */
  watchLag(member: MemberHandle, shard: number, afterMs: number): number;
  viewFilled(member: MemberHandle, vote: string, ringSize: number): number;
  /** INVALID_ARGUMENT: that epoch of the shard is not behind here. */
  caughtUp(member: MemberHandle, shard: number, epoch: number, token: number): number;
  /** This member goes: the others take a view without it as soon as nothing is under way. */
  leaveView(member: MemberHandle): number;
  /** Ends all epochs and the view, and comes back to the peers as another incarnation. */
  renew(member: MemberHandle, token: number): number;
  view(member: MemberHandle): NativeView | null;
  /** Of this member now: 16 hexadecimal digits, new with every start and `renew`. */
  incarnation(member: MemberHandle): string;

  // --- clock.cc
  /** Fills the columns of `clockColumns`, all in µs since 1970. */
  clocks(member: MemberHandle, out: Float64Array): number;
  /**
   * The wall clock that stamps come from goes on from `byUs` later, or earlier; times go on growing.
   * `anew`: times that were seen are forgotten too, but for those of stored records; not while an
   * epoch is prepared.
   */
  shiftClock(member: MemberHandle, byUs: number, anew: boolean): number;

  // --- shard.cc (results by token; `result` bytes of openShard and shardState are JSON:
  //     {shard, epoch, sequence, version, time, digest (hex), persistent, pools: [...]})
  /** LOG_CORRUPT: damaged, with a `damage` row; it may be opened again once repaired. */
  openShard(member: MemberHandle, options: ShardOptions, token: number): number;
  /** Of a persistent shard: what its log holds after (epoch, sequence) goes, damaged or not. */
  openShardCut(
    member: MemberHandle,
    options: ShardOptions,
    epoch: number,
    sequence: number,
    token: number,
  ): number;
  /** Of a shard that was opened, or found damaged. */
  setShardRules(member: MemberHandle, rules: ShardRules, token: number): number;
  /** Blocks sent since the last call, at most 65,536: six u32 (BlockSent, core/outputs.h). */
  traceBlocks(member: MemberHandle, shard: number, token: number): number;
  /**
   * Of one that runs no epoch here; its log stays on disk, and it may be opened again. One that is
   * not open is no error. INVALID_ARGUMENT: it runs.
   */
  closeShard(member: MemberHandle, shard: number, token: number): number;
  shardState(member: MemberHandle, shard: number, token: number): number;
  /**
   * Packed records after (epoch, sequence); empty: that was all. A volatile shard's last record
   * comes with the end of its sessions. Pieces of them that do not fit beside it come before it,
   * each a result of its own: controls whose version says how many `entries` there are up to their
   * end. Who has such a piece goes on with its place and `entries`; 0, −1, 0: there is none yet. A
   * raw shard has no history to go on with: all rules of its pools, and nothing else. Of a record
   * over `limits.wholeRecordMax` the first piece, where `maxBytes` is `limits.logBytesMax` or more,
   * else OVERLOADED.
   */
  readLog(
    member: MemberHandle,
    shard: number,
    epoch: number,
    sequence: number,
    sessionsEpoch: number,
    sessionsSequence: number,
    entries: number,
    maxBytes: number,
    token: number,
  ): number;
  /** Takes packed records of another member, in order, and logs them; result once synced. */
  appendLog(member: MemberHandle, shard: number, records: Uint8Array, token: number): number;
  /**
   * Up to `maxBytes` of the record after (epoch, sequence), from its byte `from` on; empty: it ends
   * there. NOT_FOUND: there is none or, above 0, none at the next sequence.
   */
  readPiece(
    member: MemberHandle,
    shard: number,
    epoch: number,
    sequence: number,
    from: number,
    maxBytes: number,
    token: number,
  ): number;
  /**
   * As appendLog, of one record over `limits.wholeRecordMax`, whose pieces come in order; result of
   * the last one once it is synced. CONDITION_FAILED: the piece before it is not here.
   */
  appendPiece(
    member: MemberHandle,
    shard: number,
    from: number,
    piece: Uint8Array,
    token: number,
  ): number;
  /** Gives back the memory of a record of which no more pieces will come; none is no error. */
  dropPieces(member: MemberHandle, shard: number): number;
  /** Forgets everything after (epoch, sequence), on disk too; subscriptions end without a word. */
  cutBack(
    member: MemberHandle,
    shard: number,
    epoch: number,
    sequence: number,
    token: number,
  ): number;
  /** Makes the epoch's memory and grants it; nothing is sent. */
  prepareEpoch(member: MemberHandle, options: EpochOptions, token: number): number;
  /** After every member has prepared it. */
  startEpoch(member: MemberHandle, shard: number, epoch: number, token: number): number;
  stopEpoch(member: MemberHandle, shard: number, token: number): number;

  // --- log.cc (on the query thread; results by token. What a log's care needs, of a persistent shard
  //     that is open, or that openShard found damaged: places are segment and offset in its file)
  /** JSON {end, holes: [{segment, begin, end, before, behind}]}: what below the synced end holds no
   *  sound record. `before`, `behind`: [epoch, sequence] of the records next to it, or null. Begin 0:
   *  the segment's header; end 0: up to the segment's end. Segment null: the whole log; with a
   *  segment, `claimed` is the end that a survey of the whole log told (unless the shard is open). */
  surveyLog(
    member: MemberHandle,
    shard: number,
    segment: number | null,
    claimedSegment: number,
    claimedOffset: number,
    token: number,
  ): number;
  /** Writes packed records into the hole that begins at (segment, begin); they start with the
   *  record before it and end with the one behind it. CONDITION_FAILED: of another history. */
  repairLog(
    member: MemberHandle,
    shard: number,
    segment: number,
    begin: number,
    claimedSegment: number,
    claimedOffset: number,
    records: Uint8Array,
    token: number,
  ): number;
  /** Checks about `maxBytes` from (segment, offset): JSON {next, bytes, end, damage: place or null}.
   *  OVERLOADED: the query thread has other work. */
  scrubLog(
    member: MemberHandle,
    shard: number,
    segment: number,
    offset: number,
    maxBytes: number,
    token: number,
  ): number;
  /** As readLog, from the files alone; of a long record that comes next so many bytes, from its
   *  byte `from` on (0 for any other). LOG_CORRUPT: what comes next is damaged. */
  readSound(
    member: MemberHandle,
    shard: number,
    epoch: number,
    sequence: number,
    from: number,
    maxBytes: number,
    token: number,
  ): number;
  /** JSON {end, checkpoints}, each {epoch, sequence, version, digest}: the digest of all that was
   *  applied up to there, now and at every 1024th version (the newest 256). */
  checkpoints(member: MemberHandle, shard: number, token: number): number;
  /** A log that failed is cut back to what was synced before, and opened again; to be called until
   *  it is OK. INVALID_ARGUMENT: the shard runs here, or is subscribed to. OVERLOADED: another such
   *  call for it is under way. LOG_CORRUPT: it ends below what was synced, or is damaged. */
  reopenLog(member: MemberHandle, shard: number, token: number): number;

  // --- put.cc
  /** Queues a change; a completion row with `token` follows unless ack is none. Small values are
   *  copied, those over `limits.borrowThreshold` are borrowed until a `released` row names the
   *  token. `flags`: recordKinds | acks << 4. Returns 0 or a negated status (OVERLOADED: nothing queued). */
  submit(
    member: MemberHandle,
    shard: number,
    flags: number,
    pool: number,
    token: number,
    key: string,
    value: Uint8Array | null,
    meta: Uint8Array | null,
    extra: Float64Array | null,
  ): number;
  /** Many at once: `packed` holds `count` entries of u32 shard, u32 flags, u32 pool, u32 key length,
   *  u32 meta length, u32 value length, f64 token, f64 x extraWidth, then key, meta, value, zeros
   *  up to
   *  8. Returns how many were queued; fewer than `count` means OVERLOADED for the rest. */
  submitMany(member: MemberHandle, packed: Uint8Array, count: number): number;
  /** Completes `token` when all that was received here is delivered (and persisted). */
  waitCurrent(member: MemberHandle, shard: number, persisted: boolean, token: number): number;
  setDispatched(member: MemberHandle, shard: number, version: number): number;

  // --- read.cc (synchronous, on the calling thread, from memory)
  /** Fills `head`; returns the value, or null: not found, removed, cold, or not wanted. */
  get(
    member: MemberHandle,
    shard: number,
    key: string,
    point: number, // readPoints
    value: number, // version or µs
    floor: number, // readFloors
    wantValue: boolean,
    head: Float64Array,
  ): Buffer | null;
  /**
   * Copies meta and value of a key's newest version to `out` from its byte `at` on, and its head to
   * where `out` begins; how many bytes the former are, or one of the `glances`: as `linearizable`
   * or `local` reads promise it, it cannot be told at once, or there is none; or they have no room.
   */
  glance(
    member: MemberHandle,
    shard: number,
    key: string,
    linearizable: boolean,
    out: Uint8Array,
    at: number,
  ): number;
  /** True if a linearizable read may be answered at once: delivered (persisted) >= received. */
  isCurrent(member: MemberHandle, shard: number, persisted: boolean): boolean;
  /**
   * Another number: the shard has another store than before, filled anew or still being filled.
   * 0: it has none.
   */
  storeGeneration(member: MemberHandle, shard: number): number;
  /** Packed records of these versions, those in memory; cold or pruned ones are left out, and those
   *  that take more than `sizeMax` bytes. */
  getVersions(
    member: MemberHandle,
    shard: number,
    versions: Float64Array,
    count: number,
    sizeMax: number, // Infinity: any
  ): Buffer;
  /**
   * The epoch in which a version was made, also of a pruned one; of one that was pruned before it
   * came here an earlier one or 0. 0: none such yet, or no store.
   */
  epochAt(member: MemberHandle, shard: number, version: number): number;
  frontiers(member: MemberHandle, shard: number, out: Float64Array): number;
  versionAtTime(member: MemberHandle, shard: number, time: number): number;

  // --- shared.cc (records of `limits.sharedRecordMin` bytes or more, each copied once for all who
  //     hold it. It is not to be written to: nothing keeps JavaScript from that, so who relies on
  //     what it read asks whether it is sound afterwards)
  /** The packed record of a version. Null: it is smaller, or not in memory. */
  shareVersion(member: MemberHandle, shard: number, version: number): Buffer | null;
  /** By which number other threads open what these bytes lie in; 0: in nothing that is shared. */
  sharedAt(member: MemberHandle, bytes: Uint8Array): number;
  /** Null: nobody held it any more, or it was found written to. */
  openShared(member: MemberHandle, number: number): Buffer | null;
  /** Of one that is held here. Looks at all bytes. */
  isSharedSound(member: MemberHandle, number: number): boolean;

  // --- query.cc (on the query thread; results by token)
  scan(member: MemberHandle, options: ScanOptions, token: number): number;
  /**
   * Bytes of the version's record, from memory or disk: `maxBytes` from `from` on; empty: its end.
   * Those from disk are checked only where they are all of it.
   */
  readVersion(
    member: MemberHandle,
    shard: number,
    version: number,
    from: number,
    maxBytes: number,
    token: number,
  ): number;
  readCold(
    member: MemberHandle,
    shard: number,
    segment: number,
    offset: number,
    length: number,
    token: number,
  ): number;

  // --- subscription.cc
  /** Events as rows, in version order, from `from` on. `frontier`: acks.delivered | acks.persisted.
   *  Those of keys with xxh3(key) % size != rank are somebody else's to act on: they come along, up
   *  to a heartbeat late, but do not wake the event loop. Size 0: none is.
   *  Result COMPACTED: `from` is no longer in memory; scan up to the version in the result first. */
  subscribe(
    member: MemberHandle,
    shard: number,
    subscription: number,
    prefix: string,
    from: number,
    frontier: number,
    rank: number,
    size: number,
    token: number,
  ): number;
  unsubscribe(member: MemberHandle, shard: number, subscription: number): number;

  // --- hash.cc
  /** XXH3, 64 bits, seed 0, as a BigInt (placement: key part modulo number of shards). */
  xxh3(bytes: Uint8Array): bigint;
  /** Of a good key: the XXH3 of its UTF-8 modulo `count`. */
  keyPlace(key: string, count: number): number;
  /** `before`: the checksum of what comes before the bytes; 0: nothing. */
  crc32c(bytes: Uint8Array, before: number): number;

  // --- fabric.cc
  /** `host` is numeric. */
  inspectFabric(kind: TransportKind, host: string): FabricReport;

  // --- socket.cc
  /** A socket that connects as members do with each other, without their spacing of packets on one
   *  machine: its file descriptor, the caller's to close. It may not be connected yet, which shows
   *  when it is read or written. -1: `host` is not numeric, or there is no way to it. */
  dial(host: string, port: number): number;
}
