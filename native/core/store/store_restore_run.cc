// Rebuilding a persistent store from runs of its log: what the records of one share is done once.
#include <algorithm>
#include <array>
#include <span>

#include "native/core/check.h"
#include "native/core/store/store_impl.h"
#include "native/core/xxh3.h"

namespace freshet {

Status Store::Impl::restore_run(std::span<const RecordView> run, DurableAt first, size_t& taken) {
  FRESHET_CHECK(config.persistent);
  for (taken = 0; taken < run.size();) {
    const auto some = run.subspan(taken, std::min(run.size() - taken, kChangesMax));
    if (const size_t count = count_changes(some, first); count > 0) {
      first.offset += restore_changes(some.first(count));
      taken += count;
      continue;
    }
    const Status status = restore_one(some.front(), &first);
    if (!is_ok(status)) return status;
    first.offset += some.front().size();
    taken++;
  }
  return Status::kOk;
}

// How many records of the run's beginning only add a version to a key, behind the last one, in the
// segment and the epoch that were begun? What is more, or does not fit, restore_one() looks at.
size_t Store::Impl::count_changes(std::span<const RecordView> run, DurableAt first) const {
  const auto* epochs = epochs_.load(std::memory_order_relaxed);
  if (head_ == nullptr || head_->id != first.segment || head_->used != first.offset ||
      epochs->empty() || epochs->back().epoch != last_position.epoch || has_audience() ||
      has_releasable())
    return 0;
  const bool is_in_memory = head_->memory != nullptr;
  if (is_in_memory && run.front().start() != head_->memory + head_->used) return 0;
  const size_t end = is_in_memory ? head_->capacity : SIZE_MAX;
  size_t used = head_->used;
  LogPosition last = last_position;
  Micros time = time_now();
  Version version = newest_version();
  size_t count = 0;
  for (const RecordView& record : run) {
    const RecordHeader& header = record.header();
    used += record.size();
    const bool is_change =
        (header.kind == RecordKind::kPut || header.kind == RecordKind::kRemove) &&
        (header.flags & kHasSession) == 0;
    const bool follows = header.shard == config.shard && header.epoch == last.epoch &&
                         header.sequence > last.sequence && header.version == version + 1 &&
                         header.time > time;
    const bool is_long = record.size() >= kLongSizeMin || used > kRecordOffsetEnd;
    if (!is_change || !follows || is_long || used > end) break;
    last.sequence = header.sequence;
    time = header.time;
    version++;
    count++;
  }
  return count;
}

// Each step of a look-up waits for memory; those of many records wait together.
void Store::Impl::look_up(std::span<const RecordView> run, std::span<KeyIndex::Sought> keys) const {
  for (size_t i = 0; i < run.size(); i++) {
    const std::string_view key = run[i].key();
    keys[i] = {key, xxh3_64(key), nullptr};
  }
  index_.find_all(keys);
  for (const KeyIndex::Sought& key : keys) {
    if (key.entry != nullptr)
      __builtin_prefetch(slots.find(key.entry->newest.load(std::memory_order_relaxed)));
  }
}

// The bytes that they take.
size_t Store::Impl::restore_changes(std::span<const RecordView> run) {
  std::array<KeyIndex::Sought, kChangesMax> found;
  const auto keys = std::span(found).first(run.size());
  look_up(run, keys);
  Segment& head = *head_;
  const size_t begin = head.used;
  size_t index_due =
      head.index.empty() ? 0 : head.index.back().offset * kRecordAlignment + kIndexStep;
  for (size_t i = 0; i < run.size(); i++) {
    const RecordHeader& header = run[i].header();
    const size_t size = run[i].size();
    const Location location(head.id, head.used, size, header.kind == RecordKind::kRemove);
    note_digest(header);
    if (head.used >= index_due) {
      note_index(head, header, head.used);
      index_due = head.used + kIndexStep;
    }
    head.used += size;
    KeyEntry* entry = keys[i].entry;
    // A record before it may have brought the key.
    if (entry == nullptr) entry = index_.find(keys[i].key, keys[i].hash);
    add_change(run[i], entry, keys[i].hash, location);
  }
  const size_t bytes = head.used - begin;
  logical_bytes_ += bytes;
  count_added(head, run.size(), bytes);
  const RecordHeader& last = run.back().header();
  last_position = head.last = {last.epoch, last.sequence};
  newest_time.store(last.time, std::memory_order_relaxed);
  newest_.store(last.version, std::memory_order_release);
  end_restored(head);
  records_end_ = synced_;
  return bytes;
}

}  // namespace freshet
