#include "test/native/simulation/world_transport.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace freshet::test {

WorldTransport::WorldTransport(ViewNetwork& network, MemberId id, std::function<void()> wake)
    : network_(network), id_(id), wake_(std::move(wake)), row_(ViewRow::kSlot) {}

void WorldTransport::end(bool reset) {
  if (joined_) network_.end(id_.node, reset);
  joined_ = false;
}

// All members know all others, from the same pass on.
Status WorldTransport::add_peer(const PeerAddress& address) {
  known_[address.node] = true;
  if (!joined_) network_.begin(id_, *this);
  joined_ = true;
  return Status::kOk;
}

void WorldTransport::forget_peer(NodeId node) {
  known_[node] = false;
  close_peer(node);
}

void WorldTransport::close_peer(NodeId node) {
  if (up_[node]) network_.drop(id_.node, node);
}

void WorldTransport::renew(uint64_t incarnation) {
  for (NodeId node = 1; node < up_.size(); node++)
    if (up_[node]) on_link_down(node);
  id_.incarnation = incarnation;
  if (!joined_) return;
  network_.end(id_.node, true);
  network_.begin(id_, *this);
}

Status WorldTransport::grant(NodeId peer, RegionId id, MutableBytes memory) {
  for (const Grant& grant : grants_[peer])
    if (grant.id == id) return Status::kInvalidArgument;
  grants_[peer].push_back({id, memory});
  return Status::kOk;
}

void WorldTransport::revoke(NodeId peer, RegionId id) {
  std::erase_if(grants_[peer], [&](const Grant& grant) { return grant.id == id; });
}

void WorldTransport::write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool) {
  if (id.kind == RegionKind::kViewRow && offset / 8 < row_.size())
    std::memcpy(&row_[offset / 8], bytes.data(),
                std::min(bytes.size(), 8 * (row_.size() - offset / 8)));
  if (!up_[peer] || bytes.empty()) return;
  counters_.bytes_written += bytes.size();
  network_.send(id_.node, peer, id, offset, bytes);
}

int WorldTransport::poll(Nanos, std::vector<PeerEvent>& events) {
  events.insert(events.end(), events_.begin(), events_.end());
  const int work = arrived_ + static_cast<int>(events_.size());
  events_.clear();
  arrived_ = 0;
  return work;
}

bool WorldTransport::take_touched(std::vector<RegionId>& touched) {
  touched.insert(touched.end(), touched_.begin(), touched_.end());
  touched_.clear();
  looks_++;
  return true;
}

void WorldTransport::on_link_up(const MemberId& peer) {
  up_[peer.node] = true;
  events_.push_back({PeerEvent::Kind::kUp, peer.node, peer.incarnation, Status::kOk});
  wake_();
}

void WorldTransport::on_link_down(NodeId peer) {
  up_[peer] = false;
  events_.push_back({PeerEvent::Kind::kDown, peer, 0, Status::kPeerUnreachable});
  wake_();
}

void WorldTransport::on_write(NodeId from, const RegionId& region, uint64_t offset, Bytes bytes) {
  arrived_++;
  for (Grant& grant : grants_[from]) {
    if (grant.id != region) continue;
    if (offset > grant.memory.size() || bytes.size() > grant.memory.size() - offset) break;
    std::memcpy(grant.memory.data() + offset, bytes.data(), bytes.size());
    counters_.bytes_read += bytes.size();
    if (grant.touched != looks_) touched_.push_back(region);
    grant.touched = looks_;
    return wake_();
  }
  counters_.dropped_writes++;
}

}  // namespace freshet::test
