// Two or more transports on loopback, polled by one thread.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_TCP_NODES_H_
#define FRESHET_TEST_NATIVE_SUPPORT_TCP_NODES_H_

#include <chrono>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "native/io/tcp/tcp_transport.h"
#include "test/native/support/test.h"

namespace freshet::test {

inline Nanos steady_now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

struct Node {
  std::unique_ptr<TcpTransport> transport;
  std::vector<PeerEvent> events;
  Nanos skew = 0;  // moves this node's clock
  uint64_t random_state;

  explicit Node(NodeId id, uint8_t cluster = 1, uint8_t secret = 2,
                TransportKind kind = TransportKind::kTcp)
      : random_state(id) {
    TcpConfig config;
    config.cluster.fill(cluster);
    config.secret.fill(secret);
    config.me = id;
    config.kind = kind;
    config.incarnation = 1000 + id;
    config.now = [this] { return steady_now() + skew; };
    config.fill_random = [this](MutableBytes out) {
      for (std::byte& byte : out) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<std::byte>(random_state >> 56);
      }
    };
    EXPECT(is_ok(TcpTransport::open(std::move(config), transport)));
  }
  void knows(NodeId id, uint16_t port) {
    EXPECT(is_ok(transport->add_peer({id, "127.0.0.1", port})));
  }
  bool saw(PeerEvent::Kind kind, Status reason = Status::kOk) const {
    for (const PeerEvent& event : events)
      if (event.kind == kind && event.reason == reason) return true;
    return false;
  }
};

template <typename Done>
bool run(std::initializer_list<Node*> nodes, Done done) {
  const Nanos end = steady_now() + 20'000'000'000;
  while (!done()) {
    if (steady_now() > end) return false;
    for (Node* node : nodes) node->transport->poll(200'000, node->events);
  }
  return true;
}

inline void connect(Node& a, NodeId a_id, Node& b, NodeId b_id) {
  a.knows(b_id, b.transport->port());
  b.knows(a_id, a.transport->port());
  EXPECT(run({&a, &b}, [&] { return a.saw(PeerEvent::Kind::kUp) && b.saw(PeerEvent::Kind::kUp); }));
}

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_TCP_NODES_H_
