// The versioned store of one shard at one member: one writer, many readers.
//
// Records lie in segments (anonymous memory, 16 MiB; larger ones for larger records), never change
// once sealed, and are reached by key (hash index, ordered key list), by version (contiguous slots)
// and by time (monotone in version). A key's versions form a chain with jump pointers, so that any
// of n versions is found in O(log n) steps (Myers, "An applicative random-access stack", IPL 17,
// 1983). A persistent store's segments are what the log thread writes to disk, byte for byte.
//
// Threads: apply, log and subscription calls from the agent thread only; reads from any thread that
// holds a Reader. Readers never block the writer: what it unlinks is freed when no reader that
// could see it is left (epoch-based reclamation: Fraser, "Practical lock-freedom", 2004).
// Invariants
//  1. Versions are 1, 2, 3 ... without a gap over all epochs; time(v) > time(v - 1).
//  2. A reader sees version v only after its record, slot and chain are complete.
//  3. The same records in the same order give the same state at every member.
#ifndef FRESHET_CORE_STORE_STORE_H_
#define FRESHET_CORE_STORE_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "native/core/outputs.h"
#include "native/core/record.h"
#include "native/core/status.h"
#include "native/core/store/mapped_memory.h"
#include "native/core/types.h"

namespace freshet {

struct StoreConfig {
  ShardId shard = 0;
  bool persistent = false;
  // Bytes in memory. Volatile: a put that would bring the retained records over 3/4 of it is
  // refused as OVERLOADED (the rest is the cleaner's room). Persistent: above it sealed segments go
  // cold.
  size_t memory_max = size_t{1} << 30;
  size_t segment_size = kSegmentSize;  // smaller in tests
};

// The rules of one pool in this shard; they arrive as ordered control records (kControl, key
// "pool/<id>", value = this struct) so that every member changes them at the same place.
struct PoolRules {
  PoolId pool = 0;
  uint32_t history = 128;  // volatile: newest versions of a key that are kept; 0: all
  uint64_t value_size_max = kValueSizeMax;
  uint8_t event_axis = 0;    // 1: reads `at` a time go by event time
  uint8_t trigger_only = 0;  // 1: refuses everything but kTrigger
  // 1: the pool was removed, for good; changes are refused as kUnknownPool, but the removal of keys
  // that it has left.
  uint8_t closed = 0;
  uint8_t reserved[5] = {};
};

struct Applied {
  Status status = Status::kOk;
  Version version = 0;  // 0: took none
  Micros time = 0;
  Version previous_version_of_key = 0;  // with kConditionFailed: the key's newest version
  Epoch epoch = 0;  // of the version: a session's repeat answers with the old one
};

// Bytes for the log thread. They stay valid and unchanged until on_batch_synced.
struct LogBatch {
  ShardId shard = 0;
  uint64_t segment = 0;  // number of the segment, from 0
  uint64_t offset = 0;   // within the segment's file
  Bytes bytes;
  Sequence last_sequence = -1;  // delivered when the batch was closed
  Epoch epoch = 0;
  bool seals_segment = false;  // nothing follows in this segment
};

// The digest of everything applied up to a record.
struct Checkpoint {
  LogPosition position;
  Version version = 0;
  uint64_t digest = 0;
};

// What the last record of a volatile store is given with takes at least this, and may take no more.
inline constexpr size_t kSessionsSizeMin = padded(sizeof(RecordHeader) + 32);

// Which version of a key a read asks for.
struct ReadPoint {
  enum class Kind : uint8_t { kNewest, kAtVersion, kExactVersion, kAtTime };
  Kind kind = Kind::kNewest;
  uint64_t value = 0;               // version, or time in µs
  Version newest_max = UINT64_MAX;  // nothing above this version is shown (a persisted frontier)
};

struct Found {
  Status status = Status::kNotFound;  // kOk, kNotFound, kCompacted (existed, pruned), kCold
  bool removed = false;               // the version is a remove: kOk with no value
  Epoch epoch = 0;
  Version version = 0;
  Version previous_version_of_key = 0;
  Micros time = 0;
  Micros event_time = kNoTime;
  uint32_t value_size = 0;
  const std::byte* record = nullptr;  // valid while the Reader's guard is held; null if cold
  uint64_t cold_segment = 0;          // where a cold record lies
  uint64_t cold_offset = 0;
  uint32_t cold_length = 0;
};

class Store {
 public:
  explicit Store(StoreConfig config);
  ~Store();
  const StoreConfig& config() const;

  // --- writer side -----------------------------------------------------------------------------

  // Applies the next record of the order: rules, session, conditions, then version and time, one
  // copy into the segment, indexes, publication. `record` lies in a ring and holds the sender's
  // stamp.
  Applied apply(const RecordView& record, Epoch epoch, Sequence sequence);
  // The next records of the order, at most kExpectedMax, null for none: what they need is fetched
  // together, not for one after the other. They stay as they are until they are applied, or
  // others are expected.
  static constexpr size_t kExpectedMax = 8;
  void expect(std::span<const std::byte* const> records);

  // apply() for a record that comes in pieces: room for all of it is taken first, filled in any
  // order, and applied when it is there. At most one in each `slot` at a time, of kLargeSlots.
  MutableBytes reserve_large(uint32_t slot, size_t record_length);
  // `copied`: its memory is not taken for the segment, but stays in the slot to be given out.
  Applied apply_large(uint32_t slot, Epoch epoch, Sequence sequence, bool copied = false);
  // It will never be there, or was copied. The memory is given out, as others may still write it or
  // read it; idempotent.
  MappedBlock abandon_large(uint32_t slot);
  // Is one so long copied when it is applied, or does it stay where it was put together?
  bool copies_large(size_t record_length) const;

  // Would a new request be taken now? kOverloaded: memory is short at this member or its disk is
  // behind. kDiskFailed: its log is broken. To be asked before a request is ordered; apply() itself
  // refuses only for reasons that are the same at every member.
  Status admission() const;

  // Of what was applied, what is not known to be on disk.
  uint64_t unsynced_bytes() const;

  // Closes what was applied since the last batch into one, with its mark; a batch lies within one
  // segment, so call it until it returns false. False: nothing new.
  bool close_batch(Sequence delivered, LogBatch& out);
  // The same when the log is idle: a batch of a mark alone, if the synced offset of the last batch
  // is not on disk yet. False: nothing to say.
  bool close_idle(LogBatch& out);
  void on_batch_synced(const LogBatch& batch);
  void on_log_failed();  // for good

  // Frees what no reader holds, drops or cleans segments, copying at most `bytes_max` (256 KiB are
  // about 50 µs). Call it when idle, and once a pass. Returns true if more is to be done.
  bool maintain(size_t bytes_max);

  // Would this segment, which is sealed and on disk alone, fit into memory now?
  bool has_room_for(uint64_t segment) const;
  // Takes such a segment's bytes, checked and each at its offset, up to `used`, where it ends.
  // False: there is no room, or it ends elsewhere; nothing changed.
  bool bring_back(uint64_t segment, MappedBlock block, size_t used);

  Version newest_version() const;
  Micros newest_time() const;
  LogPosition last_position() const;  // of the last record that is or will be logged
  uint64_t digest() const;            // of all applied records, in order
  // Digests at every kHistoryCheckpointVersions-th version, the newest kHistoryCheckpointsMax of
  // them, ascending. Members that applied the same history have the same ones (volatile: since they
  // were filled).
  std::vector<Checkpoint> checkpoints() const;

  // Highest version that every member of the shard has on disk; set by the replica.
  void publish_persisted(Version version);

  // --- rebuilding ------------------------------------------------------------------------------

  // A place in the log: segment, and offset in its file.
  struct DurableAt {
    uint64_t segment;
    uint64_t offset;
  };
  // Up to where the log is on disk. Persistent stores.
  DurableAt synced_end() const;

  // Takes a record that already has its final header: from the log at start, or from another
  // member. In order. With `durable` its bytes are in the file at that place already.
  Status restore(const RecordView& record, std::optional<DurableAt> durable);
  // The same of records that lie one behind the other in a file, up to the first that cannot be
  // taken; `taken` counts those before it.
  Status restore_run(std::span<const RecordView> run, DurableAt first, size_t& taken);
  // The same of one that comes in pieces, of `record_length` bytes: room for it, which takes the
  // place of what was not restored; then, when all of it is there and its payload was checked, or
  // when no more of it will come. Of what was not restored the memory is given back at once.
  MutableBytes reserve_restored(size_t record_length);
  Status restore_reserved();
  void abandon_restored();  // idempotent
  // Room for a segment's file that is read to be restored from, each byte at its offset; a record
  // that restore() finds there already is not copied. Empty: the segment is not to stay in memory
  // (`stays`), and its records may lie anywhere. Asked for again of the last segment, it makes one
  // that was not to stay do so, and the caller fills it.
  MutableBytes restore_room(uint64_t segment, size_t file_size, bool stays);
  void end_restore();  // no room that was given is filled any more
  // Drops everything after `position`: a tail that the group did not keep. Before anyone reads or
  // subscribes, with all of it synced. Persistent stores only. kCold: not all of it is in memory.
  // The files stay as they are: recover_log() with `cut_after` cuts both, into a fresh store.
  Status cut_back(LogPosition position);
  // How far a reader has come with the sessions of a volatile store.
  struct SessionsRead {
    LogPosition position;  // of the last record, which they belong to
    uint64_t entries = 0;
  };
  // Copies whole records after `after` in order into `out`, up to its size, without marks. Sets
  // `used` bytes (0: nothing follows) and `last`. kCold: they must be read from disk (see
  // LogReader); kOverloaded: not even the first fits.
  // What a volatile store gives ends with its sessions. They go with the last record or, if
  // `sessions` is given and they do not fit, in pieces before it: `last` stays as it was then, and
  // `sessions` moves. Who gives it back unchanged goes on from there, or, where the last record is
  // another one by then, from the first piece. Where the last record is too long for
  // any `out`, they all come before it so, and who takes it by read_piece() has them with it.
  Status read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last,
                  SessionsRead* sessions = nullptr);

  // Up to `out.size()` bytes of the record after `after`, from its byte `from` on; `used`: 0 at its
  // end. kNotFound: there is none or, with `from` above 0, none at the next sequence of the epoch:
  // who began to read one goes on with that one. kCold as above.
  Status read_piece(LogPosition after, uint64_t from, MutableBytes out, size_t& used);

  // Of a shard of raw delivery, whose members have no history in common: the rules of its pools,
  // all of them or kOverloaded. Who takes those of another member forgets its own first: a pool
  // that a sender alone knows would have its changes refused by all others.
  Status read_rules(MutableBytes out, size_t& used) const;
  void forget_rules();
  Status take_rules(const RecordView& control);

  // --- subscriptions ---------------------------------------------------------------------------

  enum class SubscriptionFrontier : uint8_t { kDelivered, kPersisted };
  // Who hears. Each collects for itself: neither waits for the other to have room.
  enum class Audience : uint8_t { kEventLoop, kClients };
  // Events for every version >= from under `prefix` (bytes; a whole-path match is the caller's
  // matter), in order, no later than the frontier allows. kCompacted: `from` is gone; the lowest
  // version that can be subscribed from is set in `from_min` if given. kOverloaded: too many.
  // An event may name a version whose record get_version then finds compacted or cold.
  Status subscribe(uint64_t id, std::string_view prefix, Version from,
                   SubscriptionFrontier frontier, Version* from_min = nullptr,
                   EventShare share = {}, Audience audience = Audience::kEventLoop);
  // False: there is none of this id.
  bool unsubscribe(uint64_t id, Audience audience = Audience::kEventLoop);
  // Appends at most `max` events; true if more are waiting. An event of epoch 0 tells a gap:
  // versions below event.version were pruned before this subscription, being far behind, came to
  // them.
  bool collect_events(std::vector<SubscriptionEvent>& events, size_t max,
                      Audience audience = Audience::kEventLoop);
  // Records of triggers (and pruned histories) up to this version are no longer needed here. From
  // the first call on, records above the released version stay reachable by get_version although
  // their key's history has moved on (at most kTransientsMax of them, and a quarter of memory_max).
  void release_up_to(Version version);

  // --- readers ---------------------------------------------------------------------------------

  // One per reading thread; creation may fail beyond kReadersMax (check valid()).
  class Reader {
   public:
    explicit Reader(Store& store);
    ~Reader();
    bool valid() const;
    void enter();  // pointers found after this stay valid ...
    void leave();  // ... until this

   private:
    friend class Store;
    Store& store_;
    int slot_;
    int depth_ = 0;
  };
  // A reader that has entered, until the end of a block.
  class ReadGuard {
   public:
    explicit ReadGuard(Reader& reader) : reader_(reader) { reader_.enter(); }
    ~ReadGuard() { reader_.leave(); }
    ReadGuard(const ReadGuard&) = delete;
    ReadGuard& operator=(const ReadGuard&) = delete;

   private:
    Reader& reader_;
  };

  Found get(std::string_view key, const ReadPoint& point) const;
  // Whatever record took it. kCompacted: it was pruned; kNotFound: no such version yet.
  Found get_version(Version version) const;
  // In which it was made, also if it was pruned; of what was pruned before it came here, an earlier
  // one or 0. 0: no such version yet.
  Epoch epoch_of(Version version) const;
  // Where its record lies in the log; none: pruned, or no such version. Persistent stores.
  std::optional<DurableAt> place_of(Version version) const;
  Version version_at_time(Micros time) const;  // highest version with time <= `time`; 0: none
  // Keys with `prefix` in byte order, after `after` (exclusive; empty: from the start), those that
  // exist at `point`. Appends at most `max`; returns true if more follow.
  bool list(std::string_view prefix, std::string_view after, const ReadPoint& point, size_t max,
            std::vector<std::string_view>& keys) const;

  struct Stats {
    uint64_t keys = 0;
    uint64_t versions = 0;  // retained
    uint64_t resident_bytes = 0;
    uint64_t live_bytes = 0;    // of retained records
    uint64_t copied_bytes = 0;  // by the cleaner
    uint64_t sessions = 0;
  };
  Stats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_STORE_H_
