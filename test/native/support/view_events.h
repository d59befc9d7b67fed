// What is still to happen in a simulation, by virtual time.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_VIEW_EVENTS_H_
#define FRESHET_TEST_NATIVE_SUPPORT_VIEW_EVENTS_H_

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "native/core/check.h"
#include "native/core/types.h"

namespace freshet::test {

class EventHeap {
 public:
  Nanos now() const { return now_; }
  // Never before now; events of one time happen in the order in which they were given.
  void at(Nanos time, std::function<void()> what) {
    uint64_t place = actions_.size();
    if (free_.empty()) {
      FRESHET_CHECK_VALUES(place >> kPlaceBits == 0, place, order_);
      actions_.push_back(std::move(what));
    } else {
      place = free_.back();
      free_.pop_back();
      actions_[place] = std::move(what);
    }
    push({std::max(time, now_), order_++ << kPlaceBits | place});
  }
  void after(Nanos delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  // False: nothing is left.
  bool run_next() {
    if (events_.empty()) return false;
    const Event next = events_.front();
    pop();
    now_ = next.at;
    const uint64_t place = next.order_and_place & ((uint64_t{1} << kPlaceBits) - 1);
    const std::function<void()> what = std::move(actions_[place]);
    free_.push_back(place);
    what();
    return true;
  }

 private:
  static constexpr int kPlaceBits = 24;  // so 2^40 events in all
  static constexpr size_t kChildren = 4;

  // Small, as the heap moves it about: four, the children of one, take a cache line.
  struct Event {
    Nanos at;
    uint64_t order_and_place;  // in actions_
    // Without a branch, which would be guessed wrong half of the time.
    bool is_before(const Event& other) const {
      return (at < other.at) | ((at == other.at) & (order_and_place < other.order_and_place));
    }
  };

  void push(const Event& event) {
    size_t at = events_.size();
    events_.push_back(event);
    for (; at > 0 && event.is_before(events_[(at - 1) / kChildren]); at = (at - 1) / kChildren)
      events_[at] = events_[(at - 1) / kChildren];
    events_[at] = event;
  }
  // The last one sinks from the top to its place.
  void pop() {
    const Event last = events_.back();
    events_.pop_back();
    const size_t count = events_.size();
    if (count == 0) return;
    size_t at = 0;
    for (size_t child = 1; child < count; child = at * kChildren + 1) {
      size_t first = child;
      const size_t end = std::min(child + kChildren, count);
      for (size_t other = child + 1; other < end; other++)
        first = events_[other].is_before(events_[first]) ? other : first;
      if (!events_[first].is_before(last)) break;
      events_[at] = events_[first];
      at = first;
    }
    events_[at] = last;
  }

  std::vector<Event> events_;  // a heap: the first is the next one
  std::vector<std::function<void()>> actions_;
  std::vector<uint64_t> free_;
  uint64_t order_ = 0;
  Nanos now_ = 0;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_EVENTS_H_
