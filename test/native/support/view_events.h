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
    events_.push({std::max(time, now_), order_++, std::move(what)});
  }
  void after(Nanos delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  // False: nothing is left.
  bool run_next() {
    if (events_.empty()) return false;
    const std::function<void()> what = std::move(const_cast<Event&>(events_.top()).what);
    now_ = events_.top().at;
    events_.pop();
    what();
    return true;
  }

 private:
  struct Event {
    Nanos at;
    uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  Nanos now_ = 0;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_EVENTS_H_
