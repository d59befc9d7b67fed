#include "native/io/tcp/socket.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>

#include "native/io/tcp/tcp_limits.h"

namespace freshet::tcp {
namespace {

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// As it is of a socket that nobody has touched.
void set_systems_congestion_control(int fd, sa_family_t family) {
  const FileDescriptor fresh(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::array<char, 16> name = {};
  socklen_t length = name.size();
  if (getsockopt(fresh.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(), &length) != 0) return;
  set_congestion_control(fd, {name.data(), strnlen(name.data(), length)});
}

std::span<const std::byte> host_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET6)
    return std::as_bytes(
        std::span(&reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr, 1));
  return std::as_bytes(
      std::span(&reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, 1));
}

bool is_loopback(const SocketAddress& address) {
  return address.storage.ss_family == AF_INET && host_of(address)[0] == std::byte{127};
}

// Of a socket that is connected, or about to be.
bool stays_on_machine(int fd, const SocketAddress& peer) {
  SocketAddress mine;
  mine.length = sizeof mine.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&mine.storage), &mine.length) != 0 ||
      mine.storage.ss_family != peer.storage.ss_family)
    return false;
  return std::ranges::equal(host_of(mine), host_of(peer)) ||
         (is_loopback(mine) && is_loopback(peer));
}

}  // namespace

FileDescriptor::~FileDescriptor() { close(); }

void FileDescriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void set_congestion_control(int fd, std::string_view name) {
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size()));
}

Status numeric_address(const std::string& host, uint16_t port, SocketAddress& out) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  if (getaddrinfo(host.c_str(), service.c_str(), &hints, &found) != 0 || found == nullptr)
    return Status::kInvalidArgument;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  out.length = found->ai_addrlen;
  freeaddrinfo(found);
  return Status::kOk;
}

Status listen_at(const SocketAddress& address, FileDescriptor& out, uint16_t& port) {
  FileDescriptor fd(
      socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Status::kPeerUnreachable;
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  set_congestion_control(fd.get(), kUnspaced);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 ||
      listen(fd.get(), kListenBacklog) != 0) {
    if (errno == EADDRINUSE) return Status::kAddressInUse;
    return errno == EADDRNOTAVAIL ? Status::kInvalidArgument : Status::kPeerUnreachable;
  }
  SocketAddress bound;
  bound.length = sizeof bound.storage;
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length);
  port = bound.storage.ss_family == AF_INET6
             ? ntohs(reinterpret_cast<const sockaddr_in6*>(&bound.storage)->sin6_port)
             : ntohs(reinterpret_cast<const sockaddr_in*>(&bound.storage)->sin_port);
  out = std::move(fd);
  return Status::kOk;
}

Status begin_connect(const SocketAddress& address, FileDescriptor& out) {
  FileDescriptor fd(
      socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Status::kPeerUnreachable;
  set_no_delay(fd.get());
  set_congestion_control(fd.get(), kUnspaced);
  const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
  if (connect(fd.get(), to, address.length) != 0 && errno != EINPROGRESS)
    return Status::kPeerUnreachable;
  if (!stays_on_machine(fd.get(), address))
    set_systems_congestion_control(fd.get(), address.storage.ss_family);
  out = std::move(fd);
  return Status::kOk;
}

bool is_connected(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

FileDescriptor accept_one(int listener) {
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  FileDescriptor fd(accept4(listener, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return fd;
  set_no_delay(fd.get());
  if (!stays_on_machine(fd.get(), peer))
    set_systems_congestion_control(fd.get(), peer.storage.ss_family);
  return fd;
}

}  // namespace freshet::tcp
