// When the tcp transport dials: after a loss, while a peer is away or refuses, not once forgotten.
#include <sys/socket.h>

#include <cerrno>

#include "native/io/tcp/socket.h"
#include "test/native/support/tcp_nodes.h"

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr RegionId kRow{RegionKind::kShardRow, 0, 1, 1};

// How often `happened` counts in the third of three seconds on the clocks of these nodes.
template <typename Happened>
size_t count_in_a_second(std::initializer_list<Node*> nodes, Happened happened) {
  constexpr int kSteps = 1000;
  size_t before = 0;
  for (int step = 0; step < 3 * kSteps; step++) {
    if (step == 2 * kSteps) before = happened();
    for (Node* node : nodes) {
      node->skew += 1'000'000'000 / kSteps;
      node->transport->poll(0, node->events);
    }
    happened();
  }
  return happened() - before;
}

}  // namespace

TEST(a_peer_that_takes_no_connection_is_dialled_ten_times_a_second) {
  Node a(1);
  tcp::SocketAddress address;
  tcp::FileDescriptor listener;
  uint16_t port = 0;
  EXPECT(is_ok(tcp::numeric_address("127.0.0.1", 0, address)));
  EXPECT(is_ok(tcp::listen_at(address, listener, port)));
  a.knows(2, port);
  size_t accepted = 0;
  const size_t dials = count_in_a_second({&a}, [&] {
    while (tcp::accept_one(listener.get()).valid()) accepted++;
    return accepted;
  });
  EXPECT(dials >= 8 && dials <= 11);
}

TEST(a_host_that_does_not_answer_is_dialled_once_a_second) {
  Node a(1);
  tcp::SocketAddress address;
  tcp::FileDescriptor listener;
  uint16_t port = 0;
  EXPECT(is_ok(tcp::numeric_address("127.0.0.1", 0, address)));
  EXPECT(is_ok(tcp::listen_at(address, listener, port)));
  // Room for one that waits to be taken: what else comes is dropped.
  EXPECT_EQ(listen(listener.get(), 0), 0);
  tcp::FileDescriptor waiting;
  EXPECT(is_ok(tcp::numeric_address("127.0.0.1", port, address)));
  EXPECT(is_ok(tcp::begin_connect(address, waiting)));
  a.knows(2, port);
  // Each dial draws a nonce.
  size_t dials = 0;
  uint64_t drawn = a.random_state;
  const size_t later = count_in_a_second({&a}, [&] {
    if (a.random_state != drawn) dials++;
    drawn = a.random_state;
    return dials;
  });
  EXPECT(later >= 1 && later <= 2);
}

TEST(a_peer_that_keeps_refusing_is_dialled_once_a_second) {
  Node a(1, 1), b(2, 9);
  a.knows(2, b.transport->port());
  b.knows(1, a.transport->port());
  const size_t dials = count_in_a_second(
      {&a, &b}, [&] { return size_t{a.transport->counters().refused_connections}; });
  EXPECT(dials >= 1 && dials <= 2);
}

TEST(a_lost_peer_is_reported_and_dialled_again) {
  Node a(1), b(2);
  connect(a, 1, b, 2);
  a.events.clear();
  b.events.clear();
  b.transport->close_peer(1);
  EXPECT(run({&a, &b}, [&] {
    return a.saw(PeerEvent::Kind::kDown) && b.saw(PeerEvent::Kind::kDown) &&
           a.saw(PeerEvent::Kind::kUp) && b.saw(PeerEvent::Kind::kUp);
  }));
  std::vector<std::byte> row(8);
  EXPECT(is_ok(b.transport->grant(1, kRow, row)));
  const uint64_t one = 1;
  a.transport->write(2, kRow, 0, std::as_bytes(std::span(&one, 1)), false);
  EXPECT(run({&a, &b}, [&] { return row[0] == std::byte{1}; }));
}

TEST(a_peer_without_an_address_is_not_dialled_until_it_has_one) {
  Node a(1), b(2);
  EXPECT(is_ok(a.transport->add_peer({2, "", 0})));
  b.knows(1, a.transport->port());
  const size_t ups =
      count_in_a_second({&a, &b}, [&] { return size_t{a.saw(PeerEvent::Kind::kUp)}; });
  EXPECT(ups == 0);
  a.knows(2, b.transport->port());
  EXPECT(run({&a, &b}, [&] { return a.saw(PeerEvent::Kind::kUp); }));
}

TEST(a_peer_without_an_address_may_dial) {
  Node a(1), b(2);
  a.knows(2, b.transport->port());
  EXPECT(is_ok(b.transport->add_peer({1, "", 0})));
  EXPECT(run({&a, &b}, [&] { return a.saw(PeerEvent::Kind::kUp) && b.saw(PeerEvent::Kind::kUp); }));
}

TEST(a_peer_that_moved_is_dialled_where_it_is_now) {
  Node a(1), b(2);
  tcp::SocketAddress address;
  tcp::FileDescriptor elsewhere;
  uint16_t port = 0;
  EXPECT(is_ok(tcp::numeric_address("127.0.0.1", 0, address)));
  EXPECT(is_ok(tcp::listen_at(address, elsewhere, port)));
  a.knows(2, port);
  b.knows(1, a.transport->port());
  // Something takes the connection there, and never answers.
  tcp::FileDescriptor taken;
  EXPECT(run({&a}, [&] {
    if (!taken.valid()) taken = tcp::accept_one(elsewhere.get());
    return taken.valid();
  }));
  a.knows(2, b.transport->port());
  // It has been given up, and is not waited for.
  char bytes[512];
  ssize_t size = 1;
  while (size > 0) size = recv(taken.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  EXPECT(size == 0 || errno == ECONNRESET);
  EXPECT(run({&a, &b}, [&] { return a.saw(PeerEvent::Kind::kUp); }));
}

TEST(a_forgotten_peer_is_not_dialled_and_may_not_dial) {
  Node a(1), b(2);
  connect(a, 1, b, 2);
  b.events.clear();
  a.events.clear();
  b.transport->forget_peer(1);
  EXPECT(run({&a, &b}, [&] { return a.saw(PeerEvent::Kind::kRefused, Status::kNotAMember); }));
  EXPECT(!b.saw(PeerEvent::Kind::kUp));
}
