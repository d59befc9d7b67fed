#include "test/native/support/process_transport.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <thread>

#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr size_t kArenaSize = size_t{256} << 20;
constexpr const char* kVariable = "FRESHET_TEST_TRANSPORT";

std::byte* map_arena(int fd) {
  void* memory = mmap(nullptr, kArenaSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  EXPECT(memory != MAP_FAILED);
  return static_cast<std::byte*>(memory);
}

bool put(int fd, const void* from, size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
    if (sent <= 0 && errno != EINTR) return false;
    if (sent > 0) at += sent, size -= static_cast<size_t>(sent);
  }
  return true;
}

bool get(int fd, void* to, size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t taken = recv(fd, at, size, 0);
    if (taken == 0 || (taken < 0 && errno != EINTR)) return false;
    if (taken > 0) at += taken, size -= static_cast<size_t>(taken);
  }
  return true;
}

struct Answer {
  uint64_t value = 0;
  uint64_t events = 0;
  TransportCounters counters;
};

}  // namespace

struct ProcessTransport::Call {
  enum class What : uint32_t {
    kAdd,
    kForget,
    kClose,
    kRenew,
    kGrant,
    kRevoke,
    kLate,
    kLeaving,
    kWrite,
    kBacklog,
    kPoll,
    kFlush
  };
  What what;
  NodeId node = 0;
  RegionId region = {};
  uint32_t stable = 0;
  uint64_t number = 0;       // offset, incarnation, timeout or port
  uint64_t at = UINT64_MAX;  // in the arena; UINT64_MAX: the bytes follow
  uint64_t size = 0;
};

SharedArena::SharedArena() : fd_(memfd_create("freshet-test", 0)) {
  EXPECT(fd_ >= 0 && ftruncate(fd_, kArenaSize) == 0);
  begin_ = map_arena(fd_);
}

SharedArena::~SharedArena() {
  munmap(begin_, kArenaSize);
  close(fd_);
}

MutableBytes SharedArena::take(size_t size) {
  const size_t begin = used_;
  used_ += (size + 4095) & ~size_t{4095};
  EXPECT(used_ <= kArenaSize);
  return {begin_ + begin, size};
}

bool SharedArena::contains(Bytes bytes) const {
  return bytes.data() >= begin_ && bytes.data() + bytes.size() <= begin_ + kArenaSize;
}

Status ProcessTransport::open(const SharedArena& arena, Order& order,
                              std::unique_ptr<Transport>& out) {
  std::unique_ptr<ProcessTransport> transport(new ProcessTransport(arena));
  int calls[2], wakes[2];
  EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, calls) == 0 &&
         socketpair(AF_UNIX, SOCK_STREAM, 0, wakes) == 0);
  // Those made later are not to hold this one's ends open.
  fcntl(calls[0], F_SETFD, FD_CLOEXEC);
  fcntl(wakes[0], F_SETFD, FD_CLOEXEC);
  const std::string fds =
      std::to_string(calls[1]) + ' ' + std::to_string(wakes[1]) + ' ' + std::to_string(arena.fd());
  transport->process_ = fork();
  if (transport->process_ == 0) {
    setenv(kVariable, fds.c_str(), 1);
    execl("/proc/self/exe", "transport", "serve_a_transport", nullptr);
    _exit(127);
  }
  close(calls[1]);
  close(wakes[1]);
  transport->calls_ = calls[0];
  transport->wakes_ = wakes[0];
  const bool answered = put(calls[0], &order, sizeof order) && get(calls[0], &order, sizeof order);
  if (!answered) return Status::kClosed;
  out = std::move(transport);
  return order.status;
}

ProcessTransport::~ProcessTransport() {
  close(calls_);
  close(wakes_);
  waitpid(process_, nullptr, 0);
}

void ProcessTransport::kill() {
  ::kill(process_, SIGKILL);
  shutdown(calls_, SHUT_RDWR);
}

uint64_t ProcessTransport::call(const Call& call, Bytes more) const {
  Answer answer;
  if (!put(calls_, &call, sizeof call) || !put(calls_, more.data(), more.size())) return 0;
  return get(calls_, &answer, sizeof answer) ? answer.value : 0;
}

Status ProcessTransport::add_peer(const PeerAddress& address) {
  Call order{Call::What::kAdd, address.node};
  order.number = address.port;
  order.size = address.host.size();
  return static_cast<Status>(call(order, std::as_bytes(std::span(address.host))));
}

void ProcessTransport::forget_peer(NodeId node) { call({Call::What::kForget, node}, {}); }
void ProcessTransport::close_peer(NodeId node) { call({Call::What::kClose, node}, {}); }
void ProcessTransport::flush() { call({Call::What::kFlush}, {}); }

void ProcessTransport::renew(uint64_t incarnation) {
  Call order{Call::What::kRenew};
  order.number = incarnation;
  call(order, {});
}

Status ProcessTransport::grant(NodeId peer, RegionId id, MutableBytes memory) {
  EXPECT(arena_.contains(memory));
  return static_cast<Status>(
      call({Call::What::kGrant, peer, id, 0, 0, arena_.offset_of(memory), memory.size()}, {}));
}

void ProcessTransport::revoke(NodeId peer, RegionId id) {
  call({Call::What::kRevoke, peer, id}, {});
}

bool ProcessTransport::has_late_writes(NodeId peer) const {
  return call({Call::What::kLate, peer}, {}) != 0;
}

bool ProcessTransport::is_leaving(NodeId peer, const RegionId& id) const {
  return call({Call::What::kLeaving, peer, id}, {}) != 0;
}

void ProcessTransport::write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) {
  Call order{Call::What::kWrite, peer, id, stable, offset, UINT64_MAX, bytes.size()};
  if (arena_.contains(bytes)) order.at = arena_.offset_of(bytes);
  call(order, order.at == UINT64_MAX ? bytes : Bytes{});
}

size_t ProcessTransport::backlog(NodeId peer) const {
  return call({Call::What::kBacklog, peer}, {});
}

int ProcessTransport::poll(Nanos timeout, std::vector<PeerEvent>& events) {
  Call order{Call::What::kPoll};
  order.number = static_cast<uint64_t>(timeout);
  Answer answer;
  if (!put(calls_, &order, sizeof order) || !get(calls_, &answer, sizeof answer)) return 0;
  counters_ = answer.counters;
  for (uint64_t i = 0; i < answer.events; i++) {
    PeerEvent event;
    if (!get(calls_, &event, sizeof event)) break;
    events.push_back(event);
  }
  return static_cast<int>(answer.value);
}

void ProcessTransport::wake_self() {
  const char one = 1;
  put(wakes_, &one, 1);
}

bool serve(const MakeTransport& make) {
  const char* given = std::getenv(kVariable);
  int calls = -1, wakes = -1, shared = -1;
  if (given == nullptr || std::sscanf(given, "%d %d %d", &calls, &wakes, &shared) != 3)
    return false;
  using Call = ProcessTransport::Call;
  using What = Call::What;
  std::byte* const arena = map_arena(shared);
  ProcessTransport::Order order;
  std::unique_ptr<Transport> transport;
  if (!get(calls, &order, sizeof order)) _exit(1);
  order.status = make(order, transport);
  if (!put(calls, &order, sizeof order) || transport == nullptr) _exit(1);
  std::thread waker([&transport, wakes] {
    for (char byte; get(wakes, &byte, 1);) transport->wake_self();
  });
  std::deque<std::vector<std::byte>> kept;  // bytes that came with a call and are to stay
  std::vector<std::byte> given_once;
  std::vector<PeerEvent> events;
  for (Call call; get(calls, &call, sizeof call);) {
    Bytes bytes{arena + (call.at == UINT64_MAX ? 0 : call.at), call.size};
    if (call.at == UINT64_MAX && call.size > 0) {
      std::vector<std::byte>& to = call.stable != 0 ? kept.emplace_back() : given_once;
      to.resize(call.size);
      if (!get(calls, to.data(), to.size())) break;
      bytes = to;
    }
    Answer answer;
    events.clear();
    switch (call.what) {
      case What::kAdd: {
        const std::string host(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        answer.value = static_cast<uint64_t>(
            transport->add_peer({call.node, host, static_cast<uint16_t>(call.number)}));
        break;
      }
      case What::kForget:
        transport->forget_peer(call.node);
        break;
      case What::kClose:
        transport->close_peer(call.node);
        break;
      case What::kRenew:
        transport->renew(call.number);
        break;
      case What::kGrant:
        answer.value = static_cast<uint64_t>(
            transport->grant(call.node, call.region, {arena + call.at, call.size}));
        break;
      case What::kRevoke:
        transport->revoke(call.node, call.region);
        break;
      case What::kLate:
        answer.value = transport->has_late_writes(call.node);
        break;
      case What::kLeaving:
        answer.value = transport->is_leaving(call.node, call.region);
        break;
      case What::kWrite:
        transport->write(call.node, call.region, call.number, bytes, call.stable != 0);
        break;
      case What::kBacklog:
        answer.value = transport->backlog(call.node);
        break;
      case What::kPoll:
        answer.value =
            static_cast<uint64_t>(transport->poll(static_cast<Nanos>(call.number), events));
        break;
      case What::kFlush:
        transport->flush();
        break;
    }
    answer.events = events.size();
    answer.counters = transport->counters();
    if (!put(calls, &answer, sizeof answer)) break;
    if (!put(calls, events.data(), events.size() * sizeof(PeerEvent))) break;
  }
  shutdown(wakes, SHUT_RDWR);
  waker.join();
  transport->stop();
  transport.reset();
  _exit(0);
}

}  // namespace freshet::test
