// Taking memory back: cleaning segments of volatile stores by copying what still lives in them
// (Rumble, Kejriwal and Ousterhout, "Log-structured memory for DRAM-based storage", FAST 2014),
// dropping the memory of persistent segments that are on disk.
#include <cstring>

#include "native/core/check.h"
#include "native/core/store/store_impl.h"
#include "native/core/work_meter.h"

namespace freshet {
namespace {

constexpr size_t kReleaseStep = 256;
constexpr size_t kLookCost = 64;  // of a dead record, in bytes of the budget

}  // namespace

bool Store::Impl::maintain(size_t bytes_max) {
  release_some(kReleaseStep);
  reclaimer.collect();
  if (config.persistent) {
    drop_cold_memory();
    return has_releasable();
  }
  size_t spent = 0;
  while (spent < bytes_max) {
    if (victim_ == nullptr && !choose_victim()) return has_releasable();
    spent += clean_some(bytes_max - spent);
  }
  return true;
}

// The sealed segment with the least in it, when enough of it is dead to make it worth while. Behind
// its last record nothing is: copying what lives would leave as much over again.
bool Store::Impl::choose_victim() {
  size_t used = 0;
  size_t live = 0;
  Segment** best_place = nullptr;
  for (Segment*& segment : cleanable_) {
    used += segment->used;
    live += segment->live;
    const bool better = best_place == nullptr ||
                        segment->live * (*best_place)->used < (*best_place)->live * segment->used;
    if (better) best_place = &segment;
  }
  if (best_place == nullptr) return false;
  Segment* best = *best_place;
  // Segments without anything alive cost nothing to free; else a quarter may be dead.
  if (best->live > 0 && used - live < live / 4 + 2 * config.segment_size) return false;
  if (best->live > best->used / 8 * 7) return false;
  *best_place = cleanable_.back();
  cleanable_.pop_back();
  victim_ = best;
  victim_offset_ = 0;
  return true;
}

std::byte* Store::Impl::survivor_room(size_t size, Location from, Location& to) {
  if (survivor_ == nullptr || survivor_->used >= kRecordOffsetEnd ||
      survivor_->used + size > survivor_->capacity) {
    if (survivor_ != nullptr) seal(*survivor_);
    survivor_ = &segments_.open(size);
  }
  to = from.moved_to(survivor_->id, survivor_->used);
  std::byte* place = survivor_->memory + survivor_->used;
  survivor_->used += size;
  return place;
}

size_t Store::Impl::clean_some(size_t bytes_max) {
  size_t spent = 0;
  while (victim_->live > 0 && spent < bytes_max) {
    FRESHET_CHECK_VALUES(victim_offset_ < victim_->used, victim_offset_, victim_->used);
    const RecordView record(victim_->memory + victim_offset_);
    const size_t size = record.size();
    const Version version = record.header().version;
    VersionSlot* slot = version == 0 ? nullptr : slots.find(version);
    spent += kLookCost;
    if (slot != nullptr) {
      const Location from = slots.read(*slot);
      if (from.has_record() && from.segment() == victim_->id && from.offset() == victim_offset_) {
        Location to;
        std::byte* place = survivor_room(size, from, to);
        copy_metered(place, record.start(), size);
        slot->location.store(to.bits(), std::memory_order_release);
        victim_->live -= from.size();
        survivor_->live += from.size();
        copied_.store(copied_.load(std::memory_order_relaxed) + size, std::memory_order_relaxed);
        spent += size;
      }
    }
    victim_offset_ += size;
  }
  if (victim_->live == 0) {
    segments_.release(*victim_);
    victim_ = nullptr;
    reclaimer.collect();
  }
  return spent + kLookCost;
}

}  // namespace freshet
