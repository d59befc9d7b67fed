// Taking a record into the order: what is refused, what it changes, where it lies.
#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "native/core/canary.h"
#include "native/core/check.h"
#include "native/core/ring_record.h"
#include "native/core/store/store_impl.h"
#include "native/core/work_meter.h"
#include "native/core/xxh3.h"

namespace freshet {
namespace {

constexpr std::string_view kFloorKey = "floor";
// In the year 2112: times grow from a floor on, and have to stay safe integers.
constexpr Micros kFloorMax = kTimeMax / 2;

// Is the refusal the same at every try, so that a session may keep it as its answer?
// Room may come, and a pool may be made before the retry.
bool is_final(Status status) {
  return status != Status::kOverloaded && status != Status::kUnknownPool;
}

}  // namespace

Store::Impl::Impl(StoreConfig given)
    : config(given),
      slots(reclaimer, !given.persistent),
      segments_(reclaimer, given.segment_size, given.persistent ? kDiskHeaderSize : 0,
                given.memory_max),
      index_(reclaimer),
      transients_(kTransientsMax) {
  FRESHET_CHECK(config.segment_size >= 4 * kDiskHeaderSize);
  synced_ = claimed_ = records_end_ = {0, config.persistent ? kDiskHeaderSize : 0};
  epochs_.store(new std::vector<EpochStart>, std::memory_order_release);
}

Store::Impl::~Impl() {
  for (Large& large : large_) segments_.discard(large.staged);
  segments_.discard(room_);
  delete epochs_.load(std::memory_order_relaxed);
  reclaimer.collect_all();
}

Status Store::Impl::admission() const {
  if (log_failed) return Status::kDiskFailed;
  if (is_volatile()) {
    const size_t segment =
        std::max(config.segment_size, std::min(kSegmentSize, config.memory_max / 4));
    const uint64_t limit = config.memory_max + 2 * segment;
    return segments_.resident_bytes() > limit ? Status::kOverloaded : Status::kOk;
  }
  return waiting_for_disk() > config.memory_max ? Status::kOverloaded : Status::kOk;
}

bool Store::Impl::copies_large(size_t record_length) const {
  const size_t alone = std::max(kAloneSizeMin, config.memory_max / kAloneRecordsMax);
  return is_volatile() ? padded(record_length) < alone : padded(record_length) <= kLargeCopyMax;
}

MutableBytes Store::Impl::reserve_large(uint32_t slot, size_t record_length) {
  FRESHET_CHECK_VALUES(slot < large_.size() && record_length <= kRecordSizeMax, slot,
                       record_length);
  Large& large = large_[slot];
  FRESHET_CHECK(large.staged.memory == nullptr);
  const size_t size = padded(record_length);
  // Room for the marks and the index that end a segment.
  const size_t ends = size / kIndexStep * sizeof(IndexEntry) + 1024;
  // In a volatile store no more than it takes: what is behind it would count, and be of no use.
  const bool apart = copies_large(record_length) || is_volatile();
  large.staged = apart ? segments_.stage_apart(size) : segments_.stage(size + ends);
  large.length = record_length;
  return {large.staged.memory + segments_.start(), size};
}

Applied Store::Impl::apply_large(uint32_t slot, Epoch epoch, Sequence sequence, bool copied) {
  Large& large = large_[slot];
  FRESHET_CHECK(large.staged.memory != nullptr);
  const RecordView record(large.staged.memory + segments_.start());
  FRESHET_CHECK_VALUES(record.header().length == large.length, record.header().length,
                       large.length);
  const Applied applied = apply(record, epoch, sequence, copied ? nullptr : &large);
  if (copied) return applied;
  segments_.discard(large.staged);
  large = {};
  return applied;
}

MappedBlock Store::Impl::abandon_large(uint32_t slot) {
  return segments_.give_out(std::exchange(large_[slot], {}).staged);
}

// Three rounds, as each needs what the one before fetches: where the keys' look-ups begin, what the
// keys have, and their versions that apply() changes.
void Store::Impl::expect(std::span<const std::byte* const> records) {
  FRESHET_CHECK_VALUES(records.size() <= expected_.size(), records.size(), expected_.size());
  expected_next_ = expected_end_ = 0;
  for (const std::byte* start : records) {
    if (start == nullptr || !is_change(RecordView(start).header().kind)) continue;
    const uint64_t hash = xxh3_64(RecordView(start).key());
    index_.fetch_cell(hash);
    expected_[expected_end_++] = {start, hash};
  }
  const auto expected = std::span(expected_).first(expected_end_);
  for (const Expected& one : expected) index_.fetch_entry(one.hash);
  for (const Expected& one : expected) {
    const KeyEntry* entry = index_.likely(one.hash);
    if (entry == nullptr) continue;
    slots.fetch(entry->newest.load(std::memory_order_relaxed));
    if (is_volatile()) slots.fetch(entry->oldest);
  }
}

// Of what is refused before its key is looked for nobody asks.
uint64_t Store::Impl::hash_of(const RecordView& record) {
  for (size_t i = expected_next_; i < expected_end_; i++) {
    if (expected_[i].record != record.start()) continue;
    expected_next_ = i + 1;
    return expected_[i].hash;
  }
  return xxh3_64(record.key());
}

Applied Store::Impl::apply(const RecordView& record, Epoch epoch, Sequence sequence, Large* large) {
  const RecordHeader& incoming = record.header();
  FRESHET_CHECK_VALUES((LogPosition{epoch, sequence} > last_position), epoch, sequence);
  incoming_.reset();  // nobody fills it any more

  const SessionStamp session =
      breaks(CoreCanary::kForgetSessions) ? SessionStamp{} : record.session();
  if (session.session != 0) {
    SessionAnswer answer;
    const auto seen = sessions_.look_up(session, answer);
    if (seen == SessionTable::Seen::kExpired) return {.status = Status::kSessionExpired};
    if (seen == SessionTable::Seen::kRepeat) {
      const bool accepted = answer.status == Status::kOk;
      return {.status = answer.status,
              .version = accepted ? answer.version : 0,
              .time = answer.time,
              .previous_version_of_key = accepted ? 0 : answer.version,
              .epoch = answer.epoch};
    }
  }

  const uint64_t hash = hash_of(record);
  KeyEntry* entry =
      incoming.kind == RecordKind::kControl ? nullptr : index_.find(record.key(), hash);
  PoolRules control;
  const Status status = check(record, entry, control);
  if (!is_ok(status)) return refuse(record, session, status, entry, epoch, sequence);

  Applied applied;
  applied.epoch = epoch;
  if (entry != nullptr)
    applied.previous_version_of_key = entry->newest.load(std::memory_order_relaxed);
  if (takes_version(incoming.kind)) {
    applied.version = newest_.load(std::memory_order_relaxed) + 1;
    const Micros least = breaks(CoreCanary::kOneTime) ? time_now() : time_now() + 1;
    applied.time = std::max(least, incoming.time);
  } else {
    applied.time = time_now();
  }

  Location location;
  RecordHeader& header = place(record, large, location);
  header.epoch = epoch;
  header.sequence = sequence;
  header.version = applied.version;
  header.time = applied.time;
  seal_header(header);
  const RecordView sealed(reinterpret_cast<const std::byte*>(&header));
  note_logged(header);
  if (session.session != 0) {
    sessions_.record(session, {.version = applied.version, .time = applied.time, .epoch = epoch});
    session_count_.store(sessions_.count(), std::memory_order_relaxed);
  }
  if (header.kind == RecordKind::kControl) {
    take_control(sealed, control);
  } else {
    add_version(sealed, entry, hash, location);
  }
  return applied;
}

Status Store::Impl::check(const RecordView& record, const KeyEntry* entry,
                          PoolRules& control) const {
  const RecordHeader& header = record.header();
  if (header.kind == RecordKind::kControl) return check_control(record, control);
  if (!takes_version(header.kind)) return Status::kInvalidArgument;
  const PoolRules* rules = pools_.find(header.pool);
  const bool removes = header.kind == RecordKind::kRemove;
  if (rules == nullptr && !(removes && is_left(entry, header.pool))) return Status::kUnknownPool;
  if (header.key_length == 0) return Status::kInvalidKey;
  if (header.key_length > kKeySizeMax) return Status::kKeyTooLong;
  const size_t value_size = record.value().size();
  if (removes && value_size > 0) return Status::kInvalidArgument;
  if (rules != nullptr) {
    if (value_size > rules->value_size_max || value_size > kValueSizeMax)
      return Status::kValueTooLarge;
    if (rules->trigger_only != 0 && header.kind != RecordKind::kTrigger)
      return Status::kInvalidArgument;
  }
  if ((header.flags & kHasCondition) && !condition_holds(record.condition(), entry))
    return Status::kConditionFailed;
  if (is_volatile() && header.kind == RecordKind::kPut) {
    const uint64_t bytes_max = config.memory_max / 4 * 3;
    if (record.size() > bytes_max) return Status::kValueTooLarge;
    const uint64_t kept = logical_bytes_ + record.size();
    if (kept > bytes_max && kept - pruned_by_put(entry, *rules) > bytes_max)
      return Status::kOverloaded;
  }
  return Status::kOk;
}

// Is it there, and of that pool? So it may go, though there is no such pool any more.
bool Store::Impl::is_left(const KeyEntry* entry, PoolId pool) const {
  if (entry == nullptr || entry->pool.load(std::memory_order_relaxed) != pool) return false;
  return !slots.read(*slots.find(entry->newest.load(std::memory_order_relaxed))).removed();
}

Status Store::Impl::check_control(const RecordView& record, PoolRules& control) const {
  if (record.key() == kFloorKey) {
    Micros floor = -1;
    if (record.value().size() == sizeof floor)
      std::memcpy(&floor, record.value().data(), sizeof floor);
    return floor >= 0 && floor <= kFloorMax ? Status::kOk : Status::kInvalidArgument;
  }
  return PoolTable::check(record, control);
}

bool Store::Impl::condition_holds(const Condition& condition, const KeyEntry* entry) const {
  const Version newest = newest_.load(std::memory_order_relaxed);
  const Version of_key = entry == nullptr ? 0 : entry->newest.load(std::memory_order_relaxed);
  if (condition.version != Condition::kAny && condition.version != newest) return false;
  bool names_key_version = false;
  if (condition.version_of_key == 0) {
    if (of_key != 0 && !slots.read(*slots.find(of_key)).removed()) return false;
  } else if (condition.version_of_key != Condition::kAny) {
    if (condition.version_of_key != of_key) return false;
    names_key_version = true;
  }
  if (condition.epoch == Condition::kAny) return true;
  return epoch_of(names_key_version ? of_key : newest) == condition.epoch;
}

Applied Store::Impl::refuse(const RecordView& record, const SessionStamp& session, Status status,
                            const KeyEntry* entry, Epoch epoch, Sequence sequence) {
  Applied applied;
  applied.status = status;
  applied.epoch = epoch;
  applied.time = time_now();
  if (status == Status::kConditionFailed && entry != nullptr)
    applied.previous_version_of_key = entry->newest.load(std::memory_order_relaxed);
  if (session.session == 0 || !is_final(status)) return applied;

  append_refused(session, status, entry, epoch, sequence, record.header().shard);
  sessions_.record(session, {.version = applied.previous_version_of_key,
                             .time = applied.time,
                             .epoch = epoch,
                             .status = status});
  session_count_.store(sessions_.count(), std::memory_order_relaxed);
  return applied;
}

void Store::Impl::append_refused(const SessionStamp& session, Status status, const KeyEntry* entry,
                                 Epoch epoch, Sequence sequence, ShardId shard) {
  RefusedAnswer answer{};
  answer.status = static_cast<uint32_t>(status);
  if (status == Status::kConditionFailed && entry != nullptr)
    answer.previous_version_of_key = entry->newest.load(std::memory_order_relaxed);
  Change change;
  change.kind = RecordKind::kRefused;
  change.session = session;
  change.stamp = time_now();
  change.value = std::as_bytes(std::span(&answer, 1));
  alignas(8) std::byte record[192] = {};
  static_assert(sizeof record >= sizeof(RecordHeader) + sizeof(SessionStamp) + sizeof answer);
  encode_record(change, shard, epoch, record);
  auto& header = *reinterpret_cast<RecordHeader*>(record);
  header.sequence = sequence;
  seal_header(header);
  if (config.persistent) {
    Location location;
    (void)place(RecordView(record), nullptr, location);
  }
  note_logged(header);
}

void Store::Impl::take_control(const RecordView& record, const PoolRules& rules) {
  if (record.key() == kFloorKey) {
    Micros floor;
    std::memcpy(&floor, record.value().data(), sizeof floor);
    newest_time.store(std::max(time_now(), floor), std::memory_order_relaxed);
  } else if (rules.closed == 0 || !breaks(CoreCanary::kOpenPools)) {
    if (!pools_.set(rules)) return;
  }
  if (config.persistent) return;
  const RecordHeader& header = record.header();
  ControlRecord kept{std::string(record.key()), {header.epoch, header.sequence}, {}};
  kept.bytes.assign(record.start(), record.start() + record.size());
  std::erase_if(controls_, [&](const ControlRecord& other) { return other.key == kept.key; });
  controls_.push_back(std::move(kept));
}

// Copies `record` into the log, or takes the memory it lies in for a segment. The header is the
// caller's to finish; controls of a volatile store are kept beside the segments, but pass through
// them like the others.
RecordHeader& Store::Impl::place(const RecordView& record, Large* large, Location& location) {
  const RecordHeader& incoming = record.header();
  const size_t size = record.size();
  const bool removed = incoming.kind == RecordKind::kRemove;
  Segment* segment = nullptr;
  if (large == nullptr || copies_large(incoming.length)) {
    segment = &room_for(size);
    copy_metered(segment->memory + segment->used, record.start(), incoming.length);
  } else {
    if (config.persistent) seal_head();
    segment = &segments_.adopt(std::exchange(large->staged, {}));
    // A log goes on behind it. In memory the others go on where they were, and nothing is cleaned
    // away from what ends as a whole.
    if (config.persistent) head_ = segment;
    segment->sealed = segment->alone = is_volatile();
  }
  // Memory that was used before is not zero.
  std::memset(segment->memory + segment->used + incoming.length, 0, size - incoming.length);
  location = Location(segment->id, segment->used, size, removed);
  auto* header = reinterpret_cast<RecordHeader*>(segment->memory + segment->used);
  segment->used += size;
  return *header;
}

KeyEntry* Store::Impl::make_entry(std::string_view key, uint64_t hash) {
  const uint8_t height = KeyOrder::height_of(hash);
  const size_t size =
      sizeof(KeyEntry) + (height - size_t{1}) * sizeof(std::atomic<KeyEntry*>) + key.size();
  auto* entry = new (arena_.take(size)) KeyEntry{};
  entry->hash = hash;
  entry->height = height;
  entry->key_length = static_cast<uint16_t>(key.size());
  std::memcpy(const_cast<char*>(entry->key().data()), key.data(), key.size());
  return entry;
}

void Store::Impl::note_epoch(const RecordHeader& header) {
  const auto* epochs = epochs_.load(std::memory_order_relaxed);
  if (!epochs->empty() && epochs->back().epoch == header.epoch) return;
  auto* longer = new std::vector<EpochStart>(*epochs);
  longer->push_back({header.version, header.epoch});
  auto* old = epochs_.exchange(longer, std::memory_order_acq_rel);
  reclaimer.retire([](void*, void* o) { delete static_cast<std::vector<EpochStart>*>(o); }, nullptr,
                   old);
}

// Of records that take a version.
void Store::Impl::count_added(Segment& segment, size_t versions, size_t bytes) {
  segment.live += bytes;
  count_live(static_cast<int64_t>(bytes));
  retained_.store(retained_.load(std::memory_order_relaxed) + versions, std::memory_order_relaxed);
}

// The key's first version comes behind its slot, and before the key in the indexes.
void Store::Impl::add_key(KeyEntry* entry, const RecordHeader& header) {
  entry->first = entry->oldest = header.version;
  entry->first_time = header.time;
  index_.insert(entry);
  order_.insert(entry);
  keys_.store(keys_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// `sealed` lies in its segment. The order of the stores below is what readers rely on: all that
// leads to the version before the shard's newest version.
void Store::Impl::add_version(const RecordView& sealed, KeyEntry* entry, uint64_t hash,
                              Location location) {
  const RecordHeader& header = sealed.header();
  const Version version = header.version;
  newest_time.store(header.time, std::memory_order_relaxed);
  note_epoch(header);
  count_added(segments_.at(location.segment()), 1, location.size());
  if (header.kind == RecordKind::kTrigger) {
    entry = nullptr;
    slots.append(version, header.time, entry, 0, location);
    hold_transient(version);
  } else {
    logical_bytes_ += location.size();
    entry = add_change(sealed, entry, hash, location);
    if (is_volatile()) {
      const PoolRules* rules = pools_.known(header.pool);
      uint32_t history = rules == nullptr ? 0 : rules->history;
      // When memory is short, a remove frees the key's past too.
      if (header.kind == RecordKind::kRemove && logical_bytes_ > config.memory_max / 2) history = 1;
      if (history != 0) keep_history(*entry, history);
    }
  }
  newest_.store(version, std::memory_order_release);
  for (Subscriptions& audience : subscriptions)
    if (!audience.empty())
      audience.on_applied(sealed.key(), entry, version, header.epoch, header.time);
  release_some(4);
}

}  // namespace freshet
