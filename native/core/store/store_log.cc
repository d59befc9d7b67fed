// The segments as a log: batches with their marks, sealing, what leaves memory, reading it in
// order.
#include <algorithm>
#include <cstring>
#include <utility>

#include "native/core/check.h"
#include "native/core/store/store_impl.h"
#include "native/core/work_meter.h"

namespace freshet {
namespace {

constexpr size_t kMarkSize = sizeof(RecordHeader);
constexpr size_t kSessionsHead = sizeof(RecordHeader) + kSessionsKey.size();
static_assert(kSessionsHead + SessionTable::kPieceMin <= kSessionsSizeMin);
static_assert(kSessionsSizeMin + SessionTable::kEntryMax <= kCopySlice, "one fits a slice");

size_t index_size(size_t entries) {
  return padded(sizeof(RecordHeader) + entries * sizeof(IndexEntry));
}

}  // namespace

// A segment ends with the mark of an open batch, its index, and a last mark.
size_t Store::Impl::tail_reserve(const Segment& segment) const {
  if (is_volatile()) return 0;
  return 2 * kMarkSize + index_size(segment.capacity / kIndexStep + 2);
}

Segment& Store::Impl::room_for(size_t size) {
  if (head_ != nullptr && head_->used < kRecordOffsetEnd &&
      head_->used + size + tail_reserve(*head_) <= head_->capacity)
    return *head_;
  seal_head();
  head_ = &segments_.open(size + size / kIndexStep * sizeof(IndexEntry) + 1024);
  return *head_;
}

void Store::Impl::append_mark(Segment& segment, LogPosition delivered) {
  RecordHeader mark{};
  mark.length = kMarkSize;
  mark.kind = RecordKind::kMark;
  mark.shard = config.shard;
  mark.pool = segment.id;
  mark.epoch = delivered.epoch;
  mark.sequence = delivered.sequence;
  mark.version = synced_.segment;
  mark.time = static_cast<Micros>(synced_.offset);
  mark.event_time = static_cast<Micros>(segment.used);
  seal_header(mark);
  FRESHET_CHECK(segment.used + kMarkSize <= segment.capacity);
  std::memcpy(segment.memory + segment.used, &mark, sizeof mark);
  segment.used += kMarkSize;
  claimed_ = synced_;
}

void Store::Impl::append_index(Segment& segment) {
  const Bytes entries = std::as_bytes(std::span(segment.index));
  Change change;
  change.kind = RecordKind::kIndex;
  change.value = entries;
  const size_t size = padded(record_length(change));
  FRESHET_CHECK(segment.used + size + kMarkSize <= segment.capacity);
  std::byte* at = segment.memory + segment.used;
  encode_record(change, config.shard, segment.last.epoch, at);
  auto& header = *reinterpret_cast<RecordHeader*>(at);
  header.sequence = segment.last.sequence;
  header.pool = segment.id;
  seal_header(header);
  segment.used += size;
  segment.ending = true;
}

void Store::Impl::seal_head() {
  if (head_ == nullptr) return;
  if (config.persistent) {
    append_index(*head_);
    append_mark(*head_, head_->last);
  }
  seal(*head_);
  head_ = nullptr;
}

void Store::Impl::seal(Segment& segment) {
  segment.sealed = true;
  if (is_volatile()) cleanable_.push_back(&segment);
}

bool Store::Impl::close_batch(Sequence delivered, LogBatch& out) {
  if (is_volatile()) return false;
  for (; closing_ < segments_.count(); closing_++) {
    Segment& segment = segments_.at(closing_);
    if (segment.closed == segment.used) {
      if (segment.sealed) continue;
      return false;
    }
    out.shard = config.shard;
    out.segment = segment.id;
    out.offset = segment.closed;
    out.seals_segment = segment.sealed;
    if (segment.sealed) {
      out.epoch = segment.last.epoch;
      out.last_sequence = segment.last.sequence;
    } else {
      out.epoch = last_position.epoch;
      out.last_sequence = std::max(delivered, last_position.sequence);
      append_mark(segment, {out.epoch, out.last_sequence});
    }
    out.bytes = {segment.memory + segment.closed, segment.used - segment.closed};
    segment.closed = segment.used;
    records_end_ = {segment.id, segment.used};
    return true;
  }
  return false;
}

bool Store::Impl::close_idle(LogBatch& out) {
  if (is_volatile() || head_ == nullptr || closing_ != head_->id) return false;
  if (head_->closed != head_->used || synced_ < records_end_ || claimed_ >= records_end_)
    return false;
  if (head_->used + kMarkSize + tail_reserve(*head_) > head_->capacity) return false;
  out.shard = config.shard;
  out.segment = head_->id;
  out.offset = head_->closed;
  out.seals_segment = false;
  out.epoch = last_position.epoch;
  out.last_sequence = last_position.sequence;
  append_mark(*head_, last_position);
  out.bytes = {head_->memory + head_->closed, head_->used - head_->closed};
  head_->closed = head_->used;
  return true;
}

void Store::Impl::on_batch_synced(const LogBatch& batch) {
  FRESHET_CHECK(segments_.has(static_cast<uint32_t>(batch.segment)));
  Segment& segment = segments_.at(static_cast<uint32_t>(batch.segment));
  const size_t end = batch.offset + batch.bytes.size();
  FRESHET_CHECK_VALUES(end <= segment.closed, end, segment.closed);
  segment.synced = std::max(segment.synced, end);
  synced_ = std::max(synced_, LogEnd{batch.segment, end});
  drop_cold_memory();
}

// Bytes of segments before the last one that are not all on disk: they cannot leave memory.
uint64_t Store::Impl::waiting_for_disk() const {
  uint64_t bytes = 0;
  if (head_ == nullptr) return bytes;
  for (auto id = static_cast<uint32_t>(synced_.segment); id < head_->id; id++)
    bytes += segments_.at(id).capacity;
  return bytes;
}

uint64_t Store::Impl::unsynced_bytes() const {
  uint64_t bytes = 0;
  for (auto id = static_cast<uint32_t>(synced_.segment); id < segments_.count(); id++)
    bytes += segments_.at(id).used - segments_.at(id).synced;
  return bytes;
}

void Store::Impl::drop_cold_memory() {
  while (segments_.staying_bytes() > config.memory_max && resident_from_ < segments_.count()) {
    Segment& segment = segments_.at(resident_from_);
    if (!segment.sealed || segment.synced < segment.used) return;
    if (segment.memory != nullptr) segments_.drop_memory(segment);
    resident_from_++;
    reclaimer.collect();
  }
}

bool Store::Impl::has_room_for(uint64_t number) const {
  if (is_volatile() || number >= segments_.count()) return false;
  const Segment& segment = segments_.at(static_cast<uint32_t>(number));
  return segment.memory == nullptr && segment.sealed &&
         segments_.resident_bytes() + segment.capacity <= config.memory_max;
}

bool Store::Impl::bring_back(uint64_t number, MappedBlock block, size_t used) {
  if (!has_room_for(number)) return false;
  Segment& segment = segments_.at(static_cast<uint32_t>(number));
  if (used != segment.used || block.size() < used) return false;
  segments_.bring_back(segment, std::move(block));
  // The oldest go first when memory runs short.
  resident_from_ = std::min(resident_from_, segment.id);
  return true;
}

// Where the first record after `after` may begin; false: that segment is not in memory.
bool Store::Impl::find_in_memory(LogPosition after, uint32_t& id, size_t& offset) const {
  uint32_t low = 0;
  uint32_t high = static_cast<uint32_t>(segments_.count());
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (segments_.at(middle).last > after) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  FRESHET_CHECK(low < segments_.count());
  const Segment& segment = segments_.at(low);
  id = low;
  offset = segments_.start();
  if (segment.memory == nullptr) return false;
  const auto entry = std::upper_bound(segment.index.begin(), segment.index.end(), after,
                                      [](LogPosition p, const IndexEntry& e) {
                                        return p < LogPosition{e.epoch, e.sequence};
                                      });
  if (entry != segment.index.begin()) offset = size_t{std::prev(entry)->offset} * kRecordAlignment;
  return true;
}

Status Store::Impl::read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last,
                             SessionsRead* sessions) {
  used = 0;
  last = after;
  if (after >= last_position) return Status::kOk;
  if (is_volatile()) return read_log_volatile(after, out, used, last, sessions);

  uint32_t id = read_hint_segment_;
  size_t offset = read_hint_offset_;
  const bool hinted = read_hint_ == after && read_hint_offset_ != 0;
  if (!hinted && !find_in_memory(after, id, offset)) return Status::kCold;
  while (id < segments_.count()) {
    const Segment& segment = segments_.at(id);
    if (offset >= segment.used) {
      if (id + 1 == segments_.count()) break;  // more may come into it
      id++;
      offset = segments_.start();
      continue;
    }
    if (segment.memory == nullptr) break;
    const RecordView record(segment.memory + offset);
    const RecordHeader& header = record.header();
    const LogPosition position{header.epoch, header.sequence};
    if (!is_log_only(header.kind) && position > after) {
      if (used + record.size() > out.size()) break;
      copy_metered(out.data() + used, record.start(), record.size());
      used += record.size();
      last = position;
    }
    offset += record.size();
  }
  read_hint_ = last;
  read_hint_segment_ = id;
  read_hint_offset_ = offset;
  if (used > 0) return Status::kOk;
  FRESHET_CHECK(id < segments_.count());
  return segments_.at(id).memory == nullptr ? Status::kCold : Status::kOverloaded;
}

// The first record after `after`; null: it is not in memory.
const std::byte* Store::Impl::next_in_memory(LogPosition after) const {
  uint32_t id = 0;
  size_t offset = 0;
  if (!find_in_memory(after, id, offset)) return nullptr;
  const Segment& segment = segments_.at(id);
  while (offset < segment.used) {
    const RecordView record(segment.memory + offset);
    const RecordHeader& header = record.header();
    if (!is_log_only(header.kind) && LogPosition{header.epoch, header.sequence} > after)
      return record.start();
    offset += record.size();
  }
  return nullptr;
}

// The first change after `after` that is retained, of versions from `from` on, or null. Controls
// are never long.
const std::byte* Store::Impl::next_retained(LogPosition after, Version from) const {
  for (Version version = from; version <= newest_version(); version++) {
    const VersionSlot* slot = slots.find(version);
    const Location location = slot == nullptr ? Location() : slots.read(*slot);
    if (!location.has_record() || location.hidden()) continue;
    const std::byte* record = record_at(location);
    const RecordHeader& header = RecordView(record).header();
    if (LogPosition{header.epoch, header.sequence} > after) return record;
  }
  return nullptr;
}

Status Store::Impl::read_piece(LogPosition after, uint64_t from, MutableBytes out, size_t& used) {
  used = 0;
  if (after >= last_position) return Status::kNotFound;
  const LogPosition next{after.epoch, after.sequence + 1};
  const Version begin = piece_of_ == next ? piece_version_ : 1;
  const std::byte* start = is_volatile() ? next_retained(after, begin) : next_in_memory(after);
  if (start == nullptr) return is_volatile() ? Status::kNotFound : Status::kCold;
  const RecordView record(start);
  const RecordHeader& header = record.header();
  const LogPosition position{header.epoch, header.sequence};
  if (from > 0 && position != next) return Status::kNotFound;
  piece_of_ = position;
  piece_version_ = header.version;
  if (from >= record.size()) return Status::kOk;
  used = static_cast<size_t>(std::min<uint64_t>(out.size(), record.size() - from));
  copy_metered(out.data(), start + from, used);
  return Status::kOk;
}

Status Store::Impl::read_rules(MutableBytes out, size_t& used) const {
  used = 0;
  for (const ControlRecord& control : controls_) {
    PoolRules rules;
    if (!is_ok(PoolTable::check(RecordView(control.bytes.data()), rules))) continue;
    if (used + control.bytes.size() > out.size()) return Status::kOverloaded;
    std::memcpy(out.data() + used, control.bytes.data(), control.bytes.size());
    used += control.bytes.size();
  }
  return Status::kOk;
}

// Volatile stores give what they retain: controls that are in force, and versions of keys; the last
// of it together with the end of the sessions.
Status Store::Impl::read_log_volatile(LogPosition after, MutableBytes out, size_t& used,
                                      LogPosition& last, SessionsRead* sessions) {
  std::optional<RecordView> end;
  const auto give = [&](const RecordView& record) {
    const LogPosition position{record.header().epoch, record.header().sequence};
    if (position == last_position) {
      end = record;
      return true;
    }
    if (used + record.size() > out.size()) return false;
    copy_metered(out.data() + used, record.start(), record.size());
    used += record.size();
    last = position;
    return true;
  };
  auto control = controls_.begin();
  while (control != controls_.end() && control->position <= after) control++;
  Version version = read_hint_ == after ? read_hint_offset_ : 0;
  bool full = false;
  for (version = std::max<Version>(version, 1); version <= newest_version() && !full; version++) {
    const VersionSlot* slot = slots.find(version);
    if (slot == nullptr) continue;
    const Location location = slots.read(*slot);
    if (!location.has_record() || location.hidden()) continue;
    const RecordView record(record_at(location));
    const LogPosition position{record.header().epoch, record.header().sequence};
    if (position <= after) continue;
    for (; !full && control != controls_.end() && control->position < position; control++)
      full = !give(RecordView(control->bytes.data()));
    full = full || !give(record);
    if (full) break;
  }
  for (; !full && control != controls_.end(); control++)
    full = !give(RecordView(control->bytes.data()));
  if (!full) full = !give_end(end ? &*end : nullptr, out, used, last, sessions);
  read_hint_ = last;
  // A last record that has not been given yet has the newest version, or none.
  read_hint_offset_ = last == last_position ? version : std::min(version, newest_version());
  return full && used == 0 ? Status::kOverloaded : Status::kOk;
}

// The last record, null if it is not retained, with what is left of the sessions: whoever has it is
// asked for nothing more. Without a record they bring who is filled to where this history ends. As
// long as both do not fit, pieces of the sessions alone.
bool Store::Impl::give_end(const RecordView* end, MutableBytes out, size_t& used, LogPosition& last,
                           SessionsRead* sessions) const {
  const size_t end_size = end == nullptr ? 0 : end->size();
  const size_t room = out.size() - used;
  const bool goes_on = sessions != nullptr && sessions->position == last_position;
  const size_t from = goes_on ? std::min<size_t>(sessions->entries, sessions_.entries()) : 0;
  size_t entries = from;
  std::vector<std::byte> piece;
  if (room >= end_size + kSessionsSizeMin) piece = sessions_record(entries, room - end_size, true);
  if (!piece.empty() && entries == sessions_.entries()) {
    if (end != nullptr) std::memcpy(out.data() + used, end->start(), end_size);
    last = last_position;
    used += end_size;
  } else {
    // A reader tells a piece from records by what comes last.
    if (sessions == nullptr || used > 0 || room < kSessionsSizeMin) return false;
    entries = from;
    piece = sessions_record(entries, room, false);
    if (entries == from) return false;
  }
  if (sessions != nullptr) *sessions = {last_position, entries};
  std::memcpy(out.data() + used, piece.data(), piece.size());
  used += piece.size();
  return true;
}

// What follows the first `entries` of the sessions, which it moves on, in at most `size_max` bytes.
std::vector<std::byte> Store::Impl::sessions_record(size_t& entries, size_t size_max,
                                                    bool ends) const {
  const size_t room = size_max / kRecordAlignment * kRecordAlignment - kSessionsHead;
  const std::vector<std::byte> table = sessions_.encode(entries, room);
  Change change;
  change.kind = RecordKind::kControl;
  change.key = std::as_bytes(std::span(kSessionsKey));
  change.value = table;
  std::vector<std::byte> record(padded(record_length(change)));
  encode_record(change, config.shard, last_position.epoch, record.data());
  auto& header = *reinterpret_cast<RecordHeader*>(record.data());
  header.sequence = last_position.sequence;
  header.version = ends ? 0 : entries;
  header.time = time_now();
  seal_header(header);
  return record;
}

}  // namespace freshet
