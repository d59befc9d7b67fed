#include "test/native/support/transport_rig.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>

#include "native/io/fabric/fabric.h"
#include "native/io/tcp/tcp_transport.h"

namespace freshet::test {
namespace {

TransportKind transport_kind(RigKind kind) {
  switch (kind) {
    case RigKind::kTcp:
    case RigKind::kSimulated:
      return TransportKind::kTcp;
    case RigKind::kFabricTcp:
      return TransportKind::kFabricTcp;
    case RigKind::kFabricShm:
      return TransportKind::kFabricShm;
    case RigKind::kFabricVerbs:
      return TransportKind::kFabricVerbs;
  }
  return TransportKind::kTcp;
}

// Of the guest with RDMA devices: one a node. Empty elsewhere.
std::vector<std::string> verbs_addresses() {
  std::vector<std::string> all;
  const char* given = std::getenv("RDMA_VM_NODES");
  std::istringstream words(given != nullptr ? given : "");
  for (std::string word; words >> word;) all.push_back(word);
  return all;
}

TcpConfig tcp_config(NodeId id, const std::string& host) {
  TcpConfig config;
  config.cluster.fill(1);
  config.secret.fill(2);
  config.me = id;
  config.incarnation = 1000 + id;
  config.host = host;
  config.now = rig_now;
  config.fill_random = [random = std::make_shared<std::mt19937_64>(
                            seed(id) ^ static_cast<uint64_t>(getpid()))](MutableBytes out) {
    for (std::byte& byte : out) byte = static_cast<std::byte>((*random)());
  };
  return config;
}

Status open_transport(RigKind kind, NodeId id, std::unique_ptr<Transport>& out, uint16_t& port) {
  TcpConfig config = tcp_config(id, rig_host(kind, id));
  if (kind != RigKind::kTcp)
    return open_fabric({transport_kind(kind), std::move(config)}, out, port);
  std::unique_ptr<TcpTransport> transport;
  const Status status = TcpTransport::open(std::move(config), transport);
  if (is_ok(status)) port = transport->port();
  out = std::move(transport);
  return status;
}

}  // namespace

// What ProcessTransport runs in its process; nothing in any other.
TEST(serve_a_transport) {
  serve([](ProcessTransport::Order& order, std::unique_ptr<Transport>& out) {
    return open_transport(static_cast<RigKind>(order.kind), order.node, out, order.port);
  });
}

bool is_emulated() { return std::getenv("RDMA_VM") != nullptr; }

Nanos rig_patience() {
  constexpr Nanos kSecond = 1'000'000'000;
  return (is_emulated() ? 120 : 20) * kSecond;
}

std::string rig_host(RigKind kind, NodeId id) {
  if (kind != RigKind::kFabricVerbs) return "127.0.0.1";
  const std::vector<std::string> all = verbs_addresses();
  return id <= all.size() ? all[id - 1] : "127.0.0.1";
}

bool has_rig(RigKind kind) {
  if (kind == RigKind::kTcp || kind == RigKind::kSimulated) return true;
  if (kind == RigKind::kFabricVerbs && verbs_addresses().empty()) {
    std::printf("passed over, no RDMA devices named by RDMA_VM_NODES: ");
    return false;
  }
  const FabricReport report = inspect_fabric(transport_kind(kind), rig_host(kind, 1));
  // In the guest everything has to be there.
  if (is_ok(report.status) || !verbs_addresses().empty()) return true;
  std::printf("passed over, %s: ", status_name(report.status));
  return false;
}

size_t RigNode::count(PeerEvent::Kind kind, NodeId about) const {
  size_t found = 0;
  for (const PeerEvent& event : events)
    if (event.kind == kind && event.node == about) found++;
  return found;
}

bool RigNode::saw(PeerEvent::Kind kind, Status reason) const {
  for (const PeerEvent& event : events)
    if (event.kind == kind && event.reason == reason) return true;
  return false;
}

RigNode Rig::make(NodeId id) {
  if (kind_ == RigKind::kFabricShm) return make_process(id);
  RigNode node{id, rig_host(kind_, id), 0, nullptr, {}};
  if (is_simulated()) {
    if (network_ == nullptr)
      network_ = std::make_unique<SimulatedNetwork>(SimulatedNetworkConfig{});
    node.transport = network_->join(id);
  } else {
    EXPECT(is_ok(open_transport(kind_, id, node.transport, node.port)));
  }
  return node;
}

RigNode Rig::make_process(NodeId id) {
  RigNode node{id, rig_host(kind_, id), 0, nullptr, {}};
  ProcessTransport::Order order;
  order.kind = static_cast<uint32_t>(kind_);
  order.node = id;
  EXPECT(is_ok(ProcessTransport::open(arena_, order, node.transport)));
  node.port = order.port;
  return node;
}

void Rig::introduce(RigNode& a, RigNode& b) {
  EXPECT(is_ok(a.transport->add_peer({b.id, b.host, b.port})));
  EXPECT(is_ok(b.transport->add_peer({a.id, a.host, a.port})));
}

void Rig::connect(std::initializer_list<RigNode*> nodes) {
  for (RigNode* a : nodes)
    for (RigNode* b : nodes)
      if (a->id < b->id) introduce(*a, *b);
  EXPECT(run(nodes, [&] {
    for (RigNode* a : nodes)
      for (RigNode* b : nodes)
        if (a != b && a->count(PeerEvent::Kind::kUp, b->id) == 0) return false;
    return true;
  }));
}

void Rig::pass(std::initializer_list<RigNode*> nodes) {
  if (network_ != nullptr) network_->advance_to(network_->now() + 50'000);
  for (RigNode* node : nodes) node->transport->poll(200'000, node->events);
}

void Rig::settle(std::initializer_list<RigNode*> nodes) {
  for (int i = 0; i < 20; i++) pass(nodes);
}

}  // namespace freshet::test
