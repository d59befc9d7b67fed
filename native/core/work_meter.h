// Where the time of a thread goes: each moment belongs to one kind of work, the innermost that was
// entered. What is entered often and briefly stays what it lies in: of copies only the large ones
// are timed, and all are counted in bytes. A thread that waits for a core waits in what it was at.
//
// A thread without a meter measures nothing and looks at no clock: simulations have none.
// Thread: that whose work it is.
#ifndef FRESHET_CORE_WORK_METER_H_
#define FRESHET_CORE_WORK_METER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

#include "native/core/types.h"

namespace freshet {

enum class Work : uint8_t {
  kProtocol,  // all that is nothing else
  kCopy,      // of records and values from one memory to another
  kSystem,    // calls of the kernel, and of the network's library
  kIdle,      // waits in the kernel for something to do
};
inline constexpr size_t kWorkKinds = 4;

// Two looks at the clock take about as long as copying a kilobyte.
inline constexpr size_t kTimedCopyMin = 4096;

class WorkMeter {
 public:
  // `now`: monotonic nanoseconds. What begins is protocol.
  explicit WorkMeter(std::function<Nanos()> now) : now_(std::move(now)), since_(now_()) {}

  // Returns what was under way before.
  Work enter(Work next) {
    const Nanos now = now_();
    spent_[static_cast<size_t>(work_)] += static_cast<uint64_t>(now - since_);
    since_ = now;
    return std::exchange(work_, next);
  }
  void count_copied(size_t bytes) { copied_ += bytes; }

  // Nanoseconds, up to when another kind of work was entered last.
  uint64_t spent(Work work) const { return spent_[static_cast<size_t>(work)]; }
  uint64_t copied_bytes() const { return copied_; }

 private:
  const std::function<Nanos()> now_;
  Nanos since_;
  Work work_ = Work::kProtocol;
  std::array<uint64_t, kWorkKinds> spent_{};
  uint64_t copied_ = 0;
};

// This thread's; null: it has none.
inline thread_local constinit WorkMeter* work_meter = nullptr;

class WorkScope {
 public:
  explicit WorkScope(Work work) : meter_(work_meter) {
    if (meter_ != nullptr) before_ = meter_->enter(work);
  }
  ~WorkScope() {
    if (meter_ != nullptr) meter_->enter(before_);
  }
  WorkScope(const WorkScope&) = delete;
  WorkScope& operator=(const WorkScope&) = delete;

 private:
  WorkMeter* const meter_;
  Work before_ = Work::kProtocol;
};

// As memcpy, metered.
inline void copy_metered(std::byte* to, const std::byte* from, size_t size) {
  WorkMeter* const meter = work_meter;
  if (meter == nullptr || size < kTimedCopyMin) {
    std::memcpy(to, from, size);
  } else {
    const WorkScope scope(Work::kCopy);
    std::memcpy(to, from, size);
  }
  if (meter != nullptr) meter->count_copied(size);
}

}  // namespace freshet

#endif  // FRESHET_CORE_WORK_METER_H_
