// The inside of Store, shared by its parts: store_apply.cc, store_history.cc, store_read.cc,
// store_log.cc, store_restore.cc, store_restore_run.cc and store_clean.cc.
//
// Thread: the writer, but for what store_read.cc defines.
#ifndef FRESHET_CORE_STORE_STORE_IMPL_H_
#define FRESHET_CORE_STORE_STORE_IMPL_H_

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "native/core/session_table.h"
#include "native/core/store/key_entry.h"
#include "native/core/store/key_index.h"
#include "native/core/store/key_order.h"
#include "native/core/store/pool_table.h"
#include "native/core/store/reclaimer.h"
#include "native/core/store/segment_list.h"
#include "native/core/store/store.h"
#include "native/core/store/subscriptions.h"
#include "native/core/store/version_queue.h"
#include "native/core/store/version_slots.h"

namespace freshet {

// What a kRefused record holds as its value.
struct RefusedAnswer {
  Version previous_version_of_key;
  uint32_t status;
  uint32_t reserved;
};
static_assert(sizeof(RefusedAnswer) == 16);

// Of the controls that carry the sessions of a volatile shard to a member that is filled. The
// header of one that others follow has as `version` how many entries there are up to its end.
inline constexpr std::string_view kSessionsKey = "sessions";

class Store::Impl final : public Subscriptions::Source {
 public:
  explicit Impl(StoreConfig config);
  ~Impl() override;

  // store_apply.cc
  struct Large {
    SegmentList::Staged staged;
    size_t length = 0;
  };
  Applied apply(const RecordView& record, Epoch epoch, Sequence sequence, Large* large);
  void expect(std::span<const std::byte* const> records);
  bool copies_large(size_t record_length) const;
  MutableBytes reserve_large(uint32_t slot, size_t record_length);
  Applied apply_large(uint32_t slot, Epoch epoch, Sequence sequence, bool copied);
  MappedBlock abandon_large(uint32_t slot);
  Status admission() const;

  // store_history.cc
  void release_up_to(Version version);
  void release_some(size_t count);
  bool has_releasable() const { return !transients_.empty() && transients_.front() <= released_; }

  // store_log.cc
  bool close_batch(Sequence delivered, LogBatch& out);
  bool close_idle(LogBatch& out);
  void on_batch_synced(const LogBatch& batch);
  uint64_t unsynced_bytes() const;
  bool has_room_for(uint64_t segment) const;
  bool bring_back(uint64_t segment, MappedBlock block, size_t used);
  DurableAt synced_end() const { return {synced_.segment, synced_.offset}; }
  Status read_rules(MutableBytes out, size_t& used) const;
  Status read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last,
                  SessionsRead* sessions);
  Status read_piece(LogPosition after, uint64_t from, MutableBytes out, size_t& used);

  // store_restore.cc
  Status restore(const RecordView& record, std::optional<DurableAt> durable);
  MutableBytes reserve_restored(size_t record_length);
  Status restore_reserved();
  void forget_rules();
  Status take_rules(const RecordView& control);
  MutableBytes restore_room(uint32_t segment, size_t file_size, bool stays);
  void end_restore();
  Status replay_until(LogPosition position, Impl& into);

  // store_restore_run.cc
  Status restore_run(std::span<const RecordView> run, DurableAt first, size_t& taken);

  // store_clean.cc
  bool maintain(size_t bytes_max);

  // store_read.cc: any thread inside a guard, or the writer
  Found get(std::string_view key, const ReadPoint& point) const;
  Found get_version(Version version) const;
  Epoch epoch_of(Version version) const;
  std::optional<DurableAt> place_of(Version version) const;
  bool list(std::string_view prefix, std::string_view after, const ReadPoint& point, size_t max,
            std::vector<std::string_view>& keys) const;
  Stats stats() const;
  Subscriptions::VersionFacts facts(Version version) override;

  Version newest_version() const { return newest_.load(std::memory_order_acquire); }
  Micros time_now() const { return newest_time.load(std::memory_order_relaxed); }

  StoreConfig config;
  bool log_failed = false;
  std::atomic<Version> persisted{0};
  std::atomic<Micros> newest_time{0};  // readers may ask; only the writer moves it
  LogPosition last_position;
  uint64_t digest = 0;
  std::deque<Checkpoint> checkpoints;
  Reclaimer reclaimer;  // emptied by ~Impl, while what it frees into is still there
  VersionSlots slots;
  // By audience. Keys remember where they match in the first one alone.
  Subscriptions subscriptions[2] = {Subscriptions(true), Subscriptions(false)};
  Subscriptions& of(Store::Audience audience) {
    return subscriptions[static_cast<size_t>(audience)];
  }

 private:
  struct Located {
    Status status = Status::kNotFound;
    Version version = 0;
    const VersionSlot* slot = nullptr;
    Location location;
  };
  struct EpochStart {
    Version first;  // version given first in the epoch
    Epoch epoch;
  };
  struct LogEnd {
    uint64_t segment = 0;
    uint64_t offset = 0;
    friend auto operator<=>(const LogEnd&, const LogEnd&) = default;
  };
  struct ControlRecord {  // volatile stores keep the newest one of each key beside the segments
    std::string key;
    LogPosition position;
    std::vector<std::byte> bytes;
  };

  // store_apply.cc
  uint64_t hash_of(const RecordView& record);
  Status check(const RecordView& record, const KeyEntry* entry, PoolRules& control) const;
  bool is_left(const KeyEntry* entry, PoolId pool) const;
  Status check_control(const RecordView& record, PoolRules& control) const;
  bool condition_holds(const Condition& condition, const KeyEntry* entry) const;
  Applied refuse(const RecordView& record, const SessionStamp& session, Status status,
                 const KeyEntry* entry, Epoch epoch, Sequence sequence);
  void take_control(const RecordView& record, const PoolRules& rules);
  KeyEntry* make_entry(std::string_view key, uint64_t hash);
  RecordHeader& place(const RecordView& record, Large* large, Location& location);
  void note_epoch(const RecordHeader& header);
  void count_added(Segment& segment, size_t versions, size_t bytes);
  KeyEntry* add_change(const RecordView& sealed, KeyEntry* entry, uint64_t hash, Location location);
  void add_key(KeyEntry* entry, const RecordHeader& header);
  void add_version(const RecordView& sealed, KeyEntry* entry, uint64_t hash, Location location);
  void note_logged(const RecordHeader& header);
  void note_digest(const RecordHeader& header);
  void append_refused(const SessionStamp& session, Status status, const KeyEntry* entry,
                      Epoch epoch, Sequence sequence, ShardId shard);

  // store_history.cc
  uint64_t pruned_by_put(const KeyEntry* entry, const PoolRules& rules) const;
  void keep_history(KeyEntry& entry, uint32_t history);
  void hide(Version version);
  void drop(Version version);
  void hold_transient(Version version);
  Version next_of_key(const KeyEntry& entry, Version version) const;

  // store_log.cc
  Segment& room_for(size_t size);
  size_t tail_reserve(const Segment& segment) const;
  void note_index(Segment& segment, const RecordHeader& header, size_t offset);
  void append_mark(Segment& segment, LogPosition delivered);
  void append_index(Segment& segment);
  void seal_head();
  void seal(Segment& segment);
  uint64_t waiting_for_disk() const;
  void drop_cold_memory();
  bool find_in_memory(LogPosition after, uint32_t& segment, size_t& offset) const;
  const std::byte* next_in_memory(LogPosition after) const;
  const std::byte* next_retained(LogPosition after, Version from) const;
  Status read_log_volatile(LogPosition after, MutableBytes out, size_t& used, LogPosition& last,
                           SessionsRead* sessions);
  bool give_end(const RecordView* end, MutableBytes out, size_t& used, LogPosition& last,
                SessionsRead* sessions) const;
  std::vector<std::byte> sessions_record(size_t& entries, size_t size_max, bool ends) const;

  // store_restore.cc
  Status restore_one(const RecordView& record, const DurableAt* durable);
  Status restore_other(const RecordView& record, const DurableAt* durable);
  Status check_place(const RecordView& record, const DurableAt* durable) const;
  Status check_restored(const RecordView& record, const DurableAt* durable) const;
  Status check_version(const RecordHeader& header) const;
  Status note_restored(const RecordView& record, const DurableAt* durable);
  Status restore_log_only(const RecordView& record, const DurableAt& durable);
  Status restore_sessions(const RecordView& record);
  void take_sessions();
  Status restore_session(const RecordView& record);
  void restore_version(const RecordView& record, Location location);
  void begin_restored(uint32_t segment, size_t payload);
  Location place_restored(const RecordView& record, const DurableAt* durable);
  void end_restored(Segment& segment);

  // store_restore_run.cc
  static constexpr size_t kChangesMax = 32;
  size_t count_changes(std::span<const RecordView> run, DurableAt first) const;
  void look_up(std::span<const RecordView> run, std::span<KeyIndex::Sought> keys) const;
  size_t restore_changes(std::span<const RecordView> run);

  // store_clean.cc
  bool choose_victim();
  size_t clean_some(size_t bytes_max);
  std::byte* survivor_room(size_t size, Location from, Location& to);

  // store_read.cc
  Located locate(const KeyEntry& entry, const ReadPoint& point) const;
  Located locate_by_event_time(Version newest, Micros time) const;
  Found describe(const Located& located) const;
  const std::byte* record_at(Location location) const { return segments_.address(location); }

  bool has_audience() const { return !subscriptions[0].empty() || !subscriptions[1].empty(); }
  bool is_volatile() const { return !config.persistent; }
  void count_live(int64_t bytes) {
    live_bytes_.store(live_bytes_.load(std::memory_order_relaxed) + static_cast<uint64_t>(bytes),
                      std::memory_order_relaxed);
  }

  SegmentList segments_;
  KeyArena arena_;
  KeyIndex index_;
  KeyOrder order_;
  PoolTable pools_;
  SessionTable sessions_;
  std::array<Large, kLargeSlots + 1> large_;  // the last one's is restored
  std::atomic<Version> newest_{0};
  std::atomic<std::vector<EpochStart>*> epochs_{nullptr};

  Segment* head_ = nullptr;
  uint64_t logical_bytes_ = 0;  // of puts and removes within their pool's history: alike everywhere
  std::atomic<uint64_t> keys_{0};
  std::atomic<uint64_t> retained_{0};
  std::atomic<uint64_t> live_bytes_{0};
  std::atomic<uint64_t> copied_{0};
  std::atomic<uint64_t> session_count_{0};

  // Records to come, and the hashes of their keys.
  struct Expected {
    const std::byte* record;
    uint64_t hash;
  };
  std::array<Expected, kExpectedMax> expected_;
  size_t expected_next_ = 0;
  size_t expected_end_ = 0;

  // Records reachable by version only.
  VersionQueue transients_;
  uint64_t transient_bytes_ = 0;
  Version released_ = 0;
  bool has_consumer_ = false;

  // The log.
  uint32_t closing_ = 0;        // the first segment that may have bytes not in a batch
  uint32_t resident_from_ = 0;  // segments before it are cold
  LogEnd synced_;
  LogEnd claimed_;         // by the last mark
  LogEnd records_end_;     // end of the last batch that held records
  LogPosition read_hint_;  // where read_log stopped
  uint32_t read_hint_segment_ = 0;
  size_t read_hint_offset_ = 0;
  LogPosition piece_of_;  // the record that read_piece last read, of a volatile store
  Version piece_version_ = 0;
  std::vector<ControlRecord> controls_;

  // Rebuilding: where the next segment's records are read to, or that they are not kept.
  std::optional<uint32_t> room_of_;
  SegmentList::Staged room_;

  // Rebuilding a volatile store: the pieces of the sessions at a position that are here.
  std::unique_ptr<SessionTable> incoming_;
  LogPosition incoming_position_;

  // The cleaner: of a volatile store, what is sealed and holds more than one record.
  std::vector<Segment*> cleanable_;
  Segment* victim_ = nullptr;
  size_t victim_offset_ = 0;
  Segment* survivor_ = nullptr;
};

inline void Store::Impl::note_digest(const RecordHeader& header) {
  const uint64_t made = (uint64_t{header.header_crc} << 32) | header.payload_crc;
  digest = (digest ^ made) * 0x9E3779B97F4A7C15;
  digest ^= digest >> 29;
  if (takes_version(header.kind) && header.version % kHistoryCheckpointVersions == 0) {
    checkpoints.push_back({{header.epoch, header.sequence}, header.version, digest});
    if (checkpoints.size() > kHistoryCheckpointsMax) checkpoints.pop_front();
  }
}

// The header is final: the record is part of history.
inline void Store::Impl::note_logged(const RecordHeader& header) {
  last_position = {header.epoch, header.sequence};
  note_digest(header);
  if (!config.persistent || head_ == nullptr) return;
  note_index(*head_, header, head_->used - padded(header.length));
}

inline void Store::Impl::note_index(Segment& segment, const RecordHeader& header, size_t offset) {
  const LogPosition position{header.epoch, header.sequence};
  if (segment.first.sequence < 0) segment.first = position;
  segment.last = position;
  if (!segment.index.empty() &&
      offset - size_t{segment.index.back().offset} * kRecordAlignment < kIndexStep)
    return;
  segment.index.push_back(
      {header.sequence, header.epoch, static_cast<uint32_t>(offset / kRecordAlignment)});
}

// A put or remove: its slot, then the key's newest version, then the key in the indexes. An `entry`
// that is null is made.
inline KeyEntry* Store::Impl::add_change(const RecordView& sealed, KeyEntry* entry, uint64_t hash,
                                         Location location) {
  const RecordHeader& header = sealed.header();
  const Version version = header.version;
  const bool is_new = entry == nullptr;
  if (is_new) entry = make_entry(sealed.key(), hash);
  slots.append(version, header.time, entry, entry->newest.load(std::memory_order_relaxed),
               location);
  entry->pool.store(header.pool, std::memory_order_relaxed);
  entry->retained++;
  entry->newest.store(version, std::memory_order_release);
  if (is_new) add_key(entry, header);
  return entry;
}

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_STORE_IMPL_H_
