// A member's end of a SimulatedNetwork.
//
// Thread: one; see simulated_network.h.
#ifndef FRESHET_IO_SIMULATED_TRANSPORT_H_
#define FRESHET_IO_SIMULATED_TRANSPORT_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "native/io/simulated_network.h"
#include "native/io/transport.h"

namespace freshet {

class SimulatedTransport final : public Transport {
 public:
  SimulatedTransport(SimulatedNetwork& network, NodeId node, uint64_t incarnation);
  ~SimulatedTransport() override;

  Status add_peer(const PeerAddress& address) override;
  void forget_peer(NodeId node) override;
  void close_peer(NodeId node) override;
  void renew(uint64_t incarnation) override;
  Status grant(NodeId peer, RegionId id, MutableBytes memory) override;
  void revoke(NodeId peer, RegionId id) override;
  void write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) override;
  size_t backlog(NodeId peer) const override;
  // Virtual time stands still in it: returns at once, whatever `timeout` is.
  int poll(Nanos timeout, std::vector<PeerEvent>& events) override;
  void wake_self() override {}
  const TransportCounters& counters() const override { return counters_; }

  bool is_up(NodeId peer) const;

 private:
  friend class SimulatedNetwork;

  struct PeerState {
    bool up = false;
    Nanos up_at = INT64_MAX;  // when the connection under way stands
  };
  struct RegionOrder {
    bool operator()(const std::pair<NodeId, RegionId>& a,
                    const std::pair<NodeId, RegionId>& b) const;
  };

  SimulatedNetwork& network_;
  const NodeId node_;
  uint64_t incarnation_;
  std::map<NodeId, PeerState> peers_;
  std::map<std::pair<NodeId, RegionId>, MutableBytes, RegionOrder> grants_;
  std::vector<PeerEvent> events_;  // for the next poll
  TransportCounters counters_;
};

}  // namespace freshet

#endif  // FRESHET_IO_SIMULATED_TRANSPORT_H_
