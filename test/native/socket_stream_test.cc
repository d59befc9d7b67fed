#include "native/io/tcp/socket_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "native/io/tcp/socket.h"
#include "test/native/support/test.h"

using namespace freshet;
using namespace freshet::tcp;

namespace {

// A stream, the other end of its socket, and what epoll tells of it.
struct Pair {
  Pair() : stream(FileDescriptor(), nullptr), epoll(epoll_create1(EPOLL_CLOEXEC)) {
    int ends[2];
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    stream = SocketStream(FileDescriptor(ends[0]), nullptr);
    other = FileDescriptor(ends[1]);
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    EXPECT(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, stream.fd(), &event) == 0);
  }

  // Whether there was an edge.
  bool look() {
    epoll_event event = {};
    if (epoll_wait(epoll.get(), &event, 1, 0) != 1) return false;
    stream.on_edges(event.events);
    return true;
  }
  void write(size_t size) const {
    EXPECT(::write(other.get(), bytes.data(), size) == static_cast<ssize_t>(size));
  }
  size_t receive() {
    iovec target = {bytes.data(), bytes.size()};
    return stream.receive({&target, 1});
  }

  std::array<char, 100> bytes = {};
  SocketStream stream;
  FileDescriptor other;
  FileDescriptor epoll;
};

}  // namespace

TEST(what_arrives_is_received_up_to_the_edge) {
  Pair pair;
  EXPECT(pair.look() && pair.stream.may_send());
  pair.write(100);
  pair.write(20);
  EXPECT(pair.look() && pair.stream.may_receive());
  EXPECT_EQ(pair.receive(), size_t{100});
  EXPECT(pair.stream.may_receive());
  EXPECT_EQ(pair.receive(), size_t{20});
  EXPECT(!pair.stream.may_receive() && !pair.stream.is_over());
  pair.write(1);
  EXPECT(pair.look() && pair.stream.may_receive());
}

TEST(an_end_that_came_with_the_last_bytes_is_seen) {
  Pair pair;
  pair.write(20);
  pair.other.close();
  EXPECT(pair.look());
  EXPECT_EQ(pair.receive(), size_t{20});
  EXPECT(!pair.look());  // no other edge tells of it
  EXPECT(pair.stream.may_receive() && !pair.stream.is_over());
  EXPECT_EQ(pair.receive(), size_t{0});
  EXPECT(pair.stream.is_over());
}
