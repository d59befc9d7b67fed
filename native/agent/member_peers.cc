// The member's calls about its peers.
#include "native/agent/member.h"
#include "native/io/tcp/socket.h"

namespace freshet {

Status Member::add_peer(const PeerAddress& address) {
  if (is_closed()) return Status::kClosed;
  if (address.node == 0 || address.node == config_.node) return Status::kInvalidArgument;
  const auto found = peers_.find(address.node);
  if (found == peers_.end() && peers_.size() == kPeersMax) return Status::kOverloaded;
  const auto view = found != peers_.end() ? found->second : std::make_shared<PeerView>();
  tcp::SocketAddress numeric;
  Status status = Status::kOk;
  if (!address.host.empty()) status = tcp::numeric_address(address.host, address.port, numeric);
  if (!is_ok(status)) return status;
  status = call(
      [address, view](Agent& agent) {
        const Status added = agent.add_peer(address, view);
        FRESHET_CHECK_VALUES(is_ok(added), static_cast<int>(added), address.node);
      },
      false);
  if (is_ok(status)) peers_.emplace(address.node, view);
  return status;
}

Status Member::forget_peer(NodeId node) {
  if (is_closed()) return Status::kClosed;
  if (peers_.erase(node) == 0) return Status::kOk;
  return call([node](Agent& agent) { agent.forget_peer(node); }, false);
}

Status Member::send_message(NodeId node, Bytes message) {
  if (is_closed()) return Status::kClosed;
  if (message.size() > kPairMessageMax) return Status::kValueTooLarge;
  const auto found = peers_.find(node);
  if (found == peers_.end() || !found->second->up.load(std::memory_order_acquire))
    return Status::kPeerUnreachable;
  std::atomic<size_t>& waiting = found->second->outbox_bytes;
  const size_t before = waiting.load(std::memory_order_acquire);
  if (before > 0 && before + message.size() > kOutboxBytesMax) return Status::kOverloaded;
  waiting.fetch_add(message.size(), std::memory_order_relaxed);
  const auto copy = std::make_shared<std::vector<std::byte>>(message.begin(), message.end());
  const Status status =
      call([node, copy](Agent& agent) { agent.links().send(node, std::move(*copy)); }, false);
  if (!is_ok(status)) waiting.fetch_sub(message.size(), std::memory_order_relaxed);
  return status;
}

}  // namespace freshet
