#include "native/bench/raw_blocks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "native/core/check.h"

namespace freshet::bench {
namespace {

constexpr size_t kMessage = 100;
constexpr size_t kLogFile = size_t{64} << 20;

void wait_readable(int epoll) {
  epoll_event event;
  while (epoll_wait(epoll, &event, 1, -1) < 1) {
  }
}

// Reads one whole message, sleeping for it.
void take(int epoll, int fd) {
  char buffer[kMessage];
  for (size_t got = 0; got < kMessage;) {
    const ssize_t size = recv(fd, buffer + got, kMessage - got, MSG_DONTWAIT);
    if (size > 0) {
      got += static_cast<size_t>(size);
    } else {
      FRESHET_CHECK(size < 0);
      wait_readable(epoll);
    }
  }
}

void give(int fd) {
  const char buffer[kMessage] = {};
  FRESHET_CHECK(send(fd, buffer, kMessage, MSG_NOSIGNAL) == ssize_t{kMessage});
}

int watched(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int epoll = epoll_create1(0);
  epoll_event event = {};
  event.events = EPOLLIN;
  FRESHET_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
  return epoll;
}

// Holds this thread on the `nth` of the cores that it may run on, if there are so many.
void hold_on_core(const cpu_set_t& allowed, int nth) {
  for (int core = 0; core < CPU_SETSIZE; core++) {
    if (!CPU_ISSET(core, &allowed) || nth-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    FRESHET_CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    return;
  }
}

// A file of zeros to write into, as logs have theirs. Ends with it.
class LogFile {
 public:
  explicit LogFile(std::string path)
      : path_(std::move(path)), fd_(open(path_.c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600)) {
    FRESHET_CHECK(fd_ >= 0);
    const std::vector<char> zeros(size_t{1} << 20);
    for (size_t at = 0; at < kLogFile; at += zeros.size())
      FRESHET_CHECK(pwrite(fd_, zeros.data(), zeros.size(), static_cast<off_t>(at)) > 0);
    fsync(fd_);
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile() {
    close(fd_);
    unlink(path_.c_str());
  }

  void append(const std::vector<char>& batch) {
    if (at_ + batch.size() > kLogFile) at_ = 0;
    FRESHET_CHECK(pwrite(fd_, batch.data(), batch.size(), static_cast<off_t>(at_)) > 0);
    FRESHET_CHECK(fdatasync(fd_) == 0);
    at_ += batch.size();
  }

 private:
  const std::string path_;
  const int fd_;
  size_t at_ = 0;
};

}  // namespace

Nanos now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Nanos{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Percentiles percentiles(std::vector<Nanos> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const auto at = [&samples](double share) {
    const auto place = static_cast<size_t>(share * static_cast<double>(samples.size() - 1));
    return static_cast<double>(samples[place]) / 1000;
  };
  const double sum = std::accumulate(samples.begin(), samples.end(), 0.0);
  return {at(0.5), at(0.99), sum / static_cast<double>(samples.size()) / 1000};
}

Percentiles ping_pong(int rounds) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  FRESHET_CHECK(bind(listener, raw, length) == 0 && listen(listener, 1) == 0);
  FRESHET_CHECK(getsockname(listener, raw, &length) == 0);
  cpu_set_t allowed;
  FRESHET_CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  const pid_t child = fork();
  hold_on_core(allowed, child == 0 ? 1 : 0);
  if (child == 0) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    FRESHET_CHECK(connect(fd, raw, sizeof address) == 0);
    const int epoll = watched(fd);
    for (int i = 0; i < rounds; i++) {
      take(epoll, fd);
      give(fd);
    }
    _exit(0);
  }
  const int fd = accept(listener, nullptr, nullptr);
  const int epoll = watched(fd);
  std::vector<Nanos> samples;
  for (int i = 0; i < rounds; i++) {
    const Nanos start = now();
    give(fd);
    take(epoll, fd);
    samples.push_back(now() - start);
  }
  waitpid(child, nullptr, 0);
  FRESHET_CHECK(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
  close(epoll);
  close(fd);
  close(listener);
  return percentiles(std::move(samples));
}

SyncRate side_by_side_logs(const std::string& folder, int writers, size_t batch_size,
                           double seconds) {
  std::vector<std::thread> threads;
  std::vector<uint64_t> syncs(static_cast<size_t>(writers));
  for (int w = 0; w < writers; w++) {
    threads.emplace_back([&, w] {
      LogFile log(folder + "/raw-" + std::to_string(w));
      const std::vector<char> batch(batch_size, 'x');
      const Nanos end = now() + static_cast<Nanos>(seconds * 1e9);
      for (; now() < end; syncs[static_cast<size_t>(w)]++) log.append(batch);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto all = static_cast<double>(std::accumulate(syncs.begin(), syncs.end(), uint64_t{0}));
  return {all / writers / seconds, all * static_cast<double>(batch_size) / seconds};
}

Percentiles one_log(const std::string& folder, size_t batch_size, double seconds) {
  LogFile log(folder + "/raw");
  const std::vector<char> batch(batch_size, 'x');
  std::vector<Nanos> samples;
  const Nanos end = now() + static_cast<Nanos>(seconds * 1e9);
  for (Nanos start = now(); start < end; start = now()) {
    log.append(batch);
    samples.push_back(now() - start);
  }
  return percentiles(std::move(samples));
}

}  // namespace freshet::bench
