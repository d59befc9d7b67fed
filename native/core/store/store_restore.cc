// Rebuilding a store from records that already have their place in history.
#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "native/core/check.h"
#include "native/core/store/store_impl.h"
#include "native/core/xxh3.h"

namespace freshet {

Location Store::Impl::place_restored(const RecordView& record, const DurableAt* durable) {
  if (durable == nullptr) {
    Location location;
    (void)place(record, nullptr, location);
    return location;
  }
  const size_t size = record.size();
  const auto id = static_cast<uint32_t>(durable->segment);
  const auto payload = [&] {
    return durable->offset - segments_.start() + size + size / kIndexStep * sizeof(IndexEntry) +
           1024;
  };
  if (head_ == nullptr || head_->id != id) begin_restored(id, payload());
  FRESHET_CHECK_VALUES(durable->offset == head_->used, durable->offset, head_->used);
  if (head_->memory != nullptr) {
    if (head_->used + size > head_->capacity) segments_.enlarge(*head_, payload());
    std::byte* to = head_->memory + head_->used;
    if (to != record.start()) std::memcpy(to, record.start(), size);
  }
  const Location location(id, head_->used, size, record.header().kind == RecordKind::kRemove);
  head_->used += size;
  end_restored(*head_);
  return location;
}

// Up to where it is used a segment is on disk.
void Store::Impl::end_restored(Segment& segment) {
  segment.closed = segment.synced = segment.used;
  closing_ = segment.id;
  synced_ = {segment.id, segment.used};
}

void Store::Impl::begin_restored(uint32_t segment, size_t payload) {
  FRESHET_CHECK_VALUES(segment == segments_.count(), segment, segments_.count());
  if (head_ != nullptr) seal(*head_);
  if (room_of_ == segment) {
    head_ = &segments_.adopt(room_);
    room_ = {};
    room_of_.reset();
  } else {
    head_ = &segments_.open(payload);
  }
}

MutableBytes Store::Impl::restore_room(uint32_t segment, size_t file_size, bool stays) {
  FRESHET_CHECK(config.persistent);
  if (head_ != nullptr && head_->id == segment) {
    FRESHET_CHECK(stays && head_->memory == nullptr);
    segments_.bring_back(*head_, MappedBlock(head_->capacity, PageUse::kHuge));
    return {head_->memory, head_->capacity};
  }
  end_restore();
  // What is written behind it later takes its marks and its index too.
  const size_t payload = file_size <= config.segment_size
                             ? 0
                             : file_size + file_size / kIndexStep * sizeof(IndexEntry) + 1024;
  room_ = stays ? segments_.stage(payload) : segments_.stage_cold(payload);
  room_of_ = segment;
  return stays ? MutableBytes{room_.memory, room_.capacity} : MutableBytes{};
}

void Store::Impl::end_restore() {
  segments_.discard(room_);
  room_ = {};
  room_of_.reset();
}

// The last piece comes behind the last record that is given, at its place or, where that left
// nothing, after it; those before it change nothing yet.
Status Store::Impl::restore_sessions(const RecordView& record) {
  const RecordHeader& header = record.header();
  const LogPosition position{header.epoch, header.sequence};
  if (config.persistent || header.shard != config.shard || position < last_position)
    return Status::kInvalidArgument;
  if (!is_well_formed({record.start(), record.size()}) || !header_crc_matches(header) ||
      !payload_crc_matches(record))
    return Status::kLogCorrupt;
  if (SessionTable::begins(record.value())) {
    incoming_ = std::make_unique<SessionTable>();
    incoming_position_ = position;
  }
  if (incoming_ == nullptr || incoming_position_ != position) return Status::kInvalidArgument;
  if (!incoming_->add(record.value())) {
    incoming_.reset();
    return Status::kLogCorrupt;
  }
  if (header.version != 0) return Status::kOk;
  take_sessions();
  last_position = position;
  return Status::kOk;
}

void Store::Impl::take_sessions() {
  sessions_.take(std::move(*incoming_));
  incoming_.reset();
  session_count_.store(sessions_.count(), std::memory_order_relaxed);
}

Status Store::Impl::restore(const RecordView& record, std::optional<DurableAt> durable) {
  return restore_one(record, durable ? &*durable : nullptr);
}

Status Store::Impl::restore_one(const RecordView& record, const DurableAt* durable) {
  const RecordHeader& header = record.header();
  if (!takes_version(header.kind)) return restore_other(record, durable);
  Status checked = check_restored(record, durable);
  if (is_ok(checked)) checked = check_version(header);
  if (!is_ok(checked)) return checked;
  const Location location = place_restored(record, durable);
  const Status status = note_restored(record, durable);
  if (is_ok(status)) restore_version(record, location);
  return status;
}

// Behind the newest version, and later?
Status Store::Impl::check_version(const RecordHeader& header) const {
  const Version next = newest_version() + 1;
  const bool follows = config.persistent ? header.version == next : header.version >= next;
  return follows && header.time > time_now() ? Status::kOk : Status::kInvalidArgument;
}

MutableBytes Store::Impl::reserve_restored(size_t record_length) {
  segments_.discard(std::exchange(large_.back(), {}).staged);
  return reserve_large(kLargeSlots, record_length);
}

Status Store::Impl::restore_reserved() {
  Large& large = large_.back();
  FRESHET_CHECK(large.staged.memory != nullptr);
  const RecordView record(large.staged.memory + segments_.start());
  const RecordHeader& header = record.header();
  const bool is_whole =
      header.length == large.length && is_well_formed(header) && header_crc_matches(header);
  Status status = is_whole ? check_place(record, nullptr) : Status::kLogCorrupt;
  if (is_ok(status)) status = check_version(header);
  if (is_ok(status) && !takes_version(header.kind)) status = Status::kInvalidArgument;
  if (is_ok(status)) {
    Location location;
    (void)place(record, &large, location);
    status = note_restored(record, nullptr);
    if (is_ok(status)) restore_version(RecordView(record_at(location)), location);
    // All pieces of the sessions came before it, if it was the last record.
    if (is_ok(status) && incoming_ != nullptr && incoming_position_ == last_position)
      take_sessions();
  }
  (void)abandon_large(kLargeSlots);
  return status;
}

// Of a record that takes no version.
Status Store::Impl::restore_other(const RecordView& record, const DurableAt* durable) {
  const RecordHeader& header = record.header();
  if (header.kind == RecordKind::kControl && record.key() == kSessionsKey)
    return restore_sessions(record);
  if (is_log_only(header.kind))
    return durable == nullptr ? Status::kInvalidArgument : restore_log_only(record, *durable);
  if (header.kind != RecordKind::kControl && header.kind != RecordKind::kRefused)
    return Status::kInvalidArgument;
  if (const Status status = check_restored(record, durable); !is_ok(status)) return status;
  PoolRules control;
  if (header.kind == RecordKind::kControl && !is_ok(check_control(record, control)))
    return Status::kInvalidArgument;
  if (config.persistent || header.kind != RecordKind::kRefused)
    (void)place_restored(record, durable);
  const Status status = note_restored(record, durable);
  if (is_ok(status) && header.kind == RecordKind::kControl) take_control(record, control);
  return status;
}

void Store::Impl::forget_rules() {
  std::erase_if(controls_, [this](const ControlRecord& control) {
    PoolRules rules;
    const bool is_pool = is_ok(PoolTable::check(RecordView(control.bytes.data()), rules));
    if (is_pool) pools_.forget(rules.pool);
    return is_pool;
  });
}

// It was delivered at another member, in no order with what was here.
Status Store::Impl::take_rules(const RecordView& control) {
  const RecordHeader& header = control.header();
  if (config.persistent || header.shard != config.shard || header.kind != RecordKind::kControl)
    return Status::kInvalidArgument;
  if (!header_crc_matches(header) || !payload_crc_matches(control)) return Status::kLogCorrupt;
  PoolRules rules;
  if (const Status status = PoolTable::check(control, rules); !is_ok(status)) return status;
  take_control(control, rules);
  return Status::kOk;
}

// Does it belong here, behind the last one?
Status Store::Impl::check_place(const RecordView& record, const DurableAt* durable) const {
  FRESHET_CHECK(durable == nullptr || config.persistent);
  const RecordHeader& header = record.header();
  if (durable != nullptr && durable->offset >= kRecordOffsetEnd) return Status::kLogCorrupt;
  if (header.shard != config.shard || LogPosition{header.epoch, header.sequence} <= last_position)
    return Status::kInvalidArgument;
  return Status::kOk;
}

// What comes from a file was checked there.
Status Store::Impl::check_restored(const RecordView& record, const DurableAt* durable) const {
  if (const Status status = check_place(record, durable); !is_ok(status)) return status;
  const RecordHeader& header = record.header();
  if (durable == nullptr && (!is_well_formed({record.start(), record.size()}) ||
                             !header_crc_matches(header) || !payload_crc_matches(record)))
    return Status::kLogCorrupt;
  return Status::kOk;
}

// It has its place in the log: what else it says but its change.
Status Store::Impl::note_restored(const RecordView& record, const DurableAt* durable) {
  note_logged(record.header());
  if (durable != nullptr) records_end_ = {durable->segment, durable->offset + record.size()};
  return record.header().flags & kHasSession ? restore_session(record) : Status::kOk;
}

Status Store::Impl::restore_log_only(const RecordView& record, const DurableAt& durable) {
  const RecordHeader& header = record.header();
  (void)place_restored(record, &durable);
  if (header.kind == RecordKind::kIndex) {
    head_->ending = true;
    // A segment made anew may have been left without a record.
    if (head_->last.sequence < 0) head_->last = {header.epoch, header.sequence};
    return Status::kOk;
  }
  claimed_ = {header.version, static_cast<uint64_t>(header.time)};
  if (head_->ending) {
    head_->sealed = true;
    head_ = nullptr;
    drop_cold_memory();
  }
  return Status::kOk;
}

Status Store::Impl::restore_session(const RecordView& record) {
  const RecordHeader& header = record.header();
  const SessionStamp session = record.session();
  if (session.session == 0) return Status::kOk;
  SessionAnswer answer{.version = header.version, .time = header.time, .epoch = header.epoch};
  if (header.kind == RecordKind::kRefused) {
    RefusedAnswer refused;
    if (record.value().size() != sizeof refused) return Status::kInvalidArgument;
    std::memcpy(&refused, record.value().data(), sizeof refused);
    answer.version = refused.previous_version_of_key;
    answer.status = static_cast<Status>(refused.status);
  }
  // A volatile donor forgot a session that another change with its id is retained from.
  SessionAnswer known;
  if (config.persistent || sessions_.look_up(session, known) == SessionTable::Seen::kNew)
    sessions_.record(session, answer);
  session_count_.store(sessions_.count(), std::memory_order_relaxed);
  return Status::kOk;
}

void Store::Impl::restore_version(const RecordView& record, Location location) {
  const RecordHeader& header = record.header();
  const Version next = newest_version() + 1;
  if (header.version > next) {
    slots.skip(next, header.version - 1, header.time);
    for (Subscriptions& audience : subscriptions) audience.on_skipped(next - 1);
  }
  const uint64_t hash = xxh3_64(record.key());
  KeyEntry* entry = header.kind == RecordKind::kTrigger ? nullptr : index_.find(record.key(), hash);
  add_version(record, entry, hash, location);
}

// Gives `into` everything up to `position`. It is on disk, where it stays.
Status Store::Impl::replay_until(LogPosition position, Impl& into) {
  for (uint32_t id = 0; id < segments_.count(); id++) {
    const Segment& segment = segments_.at(id);
    if (segment.memory == nullptr) return Status::kCold;
    if (segment.synced != segment.used) return Status::kInvalidArgument;
    for (size_t offset = segments_.start(); offset < segment.used;) {
      const RecordView record(segment.memory + offset);
      if (LogPosition{record.header().epoch, record.header().sequence} > position)
        return Status::kOk;
      const Status status = into.restore(record, DurableAt{id, offset});
      if (!is_ok(status)) return status;
      offset += record.size();
    }
  }
  return Status::kOk;
}

}  // namespace freshet
