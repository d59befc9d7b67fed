#include "native/io/tcp/socket.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "native/io/tcp/tcp_limits.h"

namespace freshet::tcp {
namespace {

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

FileDescriptor::~FileDescriptor() { close(); }

void FileDescriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
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
  const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
  if (connect(fd.get(), to, address.length) != 0 && errno != EINPROGRESS)
    return Status::kPeerUnreachable;
  out = std::move(fd);
  return Status::kOk;
}

bool is_connected(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

FileDescriptor accept_one(int listener) {
  FileDescriptor fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.valid()) set_no_delay(fd.get());
  return fd;
}

}  // namespace freshet::tcp
