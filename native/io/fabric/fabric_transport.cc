#include "native/io/fabric/fabric_transport.h"

#include <algorithm>

#include "native/core/check.h"

namespace freshet::fabric {

Status FabricTransport::open(FabricConfig config, std::unique_ptr<FabricTransport>& out) {
  std::unique_ptr<FabricTransport> transport(new FabricTransport(std::move(config)));
  const Status started = transport->start();
  if (is_ok(started)) out = std::move(transport);
  return started;
}

Status FabricTransport::start() {
  config_.control.kind = config_.kind;
  Status status = Provider::open(config_.kind, config_.control.host, provider_);
  if (!is_ok(status)) return status;
  status = TcpTransport::open(config_.control, control_);
  if (!is_ok(status)) return status;
  const int fd = provider_->event_fd();
  return fd < 0 || control_->watch_also(fd) ? Status::kOk : Status::kPeerUnreachable;
}

FabricTransport::Peer* FabricTransport::find_peer(NodeId node) {
  for (const auto& peer : peers_)
    if (peer->node == node) return peer.get();
  return nullptr;
}

const FabricTransport::Peer* FabricTransport::find_peer(NodeId node) const {
  return const_cast<FabricTransport*>(this)->find_peer(node);
}

Status FabricTransport::add_peer(const PeerAddress& address) {
  const Status status = control_->add_peer(address);
  if (!is_ok(status) || find_peer(address.node) != nullptr) return status;
  peers_.push_back(std::make_unique<Peer>());
  Peer& peer = *peers_.back();
  peer.node = address.node;
  return control_->grant(peer.node, kBootRegion, std::as_writable_bytes(std::span(&peer.boot, 1)));
}

void FabricTransport::forget_peer(NodeId node) {
  if (Peer* peer = find_peer(node)) end_link(*peer);
  control_->forget_peer(node);
  std::erase_if(peers_, [node](const auto& peer) { return peer->node == node; });
}

void FabricTransport::close_peer(NodeId node) {
  if (Peer* peer = find_peer(node)) end_link(*peer);
  control_->close_peer(node);
}

void FabricTransport::renew(uint64_t incarnation) {
  for (const auto& peer : peers_) end_link(*peer);
  control_->renew(incarnation);
}

void FabricTransport::stop() {
  for (const auto& peer : peers_) {
    end_link(*peer);
    control_->close_peer(peer->node);
  }
}

Status FabricTransport::grant(NodeId node, RegionId id, MutableBytes memory) {
  Peer* peer = find_peer(node);
  if (peer == nullptr) return Status::kPeerUnreachable;
  if (id == kBootRegion || !peer->regions.emplace(id, memory).second)
    return Status::kInvalidArgument;
  if (peer->link != nullptr) peer->link->grant(id, memory);
  return Status::kOk;
}

void FabricTransport::revoke(NodeId node, RegionId id) {
  Peer* peer = find_peer(node);
  if (peer == nullptr || peer->regions.erase(id) == 0) return;
  if (peer->link != nullptr) peer->link->revoke(id);
}

bool FabricTransport::has_late_writes(NodeId node) const {
  const Peer* peer = find_peer(node);
  return peer != nullptr && peer->link != nullptr && peer->link->has_late_writes();
}

bool FabricTransport::is_leaving(NodeId node, const RegionId& id) const {
  const Peer* peer = find_peer(node);
  return peer != nullptr && peer->link != nullptr && peer->link->is_leaving(id);
}

void FabricTransport::write(NodeId node, RegionId id, uint64_t offset, Bytes bytes, bool stable) {
  Peer* peer = find_peer(node);
  if (peer == nullptr || !peer->told_up || bytes.empty()) return;
  peer->link->write(id, offset, bytes, stable);
  if (peer->link->backlog_copied() > kCopiedMax) close_peer(node);
}

size_t FabricTransport::backlog(NodeId node) const {
  const Peer* peer = find_peer(node);
  return peer != nullptr && peer->told_up ? peer->link->backlog() : 0;
}

uint64_t FabricTransport::random() {
  uint64_t value;
  config_.control.fill_random(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

MutableBytes FabricTransport::find_region(NodeId node, const RegionId& id, uint64_t offset,
                                          size_t length) {
  Peer* peer = find_peer(node);
  const auto found = peer->regions.find(id);
  if (found != peer->regions.end()) {
    const MutableBytes memory = found->second;
    if (offset <= memory.size() && length <= memory.size() - offset)
      return memory.subspan(offset, length);
  }
  counters_.dropped_writes++;
  return {};
}

void FabricTransport::on_ready(NodeId node) {
  Peer& peer = *find_peer(node);
  peer.told_up = true;
  peer.pause = kRetryMin;
  events_.push_back({PeerEvent::Kind::kUp, node, peer.link->incarnation(), Status::kOk});
}

void FabricTransport::begin_link(Peer& peer, uint64_t incarnation) {
  LinkOwner& owner = *this;
  peer.link = std::make_unique<Link>(peer.node, incarnation, *provider_, owner, counters_, now_);
  for (const auto& [id, memory] : peer.regions) peer.link->grant(id, memory);
  const Endpoint* endpoint = peer.link->endpoint();
  if (endpoint == nullptr) return;
  if (endpoint->fd() >= 0) (void)control_->watch_also(endpoint->fd());
  // Not the last cell: that one is written alone.
  const Bytes boot = std::as_bytes(std::span(&peer.link->boot(), 1));
  control_->write(peer.node, kBootRegion, 0, boot.first(offsetof(Boot, wakes)), false);
}

void FabricTransport::end_link(Peer& peer) {
  if (peer.link == nullptr) return;
  if (peer.told_up) {
    const uint64_t incarnation = peer.link->incarnation();
    events_.push_back({PeerEvent::Kind::kDown, peer.node, incarnation, Status::kOk});
  }
  peer.told_up = false;
  peer.retry_at = 0;
  peer.link.reset();
}

void FabricTransport::on_control(const PeerEvent& event) {
  Peer* peer = find_peer(event.node);
  if (event.kind == PeerEvent::Kind::kRefused) {
    events_.push_back(event);
  } else if (peer != nullptr) {
    end_link(*peer);
    if (event.kind == PeerEvent::Kind::kUp) begin_link(*peer, event.incarnation);
  }
}

void FabricTransport::look_at_boot(Peer& peer) {
  if (peer.boot.wakes != peer.wakes_seen) {
    peer.wakes_seen = peer.boot.wakes;
    peer.link->on_wake();
  }
  if (peer.link->state() != Link::State::kBooting) return;
  if (peer.boot.session == 0 || peer.boot.session == peer.old_session) return;
  peer.old_session = peer.boot.session;
  peer.link->on_boot(peer.boot, config_.control.me < peer.node);
}

// What has come of links that are on their way, and of those that broke.
void FabricTransport::look_at_links() {
  connecting_ = 0;
  for (const auto& peer : peers_) {
    if (peer->link == nullptr) continue;
    look_at_boot(*peer);
    const bool broken = peer->link->state() == Link::State::kBroken;
    if (!peer->told_up) connecting_++;
    if (peer->told_up && broken) {
      close_peer(peer->node);
    } else if (!peer->told_up && (broken || now_ >= peer->link->deadline())) {
      // Not at once: what failed here may fail again.
      if (peer->retry_at == 0) {
        peer->retry_at = now_ + peer->pause;
        peer->pause = std::min(peer->pause * 2, kRetryMax);
        const Status fault = peer->link->fault();
        peer->link->shut();
        if (!is_ok(fault)) events_.push_back({PeerEvent::Kind::kRefused, peer->node, 0, fault});
      }
      if (now_ >= peer->retry_at) close_peer(peer->node);
    }
  }
}

void FabricTransport::read_connection_events() {
  fid_eq* const queue = provider_->events();
  if (queue == nullptr) return;
  alignas(fi_eq_cm_entry) std::byte buffer[sizeof(fi_eq_cm_entry) + kNameMax];
  for (;;) {
    uint32_t kind = 0;
    const ssize_t size = fi_eq_read(queue, &kind, buffer, sizeof buffer, 0);
    const fid* about = nullptr;
    if (size == -FI_EAVAIL) {
      fi_eq_err_entry error = {};
      if (fi_eq_readerr(queue, &error, 0) < 0) return;
      about = error.fid;
      kind = FI_SHUTDOWN;
    } else if (size < static_cast<ssize_t>(sizeof(fi_eq_cm_entry))) {
      return;
    } else {
      auto& entry = *reinterpret_cast<fi_eq_cm_entry*>(buffer);
      about = entry.fid;
      if (kind == FI_CONNREQ) {
        const Info request(entry.info, FreeInfo{&provider_->library()});
        const Bytes data{buffer + sizeof entry, static_cast<size_t>(size) - sizeof entry};
        on_request(*request, data);
        continue;
      }
    }
    for (const auto& peer : peers_) {
      Link* const link = peer->link.get();
      if (link == nullptr || link->endpoint() == nullptr || link->endpoint()->id() != about)
        continue;
      if (kind == FI_CONNECTED) link->on_connected();
      if (kind == FI_SHUTDOWN) link->on_closed();
    }
  }
}

void FabricTransport::on_request(fi_info& request, Bytes proof) {
  for (const auto& peer : peers_) {
    if (peer->node > config_.control.me || peer->link == nullptr) continue;
    if (peer->link->is_proven_by(proof)) return peer->link->on_request(request);
  }
  counters_.refused_connections++;
  (void)fi_reject(provider_->listener(), request.handle, nullptr, 0);
}

size_t FabricTransport::send_to(Peer& peer) {
  Link& link = *peer.link;
  size_t moved = link.send();
  if (provider_->traits().has_event) return moved;
  // Either the peer shows itself asleep by now, or it has yet to look for the last time.
  if (moved > 0) moved += link.receive();
  if (link.take_sleeper()) {
    peer.wakes_sent++;
    control_->write(peer.node, kBootRegion, offsetof(Boot, wakes),
                    std::as_bytes(std::span(&peer.wakes_sent, 1)), false);
    control_->flush();
  }
  return moved;
}

size_t FabricTransport::move() {
  size_t moved = 0;
  for (const auto& peer : peers_) {
    if (peer->link == nullptr) continue;
    moved += peer->link->receive();
    moved += send_to(*peer);
  }
  return moved;
}

void FabricTransport::flush() {
  for (const auto& peer : peers_)
    if (peer->link != nullptr) (void)send_to(*peer);
}

// Whether nothing has come since the last look; whatever comes from here on ends the wait, or is
// found after `timeout`.
bool FabricTransport::prepare_sleep(Nanos& timeout) {
  if (connecting_ > 0) timeout = std::min(timeout, kConnectWait);
  queues_.clear();
  if (provider_->events() != nullptr) queues_.push_back(&provider_->events()->fid);
  for (const auto& peer : peers_) {
    if (peer->link == nullptr || peer->link->endpoint() == nullptr) continue;
    if (peer->link->is_stuck()) timeout = std::min(timeout, kStuckWait);
    if (provider_->traits().has_event) {
      queues_.push_back(&peer->link->endpoint()->completions()->fid);
    } else if (peer->told_up && !peer->link->show_asleep()) {
      timeout = std::min(timeout, kStuckWait);
    }
  }
  if (!provider_->traits().has_event) return move() == 0;
  return fi_trywait(&provider_->fabric(), queues_.data(), static_cast<int>(queues_.size())) == 0;
}

void FabricTransport::show_counters() {
  const TransportCounters& control = control_->counters();
  shown_.bytes_written = counters_.bytes_written + control.bytes_written;
  shown_.bytes_read = counters_.bytes_read + control.bytes_read;
  shown_.system_calls = control.system_calls;
  shown_.dropped_writes = counters_.dropped_writes + control.dropped_writes;
  shown_.refused_connections = counters_.refused_connections + control.refused_connections;
}

int FabricTransport::poll(Nanos timeout, std::vector<PeerEvent>& events) {
  now_ = config_.control.now();
  size_t moved = move();
  if (moved > 0 || !events_.empty()) timeout = 0;
  if (timeout > 0 && !prepare_sleep(timeout)) timeout = 0;
  // Busy peers need no look at the control connection each time: that is a call to the kernel.
  if (timeout > 0 || connecting_ > 0 || now_ - looked_ >= kLookEvery) {
    control_events_.clear();
    moved += static_cast<size_t>(control_->poll(timeout, control_events_));
    now_ = looked_ = config_.control.now();
    for (const PeerEvent& event : control_events_) on_control(event);
    read_connection_events();
    look_at_links();
    moved += move();
  }
  // From here on the peer may write: its owner knows of it.
  for (const PeerEvent& event : events_) {
    Peer* const peer = find_peer(event.node);
    if (event.kind == PeerEvent::Kind::kUp && peer != nullptr && peer->told_up)
      peer->link->confirm();
  }
  moved += events_.size();
  events.insert(events.end(), events_.begin(), events_.end());
  events_.clear();
  show_counters();
  return static_cast<int>(std::min<size_t>(moved, INT32_MAX / 2));
}

}  // namespace freshet::fabric

namespace freshet {

Status open_fabric(FabricConfig config, std::unique_ptr<Transport>& out, uint16_t& port) {
  std::unique_ptr<fabric::FabricTransport> transport;
  const Status status = fabric::FabricTransport::open(std::move(config), transport);
  if (!is_ok(status)) return status;
  port = transport->port();
  out = std::move(transport);
  return Status::kOk;
}

FabricReport inspect_fabric(TransportKind kind, const std::string& host) {
  FabricReport report;
  report.compiled = true;
  const fabric::Traits& traits = fabric::traits_of(kind);
  report.pins = traits.hardware;
  report.memlock = fabric::memlock_limit();
  fabric::Library library;
  report.status = fabric::Library::load(library);
  if (!is_ok(report.status)) return report;
  const uint32_t version = library.version();
  report.library = std::to_string(FI_MAJOR(version)) + '.' + std::to_string(FI_MINOR(version));
  fabric::Info info;
  report.status = fabric::Provider::find(library, traits, host, info);
  if (info != nullptr) report.domain = info->domain_attr->name;
  report.ordered = is_ok(report.status);
  if (report.ordered && report.pins && report.memlock < fabric::kMemlockMin)
    report.status = Status::kMemlockTooLow;
  return report;
}

}  // namespace freshet
