// Which congestion control connections have: none that spaces packets between two ends on one
// machine, the system's choice to another.
#include "native/io/tcp/socket.h"

#include <net/if.h>
#include <net/route.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "native/core/check.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::tcp;

namespace {

constexpr const char* kChoice = "/proc/sys/net/ipv4/tcp_congestion_control";

std::string congestion_control(int fd) {
  std::array<char, 16> name = {};
  socklen_t length = name.size();
  getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), &length);
  return {name.data(), strnlen(name.data(), length)};
}

SocketAddress address_of(const char* host, uint16_t port) {
  SocketAddress address;
  FRESHET_CHECK(is_ok(numeric_address(host, port, address)));
  return address;
}

FileDescriptor accept_soon(int listener) {
  for (int i = 0; i < 1000; i++) {
    FileDescriptor fd = accept_one(listener);
    if (fd.valid()) return fd;
    usleep(1000);
  }
  return {};
}

// Of this process alone: its loopback runs, has another address besides, and is the way to
// addresses that nobody has.
bool make_network() {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && unshare(CLONE_NEWNET) != 0) return false;
  const FileDescriptor fd(socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
  if (ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return false;
  std::strcpy(request.ifr_name, "lo:1");
  SocketAddress host = address_of("10.1.0.1", 0);
  std::memcpy(&request.ifr_addr, &host.storage, sizeof request.ifr_addr);
  if (ioctl(fd.get(), SIOCSIFADDR, &request) != 0) return false;
  rtentry route = {};
  const SocketAddress beyond = address_of("192.0.2.0", 0);
  const SocketAddress mask = address_of("255.255.255.0", 0);
  std::memcpy(&route.rt_dst, &beyond.storage, sizeof route.rt_dst);
  std::memcpy(&route.rt_genmask, &mask.storage, sizeof route.rt_genmask);
  std::string device = "lo";
  route.rt_dev = device.data();
  route.rt_flags = RTF_UP;
  return ioctl(fd.get(), SIOCADDRT, &route) == 0;
}

// One that spaces packets or not, but is not the one that is set.
std::string choose_another() {
  std::ifstream available("/proc/sys/net/ipv4/tcp_available_congestion_control");
  for (std::string name; available >> name;) {
    if (name == kUnspaced) continue;
    std::ofstream(kChoice) << name;
    return name;
  }
  return {};
}

// What is wrong, in a process with a network of its own; empty: nothing.
std::string look_at_other_machines() {
  const std::string chosen = choose_another();
  if (chosen.empty()) return "";  // a kernel that has only one
  FileDescriptor away;
  if (!is_ok(begin_connect(address_of("192.0.2.1", 4000), away))) return "no way there";
  if (congestion_control(away.get()) != chosen) return "to another machine";
  FileDescriptor listener;
  uint16_t port = 0;
  if (!is_ok(listen_at(address_of("0.0.0.0", 0), listener, port))) return "no listener";
  const FileDescriptor from(socket(AF_INET, SOCK_STREAM, 0));
  const SocketAddress mine = address_of("10.1.0.1", 0);
  const SocketAddress to = address_of("127.0.0.1", port);
  if (bind(from.get(), reinterpret_cast<const sockaddr*>(&mine.storage), mine.length) != 0 ||
      connect(from.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length) != 0)
    return "no connection";
  const FileDescriptor taken = accept_soon(listener.get());
  if (congestion_control(taken.get()) != chosen) return "from another machine";
  FileDescriptor here;
  if (!is_ok(begin_connect(address_of("10.1.0.1", port), here))) return "no way here";
  if (congestion_control(here.get()) != kUnspaced) return "to an address of this machine";
  const FileDescriptor met = accept_soon(listener.get());
  return congestion_control(met.get()) == kUnspaced ? "" : "from an address of this machine";
}

}  // namespace

TEST(nothing_is_spaced_between_two_ends_on_one_machine) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    FileDescriptor listener, dialled;
    uint16_t port = 0;
    if (!is_ok(listen_at(address_of(host, 0), listener, port))) continue;  // without IPv6
    EXPECT(is_ok(begin_connect(address_of(host, port), dialled)));
    const FileDescriptor taken = accept_soon(listener.get());
    EXPECT(taken.valid());
    EXPECT(congestion_control(dialled.get()) == kUnspaced);
    EXPECT(congestion_control(taken.get()) == kUnspaced);
  }
}

TEST(connections_between_machines_have_the_systems_congestion_control) {
  int answer[2];
  EXPECT_EQ(pipe(answer), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string wrong = make_network() ? look_at_other_machines() : "no network";
    const ssize_t told = write(answer[1], wrong.data(), wrong.size());
    _exit(told == static_cast<ssize_t>(wrong.size()) ? 0 : 1);
  }
  close(answer[1]);
  std::array<char, 64> wrong = {};
  const ssize_t size = read(answer[0], wrong.data(), wrong.size() - 1);
  close(answer[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  if (size > 0) std::printf("%s\n", wrong.data());
  const bool may_lack =
      std::getenv("CI") == nullptr && std::strcmp(wrong.data(), "no network") == 0;
  EXPECT(size == 0 || may_lack);
}
