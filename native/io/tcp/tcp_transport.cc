#include "native/io/tcp/tcp_transport.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "native/core/check.h"
#include "native/core/work_meter.h"

namespace freshet {

using tcp::Connection;

namespace {

constexpr Nanos kNever = INT64_MAX;
constexpr Nanos kAcceptPause = 100'000'000;  // when the process has no descriptor left
constexpr int kEpollEvents = 64;
// Marks in epoll's user data; everything else there is a Connection.
constexpr uint64_t kWakeMark = 1;
constexpr uint64_t kListenerMark = 2;
constexpr uint64_t kOtherMark = 3;
constexpr uint64_t kGuestMark = 4;

bool add_to(int epoll, int fd, uint32_t interest, uint64_t mark) {
  epoll_event event = {};
  event.events = interest;
  event.data.u64 = mark;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

TcpTransport::TcpTransport(TcpConfig config) : config_(std::move(config)) {}
TcpTransport::~TcpTransport() = default;

Status TcpTransport::open(TcpConfig config, std::unique_ptr<TcpTransport>& out) {
  FRESHET_CHECK(config.now != nullptr && config.fill_random != nullptr && config.me != 0);
  std::unique_ptr<TcpTransport> transport(new TcpTransport(std::move(config)));
  const Status started = transport->start();
  if (is_ok(started)) out = std::move(transport);
  return started;
}

Status TcpTransport::start() {
  tcp::SocketAddress address;
  Status status = tcp::numeric_address(config_.host, config_.port, address);
  if (!is_ok(status)) return status;
  status = tcp::listen_at(address, listener_, port_);
  if (!is_ok(status)) return status;
  epoll_ = tcp::FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  wake_ = tcp::FileDescriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!epoll_.valid() || !wake_.valid()) return Status::kPeerUnreachable;
  if (!add_to(epoll_.get(), wake_.get(), EPOLLIN | EPOLLET, kWakeMark) ||
      !add_to(epoll_.get(), listener_.get(), EPOLLIN | EPOLLET, kListenerMark))
    return Status::kPeerUnreachable;
  return Status::kOk;
}

bool TcpTransport::watch_also(int fd) { return add_to(epoll_.get(), fd, EPOLLIN, kOtherMark); }

TcpTransport::Peer* TcpTransport::find_peer(NodeId node) {
  for (const auto& peer : peers_)
    if (peer->node == node) return peer.get();
  return nullptr;
}

const TcpTransport::Peer* TcpTransport::find_peer(NodeId node) const {
  return const_cast<TcpTransport*>(this)->find_peer(node);
}

Status TcpTransport::add_peer(const PeerAddress& address) {
  if (address.node == 0 || address.node == config_.me) return Status::kInvalidArgument;
  tcp::SocketAddress numeric;
  if (!address.host.empty()) {
    const Status status = tcp::numeric_address(address.host, address.port, numeric);
    if (!is_ok(status)) return status;
  }
  Peer* peer = find_peer(address.node);
  if (peer == nullptr) {
    peers_.push_back(std::make_unique<Peer>());
    peer = peers_.back().get();
    peer->node = address.node;
  }
  // What is under way goes to where it was before.
  if (peer->dialling != nullptr) {
    peer->dialling->close();
    bury(*peer->dialling);
  }
  peer->address = numeric;
  peer->pause = tcp::kRedialMin;
  peer->dial_at = 0;
  timer_ = 0;
  return Status::kOk;
}

void TcpTransport::forget_peer(NodeId node) {
  close_peer(node);
  std::erase_if(peers_, [node](const auto& peer) { return peer->node == node; });
}

void TcpTransport::close_peer(NodeId node) {
  for (const auto& connection : connections_) {
    if (connection->peer() != node || connection->state() == Connection::State::kDead) continue;
    connection->close();
    bury(*connection);
  }
}

void TcpTransport::renew(uint64_t incarnation) {
  config_.incarnation = incarnation;
  for (const auto& connection : connections_) {
    if (connection->state() == Connection::State::kDead) continue;
    connection->close();
    bury(*connection);
  }
}

Status TcpTransport::grant(NodeId node, RegionId id, MutableBytes memory) {
  Peer* peer = find_peer(node);
  if (peer == nullptr) return Status::kPeerUnreachable;
  return peer->regions.emplace(id, Region{memory, false}).second ? Status::kOk
                                                                 : Status::kInvalidArgument;
}

void TcpTransport::revoke(NodeId node, RegionId id) {
  Peer* peer = find_peer(node);
  if (peer == nullptr || peer->regions.erase(id) == 0) return;
  if (peer->up != nullptr) peer->up->reader().revoke(id);
}

void TcpTransport::write(NodeId node, RegionId id, uint64_t offset, Bytes bytes, bool stable) {
  Peer* peer = find_peer(node);
  if (peer == nullptr || peer->up == nullptr || bytes.empty()) return;
  tcp::SendQueue& queue = peer->up->queue();
  queue.push_write(id, offset, bytes, stable);
  if (queue.copied_size() > tcp::kCopiedMax) close_peer(node);
}

size_t TcpTransport::backlog(NodeId node) const {
  const Peer* peer = find_peer(node);
  return peer != nullptr && peer->up != nullptr ? peer->up->queue().size() : 0;
}

MutableBytes TcpTransport::find_region(NodeId node, const RegionId& id, uint64_t offset,
                                       size_t length) {
  Peer* peer = find_peer(node);
  if (peer != nullptr) {
    const auto found = peer->regions.find(id);
    if (found != peer->regions.end()) {
      Region& region = found->second;
      if (offset <= region.memory.size() && length <= region.memory.size() - offset) {
        if (!region.touched) peer->touched.push_back(id);
        region.touched = true;
        return region.memory.subspan(offset, length);
      }
    }
  }
  counters_.dropped_writes++;
  return {};
}

bool TcpTransport::may_dial(NodeId node) const {
  return node < config_.me && find_peer(node) != nullptr;
}

void TcpTransport::on_up(Connection& connection) {
  Peer* peer = find_peer(connection.peer());
  if (peer == nullptr) return connection.close();  // forgotten meanwhile
  if (peer->up != nullptr) {
    // The other side dialled anew, so it has given up the old connection.
    Connection& old = *peer->up;
    old.close();
    bury(old);
  }
  if (peer->dialling == &connection) peer->dialling = nullptr;
  peer->up = &connection;
  peer->pause = tcp::kRedialMin;
  peer->refusals = 0;
  events_.push_back({PeerEvent::Kind::kUp, peer->node, connection.incarnation(), Status::kOk});
}

void TcpTransport::on_refused(Connection& connection, Status reason) {
  counters_.refused_connections++;
  report_refusal(connection.peer(), reason, !connection.is_dialled());
  for (const auto& peer : peers_)
    if (peer->dialling == &connection) peer->refusals++;
  if (connection.state() != Connection::State::kDead) {
    connection.refuse(reason, now_ + tcp::kRefusalTimeout);
    timer_ = std::min(timer_, connection.deadline());
  }
}

void TcpTransport::report_refusal(NodeId node, Status reason, bool stranger) {
  if (stranger) {
    if (now_ - refusals_since_ >= 1'000'000'000) {
      refusals_since_ = now_;
      refusals_ = 0;
    }
    if (++refusals_ > tcp::kRefusalEventsPerSecond) return;
  }
  events_.push_back({PeerEvent::Kind::kRefused, node, 0, reason});
}

Connection& TcpTransport::add_connection(tcp::FileDescriptor fd, NodeId to) {
  tcp::Identity mine;
  mine.cluster = config_.cluster;
  mine.node = config_.me;
  mine.to = to;
  mine.incarnation = config_.incarnation;
  mine.view = config_.view;
  mine.transport = static_cast<uint32_t>(config_.kind);
  config_.fill_random(std::as_writable_bytes(std::span(mine.nonce)));
  tcp::ConnectionOwner& owner = *this;
  connections_.push_back(
      std::make_unique<Connection>(std::move(fd), mine, config_.secret, owner, counters_, now_));
  Connection& connection = *connections_.back();
  timer_ = std::min(timer_, connection.deadline());
  const auto mark = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&connection));
  if (!add_to(epoll_.get(), connection.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, mark))
    connection.close();
  return connection;
}

void TcpTransport::dial(Peer& peer, Nanos now) {
  peer.dial_at = now + peer.pause;
  const bool is_usual = peer.refusals < tcp::kUsualRefusals;
  peer.pause = std::min(peer.pause * 2, is_usual ? tcp::kRedialMax : tcp::kRefusedRedialMax);
  tcp::FileDescriptor fd;
  counters_.system_calls++;
  if (!is_ok(tcp::begin_connect(peer.address, fd))) return;
  peer.dialling = &add_connection(std::move(fd), peer.node);
}

void TcpTransport::accept_waiting(Nanos now) {
  for (size_t i = 0; i < tcp::kAcceptsPerPoll; i++) {
    counters_.system_calls++;
    tcp::FileDescriptor fd = tcp::accept_one(listener_.get());
    if (!fd.valid()) {
      accepting_ = errno == EINTR || errno == ECONNABORTED;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        accepting_ = true;
        accept_at_ = now + kAcceptPause;
        timer_ = std::min(timer_, accept_at_);
      }
      return;
    }
    evict_half_open();
    add_connection(std::move(fd), 0);
  }
}

void TcpTransport::evict_half_open() {
  size_t half_open = 0;
  Connection* oldest = nullptr;
  for (const auto& connection : connections_) {
    if (connection->is_dialled() || connection->is_up() ||
        connection->state() == Connection::State::kDead)
      continue;
    half_open++;
    if (oldest == nullptr || connection->deadline() < oldest->deadline()) oldest = connection.get();
  }
  if (half_open < tcp::kHalfOpenMax) return;
  // A member needs less than a millisecond; who has waited longest is the least likely to be one.
  counters_.refused_connections++;
  oldest->close();
}

void TcpTransport::run_timers(Nanos now) {
  if (now < timer_) return;
  timer_ = kNever;
  for (const auto& connection : connections_) {
    if (connection->is_up() || connection->state() == Connection::State::kDead) continue;
    if (now >= connection->deadline()) {
      connection->close();
      bury(*connection);
    } else {
      timer_ = std::min(timer_, connection->deadline());
    }
  }
  for (const auto& peer : peers_) {
    if (peer->node < config_.me || peer->up != nullptr || peer->dialling != nullptr) continue;
    if (peer->address.length == 0) continue;
    if (now >= peer->dial_at) dial(*peer, now);
    if (peer->dialling == nullptr) timer_ = std::min(timer_, peer->dial_at);
  }
  if (accepting_ && accept_at_ > now) timer_ = std::min(timer_, accept_at_);
}

// Tells the peer's state that this connection, already closed, is gone.
void TcpTransport::bury(Connection& connection) {
  for (const auto& peer : peers_) {
    if (peer->dialling == &connection) {
      peer->dialling = nullptr;
      timer_ = std::min(timer_, peer->dial_at);
    }
    if (peer->up != &connection) continue;
    peer->up = nullptr;
    peer->dial_at = now_ + peer->pause;
    timer_ = std::min(timer_, peer->dial_at);
    events_.push_back({PeerEvent::Kind::kDown, peer->node, connection.incarnation(), Status::kOk});
  }
}

void TcpTransport::bury_dead() {
  for (const auto& connection : connections_)
    if (connection->state() == Connection::State::kDead) bury(*connection);
  if (heard_ != nullptr && heard_->state() == Connection::State::kDead) heard_ = nullptr;
  std::erase_if(connections_, [](const auto& connection) {
    return connection->state() == Connection::State::kDead;
  });
}

// Who wrote to us last is likely to wait for what we say to it.
size_t TcpTransport::send_queued() {
  size_t moved = 0;
  if (heard_ != nullptr && heard_->wants_send()) moved += heard_->send();
  for (const auto& connection : connections_)
    if (connection->wants_send()) moved += connection->send();
  return moved;
}

size_t TcpTransport::move_bytes() {
  size_t moved = 0;
  // By index: taking in a frame may close other connections, but adds none.
  for (size_t i = 0; i < connections_.size(); i++) {
    Connection& connection = *connections_[i];
    size_t received = 0;
    while (connection.wants_receive() && received < tcp::kReceivedPerPoll) {
      const size_t size = connection.receive();
      if (size == 0) break;
      received += size;
    }
    if (received > 0) heard_ = &connection;
    moved += received;
    // Handshakes go on at once, and so does what waited for room in the socket.
    if (connection.wants_send()) moved += connection.send();
  }
  return moved;
}

void TcpTransport::wait(Nanos timeout, Nanos now) {
  if (timer_ != kNever) timeout = std::min(timeout, std::max<Nanos>(timer_ - now, 0));
  const auto milliseconds =
      static_cast<int>(std::min<Nanos>((timeout + 999'999) / 1'000'000, INT32_MAX));
  epoll_event ready[kEpollEvents];
  counters_.system_calls++;
  const int count = [&] {
    const WorkScope scope(milliseconds > 0 ? Work::kIdle : Work::kSystem);
    return epoll_wait(epoll_.get(), ready, kEpollEvents, milliseconds);
  }();
  for (int i = 0; i < count; i++) {
    const uint64_t mark = ready[i].data.u64;
    if (mark == kListenerMark) {
      accepting_ = true;
    } else if (mark == kGuestMark) {
      on_guest_();
    } else if (mark != kWakeMark && mark != kOtherMark) {  // a wake is over with this wait
      auto* connection = reinterpret_cast<Connection*>(static_cast<uintptr_t>(mark));
      connection->on_edges(ready[i].events);
    }
  }
}

int TcpTransport::poll(Nanos timeout, std::vector<PeerEvent>& events) {
  now_ = config_.now();
  bury_dead();
  run_timers(now_);
  size_t moved = send_queued();
  bool readable = accepting_ && accept_at_ <= now_;
  for (const auto& connection : connections_) readable = readable || connection->wants_receive();
  wait(readable || !events_.empty() ? 0 : timeout, now_);
  if (accepting_ && accept_at_ <= now_) accept_waiting(now_);
  moved += move_bytes();
  bury_dead();
  const int done = static_cast<int>(std::min<size_t>(moved, INT32_MAX / 2) + events_.size());
  events.insert(events.end(), events_.begin(), events_.end());
  events_.clear();
  return done;
}

bool TcpTransport::take_touched(std::vector<RegionId>& touched) {
  for (const auto& peer : peers_) {
    for (const RegionId& id : peer->touched) {
      const auto found = peer->regions.find(id);
      if (found == peer->regions.end()) continue;  // revoked since
      found->second.touched = false;
      touched.push_back(id);
    }
    peer->touched.clear();
  }
  return true;
}

bool TcpTransport::watch(int descriptor, std::function<void()> then) {
  FRESHET_CHECK(on_guest_ == nullptr);
  on_guest_ = std::move(then);
  return add_to(epoll_.get(), descriptor, EPOLLIN, kGuestMark);
}

void TcpTransport::wake_self() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t result = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace freshet
