// A bounded first-in first-out queue of versions that grows to its limit and no further.
//
// Thread: the writer.
#ifndef FRESHET_CORE_STORE_VERSION_QUEUE_H_
#define FRESHET_CORE_STORE_VERSION_QUEUE_H_

#include <cstddef>
#include <vector>

#include "native/core/check.h"
#include "native/core/types.h"

namespace freshet {

class VersionQueue {
 public:
  explicit VersionQueue(size_t count_max) : count_max_(count_max) {}

  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == count_max_; }
  size_t count() const { return count_; }
  Version front() const { return ring_[head_]; }

  void push(Version version) {
    FRESHET_CHECK(!full());
    if (count_ == ring_.size()) grow();
    ring_[(head_ + count_) % ring_.size()] = version;
    count_++;
  }
  Version pop() {
    FRESHET_CHECK(count_ > 0);
    const Version version = ring_[head_];
    head_ = (head_ + 1) % ring_.size();
    count_--;
    return version;
  }

 private:
  void grow() {
    const size_t wanted = ring_.empty() ? 64 : ring_.size() * 2;
    std::vector<Version> larger(wanted < count_max_ ? wanted : count_max_);
    for (size_t i = 0; i < count_; i++) larger[i] = ring_[(head_ + i) % ring_.size()];
    ring_ = std::move(larger);
    head_ = 0;
  }

  const size_t count_max_;
  std::vector<Version> ring_;
  size_t head_ = 0;
  size_t count_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_VERSION_QUEUE_H_
