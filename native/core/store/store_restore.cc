// Rebuilding a store from records that already have their place in history.
#include <algorithm>
#include <cstring>
#include <span>

#include "native/core/check.h"
#include "native/core/store/store_impl.h"
#include "native/core/xxh3.h"

namespace freshet {

Location Store::Impl::place_restored(const RecordView& record, std::optional<DurableAt> durable) {
  Location location;
  if (!durable) {
    (void)place(record, nullptr, location);
    return location;
  }
  const size_t size = record.size();
  const auto id = static_cast<uint32_t>(durable->segment);
  const size_t payload =
      durable->offset - segments_.start() + size + size / kIndexStep * sizeof(IndexEntry) + 1024;
  if (head_ == nullptr || head_->id != id) {
    if (head_ != nullptr) head_->sealed = true;
    FRESHET_CHECK_VALUES(id == segments_.count(), id, segments_.count());
    head_ = &segments_.open(payload);
  }
  FRESHET_CHECK_VALUES(durable->offset == head_->used, durable->offset, head_->used);
  if (head_->used + size > head_->capacity) segments_.enlarge(*head_, payload);
  std::memcpy(head_->memory + head_->used, record.start(), size);
  location = Location(id, head_->used, size, record.header().kind == RecordKind::kRemove);
  head_->used += size;
  head_->closed = head_->synced = head_->used;
  closing_ = id;
  synced_ = {id, head_->used};
  return location;
}

// The sessions of a volatile shard, up to its last record: what is retained does not tell them all.
std::vector<std::byte> Store::Impl::sessions_record() const {
  const std::vector<std::byte> table = sessions_.encode();
  Change change;
  change.kind = RecordKind::kControl;
  change.key = std::as_bytes(std::span(kSessionsKey));
  change.value = table;
  std::vector<std::byte> record(padded(record_length(change)));
  encode_record(change, config.shard, last_position.epoch, record.data());
  auto& header = *reinterpret_cast<RecordHeader*>(record.data());
  header.sequence = last_position.sequence;
  header.time = time_now();
  seal_header(header);
  return record;
}

// Comes behind the last record that is given, at its place or, where that left nothing, after it.
Status Store::Impl::restore_sessions(const RecordView& record) {
  const RecordHeader& header = record.header();
  const LogPosition position{header.epoch, header.sequence};
  if (config.persistent || header.shard != config.shard || position < last_position)
    return Status::kInvalidArgument;
  if (!is_well_formed({record.start(), record.size()}) || !header_crc_matches(header) ||
      !payload_crc_matches(record) || !sessions_.decode(record.value()))
    return Status::kLogCorrupt;
  last_position = position;
  session_count_.store(sessions_.count(), std::memory_order_relaxed);
  return Status::kOk;
}

Status Store::Impl::restore(const RecordView& record, std::optional<DurableAt> durable) {
  FRESHET_CHECK(!durable || config.persistent);
  const RecordHeader& header = record.header();
  if (header.kind == RecordKind::kControl && record.key() == kSessionsKey)
    return restore_sessions(record);
  if (header.kind == RecordKind::kMark || header.kind == RecordKind::kIndex) {
    if (!durable) return Status::kInvalidArgument;
    (void)place_restored(record, durable);
    if (header.kind == RecordKind::kIndex) {
      head_->ending = true;
      // A segment made anew may have been left without a record.
      if (head_->last.sequence < 0) head_->last = {header.epoch, header.sequence};
    } else {
      claimed_ = {header.version, static_cast<uint64_t>(header.time)};
      if (head_->ending) {
        head_->sealed = true;
        head_ = nullptr;
        drop_cold_memory();
      }
    }
    return Status::kOk;
  }

  const bool is_history = takes_version(header.kind) || header.kind == RecordKind::kControl ||
                          header.kind == RecordKind::kRefused;
  if (!is_history || header.shard != config.shard) return Status::kInvalidArgument;
  const LogPosition position{header.epoch, header.sequence};
  if (position <= last_position) return Status::kInvalidArgument;
  if (!durable && (!is_well_formed({record.start(), record.size()}) ||
                   !header_crc_matches(header) || !payload_crc_matches(record)))
    return Status::kLogCorrupt;
  if (takes_version(header.kind)) {
    const Version next = newest_version() + 1;
    if (header.version < next || (config.persistent && header.version != next) ||
        header.time <= time_now())
      return Status::kInvalidArgument;
  }
  PoolRules control;
  if (header.kind == RecordKind::kControl && !is_ok(check_control(record, control)))
    return Status::kInvalidArgument;

  const bool is_kept = config.persistent || header.kind != RecordKind::kRefused;
  const Location location = is_kept ? place_restored(record, durable) : Location();
  note_logged(header);
  if (durable) records_end_ = synced_;
  if (const SessionStamp session = record.session(); session.session != 0) {
    SessionAnswer answer{.version = header.version, .time = header.time, .epoch = header.epoch};
    if (header.kind == RecordKind::kRefused) {
      RefusedAnswer refused;
      if (record.value().size() != sizeof refused) return Status::kInvalidArgument;
      std::memcpy(&refused, record.value().data(), sizeof refused);
      answer.version = refused.previous_version_of_key;
      answer.status = static_cast<Status>(refused.status);
    }
    sessions_.record(session, answer);
    session_count_.store(sessions_.count(), std::memory_order_relaxed);
  }
  if (header.kind == RecordKind::kControl) take_control(record, control);
  if (takes_version(header.kind)) return restore_version(record, location);
  return Status::kOk;
}

Status Store::Impl::restore_version(const RecordView& record, Location location) {
  const RecordHeader& header = record.header();
  const Version next = newest_version() + 1;
  if (header.version > next) slots.skip(next, header.version - 1, header.time);
  const uint64_t hash = xxh3_64(record.key());
  KeyEntry* entry = header.kind == RecordKind::kTrigger ? nullptr : index_.find(record.key(), hash);
  add_version(record, entry, hash, location);
  return Status::kOk;
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
