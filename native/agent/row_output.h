// The agent's end of the row ring. What finds no room waits here, in order, so that nothing is lost
// and the agent never waits for the event loop.
//
// Thread: the agent's.
// Invariant: what can wait here is bounded by what was admitted: completions by kOutstandingMax,
// results by the callers' tokens, messages by the inbox; events are only taken where room() says.
#ifndef FRESHET_AGENT_ROW_OUTPUT_H_
#define FRESHET_AGENT_ROW_OUTPUT_H_

#include <deque>

#include "native/agent/row_ring.h"
#include "native/core/outputs.h"

namespace freshet {

inline constexpr size_t kRowRingCapacity = size_t{1} << 15;
inline constexpr size_t kOutstandingMax = size_t{1} << 14;  // submissions without a completion yet
inline constexpr size_t kRowReserve = kOutstandingMax + 1024;  // kept free of events
static_assert(kRowReserve < kRowRingCapacity);

class RowOutput {
 public:
  explicit RowOutput(RowRing& ring) : ring_(ring) {}

  // A quiet row is shown with the others; alone it wakes nobody before the next end_quiet().
  void push(const Row& row, bool quiet = false) {
    (quiet ? quiet_ : urgent_) = true;
    if (waiting_.empty() && (room_ > 0 || (room_ = ring_.room()) > 0)) {
      ring_.push(row);
      room_--;
    } else {
      waiting_.push_back(row);
    }
  }
  void push(const Completion& done) {
    push(make_row(RowKind::kCompletion, done.token, static_cast<uint8_t>(done.status), done.epoch,
                  done.version, done.time, done.previous_version_of_key));
  }
  // How many events may be taken from a store now.
  size_t event_room() {
    room_ = ring_.room();
    return waiting_.empty() && room_ > kRowReserve ? room_ - kRowReserve : 0;
  }
  bool has_waiting() const { return !waiting_.empty(); }
  // Quiet rows have waited for company long enough.
  void end_quiet() { urgent_ = urgent_ || quiet_; }
  // Shows everything to the event loop. True: wake it.
  bool publish() {
    room_ = ring_.room();
    for (; !waiting_.empty() && room_ > 0; room_--) {
      ring_.push(waiting_.front());
      waiting_.pop_front();
    }
    // Half full: whoever reads must not be overtaken by what waits silently.
    const bool urgent = urgent_ || room_ < kRowRingCapacity / 2;
    const bool wake = ring_.publish(urgent);
    if (urgent) urgent_ = quiet_ = false;
    return wake;
  }

 private:
  RowRing& ring_;
  size_t room_ = 0;  // at least so many fit
  std::deque<Row> waiting_;
  bool urgent_ = false;  // since the last wake: rows that want one, and rows that do not
  bool quiet_ = false;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_ROW_OUTPUT_H_
