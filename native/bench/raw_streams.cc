#include "native/bench/raw_streams.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <limits>
#include <new>
#include <vector>

#include "native/bench/raw_blocks.h"
#include "native/core/check.h"
#include "native/io/tcp/socket.h"

namespace freshet::bench {
namespace {

constexpr int kProcessesMax = 16;
constexpr Nanos kWarm = 300'000'000;

struct Given {
  std::atomic<uint64_t> bytes[kProcessesMax];
};

// One side of a stream between this process and another.
struct Stream {
  int fd = -1;
  uint64_t sent = 0;
  size_t received = 0;  // of the message that comes
};

// Where the others reach a process.
struct Listener {
  int fd = -1;
  sockaddr_in address = {};
};

int open_socket(std::string_view congestion_control) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (!congestion_control.empty()) tcp::set_congestion_control(fd, congestion_control);
  return fd;
}

Listener listen_on_loopback(std::string_view congestion_control) {
  Listener listener;
  listener.fd = open_socket(congestion_control);
  listener.address.sin_family = AF_INET;
  listener.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof listener.address;
  auto* raw = reinterpret_cast<sockaddr*>(&listener.address);
  FRESHET_CHECK(bind(listener.fd, raw, length) == 0 && listen(listener.fd, kProcessesMax) == 0);
  FRESHET_CHECK(getsockname(listener.fd, raw, &length) == 0);
  return listener;
}

// The process with `index`: takes from all senders and gives to all others until it is ended.
class Carrier {
 public:
  Carrier(int index, bool sends, size_t size, std::atomic<uint64_t>& given)
      : sends_(sends), given_(given), message_(size, static_cast<char>(index)), taken_(size) {}

  void connect_to(const Listener& other, std::string_view congestion_control) {
    const int fd = open_socket(congestion_control);
    const auto* raw = reinterpret_cast<const sockaddr*>(&other.address);
    FRESHET_CHECK(connect(fd, raw, sizeof other.address) == 0);
    streams_.push_back({fd});
  }

  void accept_from(const Listener& own) { streams_.push_back({accept(own.fd, nullptr, nullptr)}); }

  void carry() {
    for (;;) {
      std::vector<pollfd> waited;
      for (const Stream& stream : streams_) {
        const bool gives = sends_ && stream.sent < fewest_sent() + message_.size();
        waited.push_back({stream.fd, static_cast<short>(POLLIN | (gives ? POLLOUT : 0)), 0});
      }
      FRESHET_CHECK(poll(waited.data(), waited.size(), -1) > 0);
      for (size_t i = 0; i < streams_.size(); i++) {
        if (waited[i].revents & POLLIN) take(streams_[i]);
        if (waited[i].revents & POLLOUT) give(streams_[i]);
      }
      given_.store(fewest_sent(), std::memory_order_relaxed);
    }
  }

 private:
  // The messages that have gone to all.
  uint64_t fewest_sent() const {
    uint64_t fewest = std::numeric_limits<uint64_t>::max();
    for (const Stream& stream : streams_) fewest = std::min(fewest, stream.sent);
    return fewest;
  }

  void give(Stream& stream) {
    const size_t from = stream.sent % message_.size();
    const ssize_t size = send(stream.fd, message_.data() + from, message_.size() - from,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN) _exit(0);  // another was ended
    if (size > 0) stream.sent += static_cast<uint64_t>(size);
  }

  void take(Stream& stream) {
    const ssize_t size = recv(stream.fd, taken_.data() + stream.received,
                              taken_.size() - stream.received, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) _exit(0);  // another was ended
    if (size > 0) stream.received = (stream.received + static_cast<size_t>(size)) % taken_.size();
  }

  const bool sends_;
  std::atomic<uint64_t>& given_;
  const std::vector<char> message_;
  std::vector<char> taken_;
  std::vector<Stream> streams_;
};

uint64_t total_of(const Given& given) {
  uint64_t total = 0;
  for (const auto& bytes : given.bytes) total += bytes.load(std::memory_order_relaxed);
  return total;
}

}  // namespace

double raw_streams(int members, int senders, size_t size, double seconds,
                   std::string_view congestion_control) {
  FRESHET_CHECK(members >= 2 && members <= kProcessesMax);
  void* memory =
      mmap(nullptr, sizeof(Given), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  FRESHET_CHECK(memory != MAP_FAILED);
  auto* given = new (memory) Given{};
  std::vector<Listener> listeners;
  for (int i = 0; i < members; i++) listeners.push_back(listen_on_loopback(congestion_control));
  std::vector<pid_t> children;
  for (int i = 0; i < members; i++) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Carrier carrier(i, i < senders, size, given->bytes[i]);
    for (int other = 0; other < i; other++)
      carrier.connect_to(listeners[static_cast<size_t>(other)], congestion_control);
    for (int other = i + 1; other < members; other++)
      carrier.accept_from(listeners[static_cast<size_t>(i)]);
    carrier.carry();
  }
  usleep(kWarm / 1000);
  const Nanos start = now();
  const uint64_t before = total_of(*given);
  usleep(static_cast<useconds_t>(seconds * 1e6));
  const double rate =
      static_cast<double>(total_of(*given) - before) / (static_cast<double>(now() - start) / 1e9);
  // What one of them no longer gave or took would make this less than it is.
  for (const pid_t child : children) FRESHET_CHECK(waitpid(child, nullptr, WNOHANG) == 0);
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  for (const Listener& listener : listeners) close(listener.fd);
  munmap(memory, sizeof(Given));
  return rate;
}

}  // namespace freshet::bench
