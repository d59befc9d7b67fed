#include "test/native/network/switch.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace freshet::network {
namespace {

// A frame comes and goes with this before it (virtio_net_hdr, whose header C++ cannot read): what
// the kernel has yet to do for it, checksums and cutting it into packets of the cable's size. So
// one frame is up to 64 KiB long.
constexpr size_t kOffloadSize = 10;
constexpr size_t kFrameMax = kOffloadSize + ETH_HLEN + (size_t{64} << 10);
constexpr size_t kFramesOfOneTurn = 64;
constexpr int kSocketBuffer = 8 << 20;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "network_switch: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

void set_option(int port, int level, int option, int value, const char* what) {
  if (setsockopt(port, level, option, &value, sizeof value) != 0) fail(what);
}

int open_port(const std::string& interface) {
  const int port = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (port < 0) fail("a packet socket");
  set_option(port, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
  set_option(port, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
  set_option(port, SOL_SOCKET, SO_RCVBUF, kSocketBuffer, "SO_RCVBUF");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) fail(interface);
  if (bind(port, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail(interface);
  return port;
}

uint64_t hardware_address(const std::byte* bytes) {
  uint64_t address = 0;
  std::memcpy(&address, bytes, ETH_ALEN);
  return address;
}

bool is_for_many(const std::byte* address) {
  return (std::to_integer<unsigned>(address[0]) & 1) != 0;
}

}  // namespace

Switch::Switch(const std::vector<std::string>& interfaces, uint64_t seed)
    : lines_(interfaces.size() * interfaces.size()),
      buffer_(kFrameMax),
      random_(static_cast<std::minstd_rand::result_type>(seed)) {
  for (const std::string& interface : interfaces) ports_.push_back(open_port(interface));
}

void Switch::set_way(size_t from, size_t to, const Way& way) {
  line(from, to).way = way;
  if (way.cut) line(from, to).under_way.clear();
}

bool Switch::run_once(int control) {
  std::vector<pollfd> waiting;
  for (const int port : ports_) waiting.push_back({port, POLLIN, 0});
  waiting.push_back({control, POLLIN, 0});
  const std::optional<timespec> wait = time_to_next(Clock::now());
  const int found =
      ppoll(waiting.data(), waiting.size(), wait.has_value() ? &*wait : nullptr, nullptr);
  if (found < 0 && errno != EINTR) fail("ppoll");
  for (size_t from = 0; found > 0 && from < ports_.size(); ++from) {
    if (waiting[from].revents != 0) receive(from);
  }
  send_due(Clock::now());
  return found > 0 && waiting.back().revents != 0;
}

void Switch::receive(size_t from) {
  for (size_t nth = 0; nth < kFramesOfOneTurn; ++nth) {
    const ssize_t length = recv(ports_[from], buffer_.data(), buffer_.size(), 0);
    if (length < 0) return;  // nothing more, or the interface is down
    const auto size = static_cast<size_t>(length);
    if (size < kOffloadSize + ETH_HLEN) continue;
    const std::byte* destination = buffer_.data() + kOffloadSize;
    places_[hardware_address(destination + ETH_ALEN)] = from;
    const auto place = places_.find(hardware_address(destination));
    const bool is_known = !is_for_many(destination) && place != places_.end();
    for (size_t to = 0; to < ports_.size(); ++to) {
      if (to != from && (!is_known || place->second == to)) {
        pass_on(from, to, buffer_.data(), size);
      }
    }
  }
}

void Switch::pass_on(size_t from, size_t to, const std::byte* bytes, size_t size) {
  Line& on = line(from, to);
  if (on.way.cut) return;
  if (on.way.loss_per_mille > random_() % 1000) return;
  if (on.way.delay.count() == 0 && on.under_way.empty()) return send(to, bytes, size);
  Clock::time_point due = Clock::now() + on.way.delay;
  if (!on.under_way.empty()) due = std::max(due, on.under_way.back().due);
  on.under_way.push_back({{bytes, bytes + size}, due});
}

void Switch::send_due(Clock::time_point now) {
  for (size_t nth = 0; nth < lines_.size(); ++nth) {
    std::deque<Frame>& under_way = lines_[nth].under_way;
    while (!under_way.empty() && under_way.front().due <= now) {
      const Frame& frame = under_way.front();
      send(nth % ports_.size(), frame.bytes.data(), frame.bytes.size());
      under_way.pop_front();
    }
  }
}

void Switch::send(size_t to, const std::byte* bytes, size_t size) const {
  // What the cable has no room for is lost, as on any network.
  const ssize_t sent = ::send(ports_[to], bytes, size, 0);
  if (sent < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENETDOWN) {
    std::fprintf(stderr, "network_switch: a frame was lost: %s\n", std::strerror(errno));
  }
}

// Until the next delayed frame is due; nothing: there is none.
std::optional<timespec> Switch::time_to_next(Clock::time_point now) const {
  auto next = Clock::time_point::max();
  for (const Line& line : lines_) {
    if (!line.under_way.empty()) next = std::min(next, line.under_way.front().due);
  }
  if (next == Clock::time_point::max()) return std::nullopt;
  const auto wait = std::max(Clock::duration::zero(), next - now);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const auto rest = std::chrono::nanoseconds(wait - seconds);
  return timespec{static_cast<time_t>(seconds.count()), static_cast<long>(rest.count())};
}

}  // namespace freshet::network
