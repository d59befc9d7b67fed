#include "native/agent/peer_links.h"

#include <algorithm>
#include <utility>

namespace freshet {

struct PeerLinks::Link {
  explicit Link(NodeId peer) : node(peer), channel(peer) {}

  const NodeId node;
  std::shared_ptr<PeerView> view;
  bool up = false;
  bool congested = false;
  size_t unsent = 0;  // at the last look, and blocks since
  Nanos free_at = 0;  // when it was last seen not to be busy
  std::unique_ptr<PairTable> table;
  uint64_t stamp = 0;  // newest seen
  Nanos heard = 0;     // when it moved
  Nanos round_trip = 0;
  PairChannel channel;
  std::deque<std::vector<std::byte>> outbox;  // until the channel has room
};

PeerLinks::PeerLinks(PeerOptions options, Transport& transport)
    : options_(options), transport_(transport) {}
PeerLinks::~PeerLinks() = default;

PeerLinks::Link* PeerLinks::find(NodeId node) const {
  for (const auto& link : links_)
    if (link->node == node) return link.get();
  return nullptr;
}

Status PeerLinks::add(const PeerAddress& address, std::shared_ptr<PeerView> view) {
  Link* link = find(address.node);
  if (link == nullptr && links_.size() == kPeersMax) return Status::kOverloaded;
  const Status status = transport_.add_peer(address);
  if (!is_ok(status) || link != nullptr) return status;
  links_.push_back(std::make_unique<Link>(address.node));
  link = links_.back().get();
  link->view = std::move(view);
  for (const GrantedRegion& region : link->channel.regions()) {
    const Status granted = transport_.grant(region.writer, region.id, region.memory);
    FRESHET_CHECK(is_ok(granted));
  }
  make_table(*link);
  return Status::kOk;
}

void PeerLinks::make_table(Link& link) {
  if (link.table != nullptr) transport_.revoke(link.node, link.table->region().id);
  link.stamp = 0;
  link.table = std::make_unique<PairTable>(options_.me, link.node);
  const GrantedRegion region = link.table->region();
  const Status granted = transport_.grant(region.writer, region.id, region.memory);
  FRESHET_CHECK(is_ok(granted));
}

void PeerLinks::forget(NodeId node) {
  transport_.forget_peer(node);  // with its grants
  Link* link = find(node);
  if (link == nullptr) return;
  end_connection(*link);
  std::erase_if(links_, [node](const auto& item) { return item->node == node; });
}

bool PeerLinks::is_up(NodeId node) const {
  const Link* link = find(node);
  return link != nullptr && link->up;
}

void PeerLinks::on_event(const PeerEvent& event, Nanos now) {
  Link* link = find(event.node);
  if (link == nullptr) return;
  if (event.kind == PeerEvent::Kind::kDown) {
    end_connection(*link);
    make_table(*link);
  } else if (event.kind == PeerEvent::Kind::kUp) {
    link->up = true;
    link->heard = now;
    link->view->up.store(true, std::memory_order_release);
    link->channel.on_up(options_.incarnation + ++sessions_);
    link->table->beat(now, 0, out_);
    write_all();
  }
}

void PeerLinks::end_connection(Link& link) {
  link.up = false;
  link.congested = false;
  freed_ = freed_ || is_busy(link);
  link.unsent = 0;
  link.view->up.store(false, std::memory_order_release);
  link.channel.on_down();
  size_t dropped = 0;
  for (const auto& message : link.outbox) dropped += message.size();
  link.outbox.clear();
  link.view->outbox_bytes.fetch_sub(dropped, std::memory_order_release);
}

void PeerLinks::send(NodeId node, std::vector<std::byte>&& message) {
  Link* link = find(node);
  if (link == nullptr) return;
  link->outbox.push_back(std::move(message));
  if (!link->up) return end_connection(*link);  // lost since it was admitted
  flush_outbox(*link);
}

void PeerLinks::flush_outbox(Link& link) {
  while (!link.outbox.empty()) {
    const size_t size = link.outbox.front().size();
    const Status status = link.channel.send(std::move(link.outbox.front()));
    if (status == Status::kOverloaded) return;
    link.outbox.pop_front();
    link.view->outbox_bytes.fetch_sub(size, std::memory_order_release);
  }
}

void PeerLinks::beat(Nanos now, uint64_t loop_beat) {
  for (const auto& link : links_) {
    if (!link->up) continue;
    link->table->beat(now, loop_beat, out_);
    const auto echoed = static_cast<Nanos>(link->table->echo());
    if (echoed > 0) link->round_trip = now - echoed;
  }
  write_all();
}

int PeerLinks::close_silent(Nanos now) {
  const bool paused = now - looked_ > options_.silence / 2;
  looked_ = now;
  int closed = 0;
  for (const auto& link : links_) {
    if (!link->up) continue;
    const uint64_t stamp = link->table->stamp();
    if (paused || stamp != link->stamp) {
      link->stamp = stamp;
      link->heard = now;
    } else if (now - link->heard > options_.silence) {
      transport_.close_peer(link->node);  // its kDown does the rest
      closed++;
    }
  }
  return closed;
}

int PeerLinks::step(bool take_messages, std::vector<MemberMessage>& messages) {
  int work = 0;
  for (const auto& link : links_) {
    if (!link->up) continue;
    flush_outbox(*link);
    if (!take_messages) continue;
    work += link->channel.step(out_);
    if (is_ok(link->channel.fault())) continue;
    transport_.close_peer(link->node);
    work++;
  }
  write_all();
  for (MemberMessage& message : out_.messages) messages.push_back(std::move(message));
  out_.messages.clear();
  return work;
}

void PeerLinks::write_all() {
  for (const RegionWrite& write : out_.writes)
    transport_.write(write.peer, write.region, write.offset, write.bytes, write.stable);
  out_.writes.clear();
}

const std::vector<PeerLinks::Congestion>& PeerLinks::look_at_backlogs(Nanos now) {
  changed_.clear();
  busy_ = 0;
  eased_ = std::exchange(freed_, false);
  for (const auto& link : links_) {
    const bool was_busy = is_busy(*link);
    const bool held_others = holds_others(*link);
    link->unsent = transport_.backlog(link->node);
    if (!is_busy(*link)) link->free_at = now;
    const bool holds = is_busy(*link) && now - link->free_at < kBusyMax;
    eased_ = eased_ || (was_busy && !is_busy(*link)) || (held_others && !holds);
    if (is_busy(*link)) busy_++;
    const size_t most = link->congested ? options_.congested / 4 : options_.congested;
    const bool congested = link->unsent > most;
    if (congested == link->congested) continue;
    link->congested = congested;
    changed_.push_back({link->node, congested});
  }
  looked_at_ = now;
  return changed_;
}

bool PeerLinks::is_busy(const Link& link) const {
  return link.unsent > options_.congested / kBusyDivisor;
}

bool PeerLinks::holds_others(const Link& link) const {
  return is_busy(link) && looked_at_ - link.free_at < kBusyMax;
}

bool PeerLinks::takes_blocks(NodeId node) const {
  const Link* link = find(node);
  return link != nullptr && !is_busy(*link) &&
         std::ranges::none_of(links_, [this](const auto& other) { return holds_others(*other); });
}

Nanos PeerLinks::eased_at() const {
  Nanos at = INT64_MAX;
  for (const auto& link : links_)
    if (holds_others(*link)) at = std::min(at, link->free_at + kBusyMax);
  return at;
}

void PeerLinks::count_block(NodeId node, size_t size) {
  Link* link = find(node);
  if (link != nullptr) link->unsent += size;
}

Nanos PeerLinks::newest_round_trip(NodeId node) const {
  const Link* link = find(node);
  return link == nullptr ? 0 : link->round_trip;
}

}  // namespace freshet
