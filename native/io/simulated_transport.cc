#include "native/io/simulated_transport.h"

#include <tuple>

#include "native/core/check.h"

namespace freshet {

bool SimulatedTransport::RegionOrder::operator()(const std::pair<NodeId, RegionId>& a,
                                                 const std::pair<NodeId, RegionId>& b) const {
  const auto key = [](const std::pair<NodeId, RegionId>& item) {
    return std::make_tuple(item.first, static_cast<uint16_t>(item.second.kind), item.second.owner,
                           item.second.shard, item.second.epoch, item.second.number);
  };
  return key(a) < key(b);
}

SimulatedTransport::SimulatedTransport(SimulatedNetwork& network, NodeId node, uint64_t incarnation)
    : network_(network), node_(node), incarnation_(incarnation) {}

SimulatedTransport::~SimulatedTransport() { network_.leave(node_); }

Status SimulatedTransport::add_peer(const PeerAddress& address) {
  if (address.node == node_ || address.node == 0) return Status::kInvalidArgument;
  if (!peers_.try_emplace(address.node).second) return Status::kOk;
  network_.connect(node_, address.node);
  return Status::kOk;
}

void SimulatedTransport::forget_peer(NodeId node) {
  if (peers_.erase(node) > 0) network_.drop_connection(node_, node);
}

void SimulatedTransport::close_peer(NodeId node) {
  if (is_up(node)) network_.drop_connection(node_, node);
}

void SimulatedTransport::renew(uint64_t incarnation) {
  incarnation_ = incarnation;
  for (const auto& [node, state] : peers_)
    if (state.up) network_.drop_connection(node_, node);
}

Status SimulatedTransport::grant(NodeId peer, RegionId id, MutableBytes memory) {
  return grants_.try_emplace({peer, id}, memory).second ? Status::kOk : Status::kInvalidArgument;
}

void SimulatedTransport::revoke(NodeId peer, RegionId id) { grants_.erase({peer, id}); }

void SimulatedTransport::write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes,
                               bool stable) {
  if (!is_up(peer) || bytes.empty()) return;
  counters_.bytes_written += bytes.size();
  network_.send(node_, peer, id, offset, bytes, stable);
}

size_t SimulatedTransport::backlog(NodeId peer) const { return network_.link(node_, peer).bytes; }

bool SimulatedTransport::is_up(NodeId peer) const {
  const auto found = peers_.find(peer);
  return found != peers_.end() && found->second.up;
}

int SimulatedTransport::poll(Nanos, std::vector<PeerEvent>& events) {
  const int work = network_.receive(*this) + static_cast<int>(events_.size());
  events.insert(events.end(), events_.begin(), events_.end());
  events_.clear();
  return work;
}

}  // namespace freshet
