// What is still to happen in a simulation, by virtual time.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_VIEW_EVENTS_H_
#define FRESHET_TEST_NATIVE_SUPPORT_VIEW_EVENTS_H_

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "native/core/types.h"

namespace freshet::test {

class EventHeap {
 public:
  Nanos now() const { return now_; }
  // Never before now; events of one time happen in the order in which they were given.
  void at(Nanos time, std::function<void()> what) {
    uint32_t place = static_cast<uint32_t>(actions_.size());
    if (free_.empty()) {
      actions_.push_back(std::move(what));
    } else {
      place = free_.back();
      free_.pop_back();
      actions_[place] = std::move(what);
    }
    events_.push({std::max(time, now_), order_++, place});
  }
  void after(Nanos delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  // False: nothing is left.
  bool run_next() {
    if (events_.empty()) return false;
    const Event next = events_.top();
    events_.pop();
    now_ = next.at;
    const std::function<void()> what = std::move(actions_[next.place]);
    free_.push_back(next.place);
    what();
    return true;
  }

 private:
  // Small, as the heap moves it about.
  struct Event {
    Nanos at;
    uint64_t order;
    uint32_t place;  // in actions_
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  std::priority_queue<Event> events_;
  std::vector<std::function<void()>> actions_;
  std::vector<uint32_t> free_;
  uint64_t order_ = 0;
  Nanos now_ = 0;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_EVENTS_H_
