// A network in memory, driven by a virtual clock and one seed: ordered within a pair of members,
// not between pairs, as slow, cut or broken as a test wants it.
//
// A write that is on its way takes effect when its receiver polls at or after its arrival. A
// `stable` write is read where it lies at that moment, so that a core that changes bytes too early
// is found. With tear_percent a receiver may see any part of a write's 8-byte cells one poll before
// the rest, as with a network card.
//
// Thread: one; everything in a simulation runs on it.
// Invariants
//  1. Writes of one direction of a connection arrive in the order they were issued.
//  2. The same seed and the same calls give the same arrivals: trace() is their hash.
#ifndef FRESHET_IO_SIMULATED_NETWORK_H_
#define FRESHET_IO_SIMULATED_NETWORK_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "native/io/seeded_random.h"
#include "native/io/transport.h"

namespace freshet {

class SimulatedTransport;

struct SimulatedNetworkConfig {
  uint64_t seed = 1;
  Nanos delay_min = 5'000;
  Nanos delay_max = 200'000;
  Nanos dial_time = 1'000'000;  // from a loss to the next connection, when nothing is cut
  uint32_t tear_percent = 0;
};

class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(SimulatedNetworkConfig config);
  ~SimulatedNetwork();

  // A member's end. The network outlives it.
  std::unique_ptr<SimulatedTransport> join(NodeId node);

  Nanos now() const { return now_; }
  void advance_to(Nanos now);
  // When something next arrives at `node` (a write or a connection); INT64_MAX: nothing is under
  // way.
  Nanos next_arrival(NodeId node) const;
  // Hash of everything that has arrived.
  uint64_t trace() const { return trace_; }

  void set_delay(NodeId from, NodeId to, Nanos least, Nanos most);
  // While cut, writes from one to the other stay on their way. One direction only.
  void cut(NodeId from, NodeId to);
  void heal(NodeId from, NodeId to);
  // The connection of both breaks: what is on its way is lost, both are told, and dial again.
  void drop_connection(NodeId a, NodeId b);

 private:
  friend class SimulatedTransport;

  struct Write {
    Nanos arrival;
    RegionId region;
    uint64_t offset;
    std::vector<std::byte> copy;  // of a write that is not stable
    Bytes stable;
    Bytes bytes() const { return copy.empty() ? stable : Bytes(copy); }
  };
  struct Link {  // one direction
    Nanos delay_min;
    Nanos delay_max;
    Nanos last_arrival = 0;
    bool cut = false;
    size_t bytes = 0;
    std::deque<Write> writes;
  };

  Link& link(NodeId from, NodeId to);
  void send(NodeId from, NodeId to, RegionId region, uint64_t offset, Bytes bytes, bool stable);
  int receive(SimulatedTransport& node);
  int receive_from(SimulatedTransport& node, NodeId from, Link& link);
  void connect(NodeId a, NodeId b);
  void leave(NodeId node);
  void mix(uint64_t value);

  const SimulatedNetworkConfig config_;
  SeededRandom random_;
  Nanos now_ = 0;
  uint64_t trace_ = 0xcbf29ce484222325ull;
  std::map<NodeId, SimulatedTransport*> nodes_;
  std::map<std::pair<NodeId, NodeId>, Link> links_;  // by (from, to)
};

}  // namespace freshet

#endif  // FRESHET_IO_SIMULATED_NETWORK_H_
