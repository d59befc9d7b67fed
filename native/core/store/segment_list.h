// The segments of a store: big blocks of anonymous memory that records are appended to.
//
// A persistent store numbers its segments 0, 1, 2 ... and keeps a description of each for ever;
// their memory may be dropped once on disk. A volatile store uses ids again.
//
// Threads: the writer; address() from readers too.
// Invariants
//  1. Bytes below `used` of a segment never change.
//  2. A segment's memory is given back once no reader can have its address any more: it is retired
//     when it goes cold (address() is null) or when nothing in it lives.
#ifndef FRESHET_CORE_STORE_SEGMENT_LIST_H_
#define FRESHET_CORE_STORE_SEGMENT_LIST_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "native/core/record.h"
#include "native/core/store/location.h"
#include "native/core/store/mapped_memory.h"
#include "native/core/store/reclaimer.h"
#include "native/core/types.h"

namespace freshet {

struct Segment {
  uint32_t id = 0;
  std::byte* memory = nullptr;  // null: cold, or given back
  size_t capacity = 0;
  size_t used = 0;      // next append goes here
  size_t live = 0;      // bytes of records that are still reachable (volatile stores)
  bool sealed = false;  // nothing is appended any more
  bool alone = false;   // one record of a volatile store, in as much memory as it takes
  bool ending = false;  // its index is written

  // Persistent stores only.
  size_t closed = 0;  // given to the log thread
  size_t synced = 0;  // on disk
  LogPosition first;  // of the first record; sequence -1: none yet
  LogPosition last;
  std::vector<IndexEntry> index;  // sparse, ascending
};

class SegmentList {
 public:
  // `start`: bytes at a segment's beginning that hold no record. `memory_max`: what the segments
  // are to take, within which memory that was given back is kept for the next ones.
  SegmentList(Reclaimer& reclaimer, size_t segment_size, size_t start, size_t memory_max);
  ~SegmentList();

  // A new segment that holds at least `payload` bytes.
  Segment& open(size_t payload);
  // Memory for a record to come that will begin a segment: adopt() makes it one.
  struct Staged {
    std::byte* memory = nullptr;
    size_t capacity = 0;
  };
  Staged stage(size_t payload);
  // As much as it takes, for one that will not, or behind which nothing is appended.
  Staged stage_apart(size_t payload);
  Staged stage_cold(size_t payload) const;  // without memory
  Segment& adopt(Staged staged);
  void discard(Staged staged);
  MappedBlock give_out(Staged staged);  // the caller's from now on

  // More room in a segment that is being rebuilt; before readers come.
  void enlarge(Segment& segment, size_t payload);

  Segment& at(uint32_t id) { return *segments_[id]; }
  const Segment& at(uint32_t id) const { return *segments_[id]; }
  size_t count() const { return segments_.size(); }
  bool has(uint32_t id) const { return id < segments_.size() && segments_[id] != nullptr; }

  void drop_memory(Segment& segment);                    // goes cold; its description stays
  void bring_back(Segment& segment, MappedBlock block);  // memory for a cold one
  void release(Segment& segment);  // volatile: memory and id are used again after a grace period

  // For readers: where a record lies now, or null if its segment is not in memory.
  const std::byte* address(Location location) const {
    const std::byte* base = bases_[location.segment()].load(std::memory_order_acquire);
    return base == nullptr ? nullptr : base + location.offset();
  }

  uint64_t resident_bytes() const { return resident_.load(std::memory_order_relaxed); }
  uint64_t spare_bytes() const { return spare_bytes_; }  // kept besides
  // Without what goes as soon as readers have left.
  uint64_t staying_bytes() const { return resident_bytes() - leaving_; }
  size_t start() const { return start_; }

 private:
  struct Release {
    Segment* segment;
    Staged memory;
    bool frees_id;
  };
  static void on_grace_over(void* owner, void* object);
  Staged take_memory(size_t capacity);  // at least
  std::byte* fresh_memory(size_t capacity);
  void give_memory(Staged memory);
  void add_resident(int64_t bytes);
  void trim_spare(size_t needed);
  uint32_t take_id();
  Segment& install(uint32_t id, Staged memory);
  size_t capacity_for(size_t payload) const;
  void retire_memory(Segment& segment, bool frees_id);

  Reclaimer& reclaimer_;
  const size_t segment_size_;
  const size_t start_;
  const size_t memory_max_;
  LazyArray<std::atomic<std::byte*>> bases_;
  std::vector<std::unique_ptr<Segment>> segments_;
  std::vector<uint32_t> free_ids_;
  std::vector<Staged> spare_;  // the oldest first
  uint64_t spare_bytes_ = 0;
  Staged block_;  // of which what is less than a segment is cut
  size_t opened_ = 0;
  size_t cut_ = 0;
  uint64_t leaving_ = 0;  // retired, not given back yet
  std::atomic<uint64_t> resident_{0};
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_SEGMENT_LIST_H_
