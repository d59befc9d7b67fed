// The connections between the members of a ViewGroup: writes in order per direction, at any pace,
// torn, cut in one direction or both, lost with their connection.
//
// What happens at one end of a connection, that it is up, the writes, that it is down, reaches that
// end in order. A node that is paused takes nothing until it goes on. A cut keeps writes on their
// way; only a lost connection loses them.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_VIEW_NETWORK_H_
#define FRESHET_TEST_NATIVE_SUPPORT_VIEW_NETWORK_H_

#include <array>
#include <deque>
#include <vector>

#include "native/core/limits.h"
#include "native/core/region.h"
#include "native/core/view/view.h"
#include "native/io/seeded_random.h"
#include "test/native/support/view_events.h"

namespace freshet::test {

// One end: a process. Called from the event heap.
class ViewEndpoint {
 public:
  virtual ~ViewEndpoint() = default;
  virtual void on_link_up(const MemberId& peer) = 0;
  virtual void on_link_down(NodeId peer) = 0;
  virtual void on_write(NodeId from, const RegionId& region, uint64_t offset, Bytes bytes) = 0;
  // Little enough is on its way to a peer again.
  virtual void on_relieved() {}
};

class ViewNetwork {
 public:
  // `together_percent`: how many of the writes that follow one at the same time arrive with it.
  ViewNetwork(EventHeap& events, SeededRandom& random, uint32_t tear_percent,
              uint32_t together_percent = 0);

  // A process begins at its node; connections to all others follow.
  void begin(const MemberId& id, ViewEndpoint& endpoint);
  // It is gone. Of its writes under way a part arrives; with `reset` its peers hear of it.
  void end(NodeId node, bool reset);
  void pause(NodeId node);
  void resume(NodeId node);
  void send(NodeId from, NodeId to, const RegionId& region, uint64_t offset, Bytes bytes);
  // Writes of this direction stay on their way until it is healed.
  void cut(NodeId from, NodeId to);
  void heal(NodeId from, NodeId to);
  // The connection is lost, and made anew when nothing is in its way.
  void drop(NodeId a, NodeId b);
  bool is_connected(NodeId a, NodeId b) const;
  // Ends are told whenever no more than one of these is on its way any more.
  void set_relief(std::vector<size_t> marks) { relief_ = std::move(marks); }
  // Bytes of writes on their way.
  size_t backlog(NodeId from, NodeId to) const { return way(from, to).bytes; }
  uint64_t trace() const { return trace_; }

 private:
  struct Item {
    enum class Kind : uint8_t { kUp, kDown, kWrite } kind;
    Nanos at;
    MemberId id;  // of kUp
    RegionId region;
    uint64_t offset;
    std::vector<std::byte> bytes;
  };
  struct Way {  // one direction
    std::deque<Item> items;
    Nanos last = 0;       // arrival of the newest one
    Nanos last_sent = 0;  // when that was sent
    Nanos pumps_at = INT64_MAX;
    bool cut = false;
    bool up = false;   // the receiving end was told so
    bool due = false;  // it was told so or will be
    Nanos latency = 0;
    size_t bytes = 0;  // of the writes in items
  };
  struct Node {
    ViewEndpoint* endpoint = nullptr;
    MemberId id;
    bool paused = false;
  };

  Way& way(NodeId from, NodeId to) { return ways_[from][to]; }
  const Way& way(NodeId from, NodeId to) const { return ways_[from][to]; }
  void push(NodeId from, NodeId to, Item item, Nanos delay);
  void pump(NodeId from, NodeId to);
  void take(NodeId from, NodeId to, const Item& item);
  void lose(NodeId from, NodeId to, bool some);
  void tell_down(NodeId from, NodeId to);
  void dial(NodeId a, NodeId b);
  Nanos delay(const Way& direction);
  void mix(uint64_t value);

  EventHeap& events_;
  SeededRandom& random_;
  const uint32_t tear_percent_;
  const uint32_t together_percent_;
  std::array<Node, kMembersMax + 1> nodes_;
  std::array<std::array<Way, kMembersMax + 1>, kMembersMax + 1> ways_;  // [from][to]
  std::array<std::array<bool, kMembersMax + 1>, kMembersMax + 1> joined_{};
  std::array<std::array<bool, kMembersMax + 1>, kMembersMax + 1> dials_{};
  std::vector<size_t> relief_;
  uint64_t trace_ = 0xcbf29ce484222325ull;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_VIEW_NETWORK_H_
