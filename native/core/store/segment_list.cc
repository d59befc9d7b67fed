#include "native/core/store/segment_list.h"

#include "native/core/check.h"
#include "native/core/work_meter.h"

namespace freshet {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kSpareSegments = 4;  // kept beyond the memory that a store is to take
constexpr size_t kOwnPages = 16;      // times that less than a segment is mapped by itself

constexpr size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

}  // namespace

SegmentList::SegmentList(Reclaimer& reclaimer, size_t segment_size, size_t start, size_t memory_max)
    : reclaimer_(reclaimer),
      segment_size_(round_up(segment_size, kPage)),
      start_(start),
      memory_max_(memory_max),
      bases_(kSegmentIdsMax) {}

SegmentList::~SegmentList() {
  for (const auto& segment : segments_) {
    if (segment != nullptr && segment->memory != nullptr)
      unmap_memory(segment->memory, segment->capacity);
  }
  for (const Staged& spare : spare_) unmap_memory(spare.memory, spare.capacity);
  if (block_.capacity > 0) unmap_memory(block_.memory, block_.capacity);
}

size_t SegmentList::capacity_for(size_t payload) const {
  const size_t needed = round_up(start_ + payload, kPage);
  return needed > segment_size_ ? needed : segment_size_;
}

void SegmentList::add_resident(int64_t bytes) {
  resident_.store(resident_.load(std::memory_order_relaxed) + static_cast<uint64_t>(bytes),
                  std::memory_order_relaxed);
}

// Memory that was used before costs nothing, fresh pages the system has to clear, and under a
// hypervisor often to find; what was given back last may be in a cache yet. Segments that are not
// of one record have one size.
SegmentList::Staged SegmentList::take_memory(size_t capacity) {
  const size_t most = capacity == segment_size_ ? capacity : capacity + capacity / 4;
  size_t best = spare_.size();
  for (size_t i = spare_.size();
       i-- > 0 && (best == spare_.size() || spare_[best].capacity > capacity);) {
    const bool fits = spare_[i].capacity >= capacity && spare_[i].capacity <= most;
    if (fits && (best == spare_.size() || spare_[i].capacity < spare_[best].capacity)) best = i;
  }
  Staged taken;
  if (best != spare_.size()) {
    taken = spare_[best];
    spare_.erase(spare_.begin() + static_cast<ptrdiff_t>(best));
    spare_bytes_ -= taken.capacity;
    add_resident(static_cast<int64_t>(taken.capacity));
    return taken;
  }
  trim_spare(capacity);
  add_resident(static_cast<int64_t>(capacity));
  return {fresh_memory(capacity), capacity};
}

// A shard that never fills one segment is not worth huge pages. Where there are many less than a
// segment, they share pages: each is unmapped by itself all the same.
std::byte* SegmentList::fresh_memory(size_t capacity) {
  if (capacity >= segment_size_)
    return map_memory(capacity, opened_++ == 0 ? PageUse::kPlain : PageUse::kHuge);
  if (cut_ < kOwnPages) {
    cut_++;
    return map_memory(capacity, PageUse::kPlain);
  }
  if (block_.capacity < capacity) {
    if (block_.capacity > 0) unmap_memory(block_.memory, block_.capacity);
    block_ = {map_memory(segment_size_, PageUse::kHuge), segment_size_};
  }
  std::byte* memory = block_.memory;
  block_ = {memory + capacity, block_.capacity - capacity};
  return memory;
}

void SegmentList::give_memory(Staged memory) {
  add_resident(-static_cast<int64_t>(memory.capacity));
  spare_.push_back(memory);
  spare_bytes_ += memory.capacity;
  trim_spare(0);
}

// `needed` bytes besides. A few of one size are kept in any case: who drops one segment is about to
// open another.
void SegmentList::trim_spare(size_t needed) {
  while (resident_bytes() + spare_bytes_ + needed > memory_max_ &&
         spare_bytes_ > kSpareSegments * segment_size_) {
    const Staged oldest = spare_.front();
    spare_.erase(spare_.begin());
    spare_bytes_ -= oldest.capacity;
    unmap_memory(oldest.memory, oldest.capacity);
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

Segment& SegmentList::install(uint32_t id, Staged memory) {
  auto segment = std::make_unique<Segment>();
  segment->id = id;
  segment->memory = memory.memory;
  segment->capacity = memory.capacity;
  segment->used = segment->closed = segment->synced = start_;
  segments_[id] = std::move(segment);
  bases_[id].store(memory.memory, std::memory_order_release);
  return *segments_[id];
}

Segment& SegmentList::open(size_t payload) {
  const Staged memory = take_memory(capacity_for(payload));
  return install(take_id(), memory);
}

SegmentList::Staged SegmentList::stage(size_t payload) {
  return take_memory(capacity_for(payload));
}

SegmentList::Staged SegmentList::stage_apart(size_t payload) {
  return take_memory(round_up(start_ + payload, kPage));
}

SegmentList::Staged SegmentList::stage_cold(size_t payload) const {
  return {nullptr, capacity_for(payload)};
}

Segment& SegmentList::adopt(Staged staged) { return install(take_id(), staged); }

void SegmentList::discard(Staged staged) {
  if (staged.memory != nullptr) give_memory(staged);
}

MappedBlock SegmentList::give_out(Staged staged) {
  if (staged.memory != nullptr) add_resident(-static_cast<int64_t>(staged.capacity));
  return {staged.memory, staged.capacity};
}

void SegmentList::enlarge(Segment& segment, size_t payload) {
  const size_t capacity = capacity_for(payload);
  FRESHET_CHECK(capacity > segment.capacity);
  const Staged larger = take_memory(capacity);
  copy_metered(larger.memory + start_, segment.memory + start_, segment.used - start_);
  give_memory({segment.memory, segment.capacity});
  segment.memory = larger.memory;
  segment.capacity = larger.capacity;
  bases_[segment.id].store(segment.memory, std::memory_order_release);
}

void SegmentList::retire_memory(Segment& segment, bool frees_id) {
  auto release = std::make_unique<Release>();
  *release = {&segment, {segment.memory, segment.capacity}, frees_id};
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
  add_resident(static_cast<int64_t>(segment.capacity));
  trim_spare(0);
  bases_[segment.id].store(segment.memory, std::memory_order_release);
}

void SegmentList::release(Segment& segment) {
  FRESHET_CHECK_VALUES(segment.live == 0 && segment.memory != nullptr, segment.live, segment.id);
  // Readers may still hold a location in it: the base stays until they have left.
  auto release = std::make_unique<Release>();
  *release = {&segment, {segment.memory, segment.capacity}, true};
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
  list->leaving_ -= item->memory.capacity;
  list->give_memory(item->memory);
}

}  // namespace freshet
