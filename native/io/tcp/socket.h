// The few calls to the kernel's sockets that the transport needs; all non-blocking.
#ifndef FRESHET_IO_TCP_SOCKET_H_
#define FRESHET_IO_TCP_SOCKET_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>

#include "native/core/status.h"

namespace freshet::tcp {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void close();
  // The caller closes it.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

// Between two ends on one machine (one address, or both in 127/8) no link can be congested. The
// system's default may space the packets all the same (BBR sets a timer for every few, which takes
// large values a third of their rate), and goes on to do so once it was in use. So sockets begin
// without, and all others have the default back before anything is sent: it takes the place of
// what a route may name, and is left out where the system refuses it.
inline constexpr std::string_view kUnspaced = "reno";
void set_congestion_control(int fd, std::string_view name);

// Of a numeric IPv4 or IPv6 address; names are looked up elsewhere (platform/group), as that
// blocks.
Status numeric_address(const std::string& host, uint16_t port, SocketAddress& out);

// kAddressInUse, kInvalidArgument (no address of this host), kPeerUnreachable (anything else).
Status listen_at(const SocketAddress& address, FileDescriptor& out, uint16_t& port);
// A connect that is under way; writable once it is decided.
Status begin_connect(const SocketAddress& address, FileDescriptor& out);
bool is_connected(int fd);
// Accepts one; invalid if none waits.
FileDescriptor accept_one(int listener);

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_SOCKET_H_
