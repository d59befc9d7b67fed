#include "native/io/simulated_network.h"

#include <algorithm>
#include <cstring>

#include "native/core/check.h"
#include "native/core/checksum.h"
#include "native/io/simulated_transport.h"

namespace freshet {

SimulatedNetwork::SimulatedNetwork(SimulatedNetworkConfig config)
    : config_(config), random_(config.seed) {}
SimulatedNetwork::~SimulatedNetwork() = default;

std::unique_ptr<SimulatedTransport> SimulatedNetwork::join(NodeId node) {
  FRESHET_CHECK_VALUES(!nodes_.contains(node), node, 0);
  auto transport = std::make_unique<SimulatedTransport>(*this, node, random_.next());
  nodes_[node] = transport.get();
  return transport;
}

void SimulatedNetwork::leave(NodeId node) {
  nodes_.erase(node);
  for (const auto& [other, transport] : nodes_) drop_connection(node, other);
}

void SimulatedNetwork::advance_to(Nanos now) {
  FRESHET_CHECK_VALUES(now >= now_, now, now_);
  now_ = now;
}

SimulatedNetwork::Link& SimulatedNetwork::link(NodeId from, NodeId to) {
  return links_.try_emplace({from, to}, Link{config_.delay_min, config_.delay_max, 0, false, 0, {}})
      .first->second;
}

Nanos SimulatedNetwork::next_arrival(NodeId node) const {
  Nanos next = INT64_MAX;
  for (const auto& [ends, link] : links_) {
    if (ends.second == node && !link.cut && !link.writes.empty())
      next = std::min(next, link.writes.front().arrival);
  }
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return next;
  for (const auto& [peer, state] : found->second->peers_) {
    if (!state.up) next = std::min(next, state.up_at);
  }
  return found->second->events_.empty() ? next : now_;
}

void SimulatedNetwork::set_delay(NodeId from, NodeId to, Nanos least, Nanos most) {
  Link& way = link(from, to);
  way.delay_min = least;
  way.delay_max = most;
}

void SimulatedNetwork::cut(NodeId from, NodeId to) { link(from, to).cut = true; }

void SimulatedNetwork::heal(NodeId from, NodeId to) { link(from, to).cut = false; }

void SimulatedNetwork::drop_connection(NodeId a, NodeId b) {
  for (const auto& [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
    Link& way = link(from, to);
    way.writes.clear();
    way.bytes = 0;
    const auto found = nodes_.find(to);
    if (found == nodes_.end()) continue;
    const auto peer = found->second->peers_.find(from);
    if (peer == found->second->peers_.end()) continue;
    if (peer->second.up)
      found->second->events_.push_back({PeerEvent::Kind::kDown, from, 0, Status::kPeerUnreachable});
    peer->second = {};
  }
  connect(a, b);
}

// Both ends dial when both know each other.
void SimulatedNetwork::connect(NodeId a, NodeId b) {
  const auto one = nodes_.find(a);
  const auto other = nodes_.find(b);
  if (one == nodes_.end() || other == nodes_.end()) return;
  const auto forth = one->second->peers_.find(b);
  const auto back = other->second->peers_.find(a);
  if (forth == one->second->peers_.end() || back == other->second->peers_.end()) return;
  const Nanos stands = now_ + config_.dial_time + random_.between(0, config_.delay_max);
  forth->second = {false, stands};
  back->second = {false, stands};
}

void SimulatedNetwork::send(NodeId from, NodeId to, RegionId region, uint64_t offset, Bytes bytes,
                            bool stable) {
  Link& way = link(from, to);
  const Nanos delay = random_.between(way.delay_min, way.delay_max);
  way.last_arrival = std::max(way.last_arrival, now_ + delay);
  Write write{way.last_arrival, region, offset, {}, {}};
  if (stable) {
    write.stable = bytes;
  } else {
    write.copy.assign(bytes.begin(), bytes.end());
  }
  way.bytes += bytes.size();
  way.writes.push_back(std::move(write));
}

int SimulatedNetwork::receive(SimulatedTransport& node) {
  int work = 0;
  for (auto& [peer, state] : node.peers_) {
    if (state.up || state.up_at > now_) continue;
    // The connection stands at both ends at once, so that no write finds it half open.
    SimulatedTransport& other = *nodes_.at(peer);
    state.up = true;
    other.peers_.at(node.node_).up = true;
    node.events_.push_back({PeerEvent::Kind::kUp, peer, other.incarnation_, Status::kOk});
    other.events_.push_back({PeerEvent::Kind::kUp, node.node_, node.incarnation_, Status::kOk});
  }
  for (const auto& [peer, state] : node.peers_) {
    Link& way = link(peer, node.node_);
    if (state.up && !way.cut) work += receive_from(node, peer, way);
  }
  return work;
}

int SimulatedNetwork::receive_from(SimulatedTransport& node, NodeId from, Link& way) {
  int work = 0;
  for (; !way.writes.empty() && way.writes.front().arrival <= now_; work++) {
    const Write& write = way.writes.front();
    const Bytes bytes = write.bytes();
    const auto found = node.grants_.find({from, write.region});
    const bool fits = found != node.grants_.end() && write.offset <= found->second.size() &&
                      bytes.size() <= found->second.size() - write.offset;
    if (!fits) {
      node.counters_.dropped_writes++;
    } else if (random_.chance(config_.tear_percent)) {
      // Any part of the cells now; all of it, again, with the next poll.
      std::byte* at = found->second.data() + write.offset;
      for (size_t cell = 0; cell + 8 <= bytes.size(); cell += 8) {
        if (random_.chance(50)) std::memcpy(at + cell, bytes.data() + cell, 8);
      }
      return work + 1;
    } else {
      std::memcpy(found->second.data() + write.offset, bytes.data(), bytes.size());
      node.counters_.bytes_read += bytes.size();
      mix(static_cast<uint64_t>(now_));
      mix((uint64_t{from} << 32) | node.node_);
      mix(write.offset);
      mix(crc32c(bytes.data(), bytes.size()));
    }
    way.bytes -= bytes.size();
    way.writes.pop_front();
  }
  return work;
}

// FNV-1a over whole words.
void SimulatedNetwork::mix(uint64_t value) { trace_ = (trace_ ^ value) * 0x100000001b3ull; }

}  // namespace freshet
