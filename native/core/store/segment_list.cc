#include "native/core/store/segment_list.h"

#include "native/core/check.h"
#include "native/core/work_meter.h"

namespace freshet {
namespace {

constexpr size_t kPage = 4096;

constexpr size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

}  // namespace

SegmentList::SegmentList(Reclaimer& reclaimer, size_t segment_size, size_t start)
    : reclaimer_(reclaimer),
      segment_size_(round_up(segment_size, kPage)),
      start_(start),
      bases_(kSegmentIdsMax) {}

SegmentList::~SegmentList() {
  for (const auto& segment : segments_) {
    if (segment != nullptr && segment->memory != nullptr)
      unmap_memory(segment->memory, segment->capacity);
  }
  for (std::byte* memory : spare_) unmap_memory(memory, segment_size_);
}

size_t SegmentList::capacity_for(size_t payload) const {
  const size_t needed = round_up(start_ + payload, kPage);
  return needed > segment_size_ ? needed : segment_size_;
}

std::byte* SegmentList::take_memory(size_t capacity) {
  resident_.store(resident_.load(std::memory_order_relaxed) + capacity, std::memory_order_relaxed);
  if (capacity == segment_size_ && !spare_.empty()) {
    std::byte* memory = spare_.back();
    spare_.pop_back();
    return memory;
  }
  // A shard that never fills one segment is not worth huge pages.
  return map_memory(capacity, opened_++ == 0 ? PageUse::kPlain : PageUse::kHuge);
}

void SegmentList::give_memory(std::byte* memory, size_t capacity) {
  resident_.store(resident_.load(std::memory_order_relaxed) - capacity, std::memory_order_relaxed);
  if (capacity == segment_size_ && spare_.size() < kSpareMax) {
    spare_.push_back(memory);
  } else {
    unmap_memory(memory, capacity);
  }
}

uint32_t SegmentList::take_id() {
  if (!free_ids_.empty()) {
    const uint32_t id = free_ids_.back();
    free_ids_.pop_back();
    return id;
  }
  FRESHET_CHECK_VALUES(segments_.size() < kSegmentIdsMax, segments_.size(), kSegmentIdsMax);
  segments_.emplace_back();
  return static_cast<uint32_t>(segments_.size() - 1);
}

Segment& SegmentList::install(uint32_t id, std::byte* memory, size_t capacity) {
  auto segment = std::make_unique<Segment>();
  segment->id = id;
  segment->memory = memory;
  segment->capacity = capacity;
  segment->used = segment->closed = segment->synced = start_;
  segments_[id] = std::move(segment);
  bases_[id].store(memory, std::memory_order_release);
  return *segments_[id];
}

Segment& SegmentList::open(size_t payload) {
  const size_t capacity = capacity_for(payload);
  std::byte* memory = take_memory(capacity);
  return install(take_id(), memory, capacity);
}

SegmentList::Staged SegmentList::stage(size_t payload) {
  const size_t capacity = capacity_for(payload);
  return {take_memory(capacity), capacity};
}

SegmentList::Staged SegmentList::stage_apart(size_t payload) {
  const size_t capacity = round_up(start_ + payload, kPage);
  resident_.store(resident_.load(std::memory_order_relaxed) + capacity, std::memory_order_relaxed);
  return {map_memory(capacity, PageUse::kPlain), capacity};
}

SegmentList::Staged SegmentList::stage_cold(size_t payload) const {
  return {nullptr, capacity_for(payload)};
}

Segment& SegmentList::adopt(Staged staged) {
  return install(take_id(), staged.memory, staged.capacity);
}

void SegmentList::discard(Staged staged) {
  if (staged.memory != nullptr) give_memory(staged.memory, staged.capacity);
}

MappedBlock SegmentList::give_out(Staged staged) {
  if (staged.memory != nullptr)
    resident_.store(resident_.load(std::memory_order_relaxed) - staged.capacity,
                    std::memory_order_relaxed);
  return {staged.memory, staged.capacity};
}

void SegmentList::enlarge(Segment& segment, size_t payload) {
  const size_t capacity = capacity_for(payload);
  FRESHET_CHECK(capacity > segment.capacity);
  std::byte* memory = take_memory(capacity);
  copy_metered(memory + start_, segment.memory + start_, segment.used - start_);
  give_memory(segment.memory, segment.capacity);
  segment.memory = memory;
  segment.capacity = capacity;
  bases_[segment.id].store(memory, std::memory_order_release);
}

void SegmentList::retire_memory(Segment& segment, bool frees_id) {
  auto release = std::make_unique<Release>();
  *release = {&segment, segment.memory, segment.capacity, frees_id};
  leaving_ += segment.capacity;
  segment.memory = nullptr;
  bases_[segment.id].store(nullptr, std::memory_order_release);
  reclaimer_.retire(&SegmentList::on_grace_over, this, release.release());
}

void SegmentList::drop_memory(Segment& segment) {
  FRESHET_CHECK(segment.sealed && segment.memory != nullptr);
  retire_memory(segment, false);
}

void SegmentList::bring_back(Segment& segment, MappedBlock block) {
  FRESHET_CHECK_VALUES(segment.memory == nullptr && block.size() >= segment.used, segment.id,
                       block.size());
  segment.capacity = block.size();
  segment.memory = block.release();
  resident_.store(resident_.load(std::memory_order_relaxed) + segment.capacity,
                  std::memory_order_relaxed);
  bases_[segment.id].store(segment.memory, std::memory_order_release);
}

void SegmentList::release(Segment& segment) {
  FRESHET_CHECK_VALUES(segment.live == 0 && segment.memory != nullptr, segment.live, segment.id);
  // Readers may still hold a location in it: the base stays until they have left.
  auto release = std::make_unique<Release>();
  *release = {&segment, segment.memory, segment.capacity, true};
  leaving_ += segment.capacity;
  segment.memory = nullptr;
  reclaimer_.retire(&SegmentList::on_grace_over, this, release.release());
}

void SegmentList::on_grace_over(void* owner, void* object) {
  auto* list = static_cast<SegmentList*>(owner);
  const std::unique_ptr<Release> item(static_cast<Release*>(object));
  if (item->frees_id) {
    const uint32_t id = item->segment->id;
    list->bases_[id].store(nullptr, std::memory_order_release);
    list->segments_[id].reset();
    list->free_ids_.push_back(id);
  }
  list->leaving_ -= item->capacity;
  list->give_memory(item->memory, item->capacity);
}

}  // namespace freshet
