// Large records outside of their store, each copied once for all who read it at a time: the lambdas
// of a member that one value runs, say. A copy lives as long as somebody holds it.
//
// JavaScript has no memory that can only be read, so whoever was given a copy may write into it.
// The store never sees that, but others who hold the copy do: it has its checksum, by which they
// find out, and a copy that was found written to is given to nobody any more.
//
// Threads: any. Copies are made by one thread, the event loop's.
// Invariants
//  1. What is given out is a whole record that a store had, unless it was written to since.
//  2. Of one version of one store there is at most one copy that is still given out.
#ifndef FRESHET_AGENT_SHARED_RECORDS_H_
#define FRESHET_AGENT_SHARED_RECORDS_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "native/core/limits.h"
#include "native/core/record.h"
#include "native/core/store/mapped_memory.h"

namespace freshet {

// Records below it are not worth a mapping of their own.
inline constexpr size_t kSharedRecordMin = kCopySlice;

class SharedRecord {
 public:
  // Which store of a shard, and what of it.
  struct Source {
    ShardId shard;
    uint64_t generation;
    Version version;
    bool operator==(const Source&) const = default;
  };

  SharedRecord(uint64_t number, const Source& source, const RecordView& record);

  uint64_t number() const { return number_; }
  const Source& source() const { return source_; }
  std::byte* data() const { return block_.data(); }
  size_t size() const { return size_; }
  bool holds(const std::byte* at) const { return at >= data() && at < data() + size_; }
  // Whether it is still what the store had. Looks at all of it; false is for good.
  bool is_sound();
  bool is_spoilt() const { return spoilt_.load(std::memory_order_acquire); }

 private:
  const uint64_t number_;
  const Source source_;
  const size_t size_;
  const RecordHeader header_;
  const MappedBlock block_;
  std::atomic<bool> spoilt_{false};
};

class SharedRecords {
 public:
  using Held = std::shared_ptr<SharedRecord>;

  // Null: nobody has one that was not found written to.
  Held find(const SharedRecord::Source& source);
  Held find(uint64_t number);
  // 0: in none. Of one that was found written to as well: its bytes are nobody's value any more.
  uint64_t number_at(const std::byte* at);
  Held add(const SharedRecord::Source& source, const RecordView& record);

 private:
  template <typename Wanted>
  Held find_if(Wanted wanted);
  template <typename Wanted>
  Held find_sound(Wanted wanted);

  std::mutex mutex_;  // guards the rest
  uint64_t next_number_ = 1;
  std::unordered_map<uint64_t, std::weak_ptr<SharedRecord>> records_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SHARED_RECORDS_H_
