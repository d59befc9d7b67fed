#include "native/agent/door/native_door.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "native/agent/door/key_check.h"
#include "native/io/hmac.h"

namespace freshet {

using door::DoorConnection;
using door::FrameType;

namespace {

constexpr Nanos kNever = INT64_MAX;
constexpr uint64_t kListenerMark = 0;  // in epoll's user data; all else there is a connection
constexpr int kEpollEvents = 64;

bool watch(int epoll, int fd, uint32_t interest, uint64_t mark) {
  epoll_event event = {};
  event.events = interest;
  event.data.u64 = mark;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

// False: the frame has another size.
template <typename Frame>
bool read_frame(Bytes bytes, Frame& out) {
  if (bytes.size() != sizeof out) return false;
  std::memcpy(&out, bytes.data(), sizeof out);
  return true;
}

}  // namespace

NativeDoor::NativeDoor(DoorConfig config) : config_(std::move(config)) {}
NativeDoor::~NativeDoor() = default;

Status NativeDoor::open(DoorConfig config, std::unique_ptr<NativeDoor>& out) {
  FRESHET_CHECK(config.wall != nullptr && config.fill_random != nullptr && config.node != 0);
  std::unique_ptr<NativeDoor> door(new NativeDoor(std::move(config)));
  const Status started = door->start();
  if (is_ok(started)) out = std::move(door);
  return started;
}

Status NativeDoor::start() {
  tcp::SocketAddress address;
  Status status = tcp::numeric_address(config_.host, config_.port, address);
  if (is_ok(status)) status = tcp::listen_at(address, listener_, port_);
  if (!is_ok(status)) return status;
  epoll_ = tcp::FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  const bool watched =
      epoll_.valid() && watch(epoll_.get(), listener_.get(), EPOLLIN | EPOLLET, kListenerMark);
  return watched ? Status::kOk : Status::kPeerUnreachable;
}

int NativeDoor::take(Nanos now, uint32_t view) {
  if (ready_) take_readiness();
  if (accepting_) accept_waiting(now);
  if (now >= timer_) run_timers(now);
  if (view != view_) tell_view(view);
  size_t work = 0;
  const size_t count = connections_.size();
  for (size_t i = 0; i < count; i++) work += serve(*connections_[(next_ + i) % count], now);
  next_++;
  bury_dead();
  return static_cast<int>(std::min<size_t>(work, INT32_MAX / 2));
}

int NativeDoor::send() {
  size_t sent = 0;
  for (const auto& connection : connections_)
    if (connection->wants_send()) sent += connection->send();
  bury_dead();
  return static_cast<int>(std::min<size_t>(sent, INT32_MAX / 2));
}

void NativeDoor::take_readiness() {
  ready_ = false;
  epoll_event ready[kEpollEvents];
  int count = kEpollEvents;
  while (count == kEpollEvents) {
    count = epoll_wait(epoll_.get(), ready, kEpollEvents, 0);
    for (int i = 0; i < count; i++) {
      const uint64_t mark = ready[i].data.u64;
      if (mark == kListenerMark) {
        accepting_ = true;
        continue;
      }
      auto* connection = reinterpret_cast<Connection*>(static_cast<uintptr_t>(mark));
      connection->on_edges(ready[i].events);
    }
  }
}

void NativeDoor::accept_waiting(Nanos now) {
  for (size_t i = 0; i < door::kAcceptsPerPass; i++) {
    if (connections_.size() >= door::kConnectionsMax) return;  // once one has gone
    tcp::FileDescriptor fd = tcp::accept_one(listener_.get());
    if (!fd.valid()) {
      // Without a descriptor left it is tried with each pass.
      accepting_ = errno != EAGAIN && errno != EWOULDBLOCK;
      return;
    }
    give_way();
    const Nanos deadline = now + door::kHandshakeTimeout;
    connections_.push_back(std::make_unique<Connection>(std::move(fd), deadline, large_bytes_));
    Connection& connection = *connections_.back();
    timer_ = std::min(timer_, deadline);
    const auto mark = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&connection));
    if (!watch(epoll_.get(), connection.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, mark))
      connection.close();
  }
}

// A client needs few milliseconds; who has waited longest is the least likely to be one.
void NativeDoor::give_way() {
  size_t unproven = 0;
  Connection* oldest = nullptr;
  for (const auto& connection : connections_) {
    if (connection->is_open() || connection->is_dead()) continue;
    unproven++;
    if (oldest == nullptr || connection->deadline() < oldest->deadline()) oldest = connection.get();
  }
  if (unproven >= door::kHandshakesMax) oldest->close();
}

void NativeDoor::run_timers(Nanos now) {
  timer_ = kNever;
  for (const auto& connection : connections_) {
    if (connection->is_dead()) continue;
    if (now >= connection->deadline()) {
      connection->close();
    } else {
      timer_ = std::min(timer_, connection->deadline());
    }
  }
}

void NativeDoor::tell_view(uint32_t view) {
  view_ = view;
  for (const auto& connection : connections_)
    if (connection->is_open())
      connection->push_frame(door::NumberFrame{
          door::make_head(FrameType::kView, sizeof(door::NumberFrame)), static_cast<double>(view)});
}

bool NativeDoor::may_take(const Connection& connection) const {
  return connection.requests < door::kRequestsMax &&
         connection.change_bytes < door::kChangeBytesMax && connection.unsent() < door::kSendMax &&
         request_count_ < door::kAllRequestsMax;
}

size_t NativeDoor::serve(Connection& connection, Nanos now) {
  size_t taken = 0;
  while (taken < door::kBytesPerPass && may_take(connection)) {
    const std::optional<Bytes> frame = connection.front(now);
    if (!frame) {
      timer_ = std::min(timer_, connection.deadline());  // a large one has begun
      if (!connection.wants_receive()) break;
      taken += connection.receive();
      continue;
    }
    const size_t size = frame->size();
    if (!take_frame(connection, *frame, now)) break;
    taken += size;
  }
  return taken;
}

bool NativeDoor::take_frame(Connection& connection, Bytes frame, Nanos now) {
  door::FrameHead head;
  std::memcpy(&head, frame.data(), sizeof head);
  if (!connection.is_open()) {
    if (head.type == FrameType::kHello && connection.state() == Connection::State::kAwaitsHello) {
      take_hello(connection, frame, now);
    } else if (head.type == FrameType::kProof &&
               connection.state() == Connection::State::kAwaitsProof) {
      take_proof(connection, frame, now);
    } else {
      connection.close();
    }
    return true;
  }
  switch (head.type) {
    case FrameType::kChange:
      return take_change(connection, frame, now);
    case FrameType::kGet:
      take_get(connection, frame);
      break;
    case FrameType::kTrigger:
      take_trigger(connection, frame);
      break;
    case FrameType::kSession: {
      door::NumberFrame session = {};
      if (!read_frame(frame, session)) connection.close();
      connection.session = session.number;
      break;
    }
    case FrameType::kWatch:
      take_watch(connection, frame);
      break;
    case FrameType::kUnwatch:
      take_unwatch(connection, frame);
      break;
    case FrameType::kCredit:
      take_credit(connection, frame);
      break;
    default:
      connection.close();
  }
  if (!connection.is_dead()) connection.pop();
  return true;
}

void NativeDoor::take_hello(Connection& connection, Bytes frame, Nanos now) {
  door::HelloFrame hello = {};
  Status status = read_frame(frame, hello) && hello.magic == door::kDoorMagic
                      ? Status::kOk
                      : Status::kInvalidArgument;
  if (is_ok(status) && hello.protocol != door::kDoorProtocol) status = Status::kNewerFormat;
  const Bytes cluster = std::as_bytes(std::span(config_.cluster));
  if (is_ok(status) && !std::ranges::equal(hello.cluster, cluster)) status = Status::kWrongCluster;
  if (is_ok(status) && hello.node != config_.node) status = Status::kNotAMember;
  if (is_ok(status)) status = door::check_ticket(config_.secret, hello.ticket, config_.wall());
  if (!is_ok(status)) {
    connection.refuse(status, now + door::kRefusalTimeout);
    timer_ = std::min(timer_, connection.deadline());
    return;
  }
  connection.pop();
  connection.ticket = hello.ticket;
  connection.handshake.client_nonce = hello.nonce;
  config_.fill_random(connection.handshake.member_nonce);
  connection.handshake.node = config_.node;
  const Digest key = door::ticket_key(config_.secret, connection.ticket);
  const Digest proof = door::member_proof(key, connection.handshake);
  door::ChallengeFrame challenge{door::make_head(FrameType::kChallenge, sizeof challenge),
                                 connection.handshake.member_nonce,
                                 {}};
  std::memcpy(challenge.proof.data(), proof.data(), proof.size());
  connection.push_frame(challenge);
  connection.await_proof();
}

void NativeDoor::take_proof(Connection& connection, Bytes frame, Nanos now) {
  door::ProofFrame shown = {};
  if (!read_frame(frame, shown)) return connection.close();
  const Digest key = door::ticket_key(config_.secret, connection.ticket);
  const Digest expected = door::client_proof(key, connection.handshake);
  if (!equal_in_constant_time(shown.proof, std::as_bytes(std::span(expected)))) {
    connection.refuse(Status::kUnauthenticated, now + door::kRefusalTimeout);
    timer_ = std::min(timer_, connection.deadline());
    return;
  }
  connection.pop();
  connection.open(connection.ticket.rights);
  connection.push_frame(
      door::WelcomeFrame{door::make_head(FrameType::kWelcome, sizeof(door::WelcomeFrame)),
                         static_cast<double>(view_), door::kRequestsMax, door::kChangeBytesMax});
}

NativeDoor::Request& NativeDoor::make_request(Connection& connection, double number, Token& token) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(requests_.size()));
    requests_.emplace_back();
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  token = kDoorTokens + slot;
  Request& request = requests_[slot];
  request.connection = &connection;
  request.number = number;
  request.answers = true;
  connection.requests++;
  request_count_++;
  return request;
}

// Its answer was given, or nobody is there to hear it.
void NativeDoor::answered(Token token) {
  Request& request = requests_[token - kDoorTokens];
  request.answers = false;
  if (request.kind == RequestKind::kTrigger) triggers_--;
  if (request.connection != nullptr) {
    request.connection->requests--;
    request.connection->change_bytes -= request.change_bytes;
    if (request.kind == RequestKind::kTrigger) {
      request.connection->triggers--;
      request.connection->trigger_bytes -= request.trigger_bytes;
    }
    request.connection = nullptr;
  }
  request.change_bytes = 0;
  if (request.memory == nullptr) free_request(token);
}

void NativeDoor::free_request(Token token) {
  Request& request = requests_[token - kDoorTokens];
  request.key.clear();
  free_.push_back(static_cast<uint32_t>(token - kDoorTokens));
  request_count_--;
}

void NativeDoor::on_answer(const Completion& done) {
  Request& request = requests_[done.token - kDoorTokens];
  if (request.connection != nullptr) {
    if (request.kind == RequestKind::kWatch) return begin_watch(done.token, done.status);
    if (request.kind == RequestKind::kGet && is_ok(done.status)) return answer_get(done.token);
    Completion told = done;
    if (request.looks_up && is_ok(done.status)) look_up(request.shard, told);
    push_done(*request.connection, request.number, told);
  }
  answered(done.token);
}

void NativeDoor::on_released(Token token) {
  Request& request = requests_[token - kDoorTokens];
  FRESHET_CHECK_VALUES(request.memory != nullptr, token, request.memory_size);
  large_bytes_ -= request.memory_size;
  request.memory.reset();
  request.memory_size = 0;
  if (!request.answers) free_request(token);
}

void NativeDoor::push_done(Connection& connection, double number, const Completion& done) {
  connection.push_frame(door::DoneFrame{
      door::make_head(FrameType::kDone, sizeof(door::DoneFrame), static_cast<uint8_t>(done.status)),
      number, static_cast<double>(done.epoch), static_cast<double>(done.version),
      static_cast<double>(done.time), static_cast<double>(done.previous_version_of_key)});
}

void NativeDoor::push_failed(Connection& connection, double number, Status status) {
  push_done(connection, number, {0, status, 0, 0, 0, 0});
}

void NativeDoor::bury_dead() {
  const auto is_dead = [](const auto& connection) { return connection->is_dead(); };
  if (std::ranges::none_of(connections_, is_dead)) return;
  for (Request& request : requests_)
    if (request.connection != nullptr && request.connection->is_dead())
      request.connection = nullptr;  // what it asked for goes on; nobody hears the answer
  for (uint32_t at = 0; at < watches_.size(); at++)
    if (watches_[at].connection != nullptr && watches_[at].connection->is_dead()) free_watch(at);
  std::erase_if(connections_, is_dead);
}

}  // namespace freshet
