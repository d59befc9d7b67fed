// An agent whose peer is forgotten while a large record of it is on its way.
#include <cstring>
#include <map>

#include "native/agent/agent.h"
#include "native/core/store/store.h"
#include "test/native/support/idle_transport.h"
#include "test/native/support/test.h"

using namespace freshet;

namespace {

constexpr Micros kWall = 1'700'000'000'000'000;

// Keeps what was granted to the peer; to the other side nothing comes.
class GrantingTransport final : public test::IdleTransport {
 public:
  void forget_peer(NodeId) override { forgotten = true; }
  Status grant(NodeId, RegionId id, MutableBytes memory) override {
    if (forgotten) {
      refused++;
      return Status::kPeerUnreachable;
    }
    granted[{id.kind, id.owner}] = memory;
    return Status::kOk;
  }
  int poll(Nanos, std::vector<PeerEvent>& events) override {
    if (!up_) events.push_back({PeerEvent::Kind::kUp, 1, 1, Status::kOk});
    up_ = true;
    return 0;
  }

  std::map<std::pair<RegionKind, uint16_t>, MutableBytes> granted;
  bool forgotten = false;
  int refused = 0;

 private:
  bool up_ = false;
};

}  // namespace

TEST(a_large_record_of_a_member_that_is_forgotten_does_not_end_the_process) {
  GrantingTransport transport;
  AgentShared shared;
  shared.wake_loop = [] {};
  AgentConfig config;
  config.node = 2;
  config.incarnation = 1;
  Nanos now = 1;
  config.now = [&] { return now += 1000; };
  config.wall = [] { return kWall; };
  Agent agent(config, shared, transport, nullptr);
  EXPECT_EQ(agent.add_peer({1, "", 0}, std::make_shared<PeerView>()), Status::kOk);
  agent.step();
  ShardHost* host = agent.add_shard(1, false);
  agent.open_shard(*host, std::make_shared<Store>(StoreConfig{1, false}));
  EXPECT_EQ(host->prepare_epoch({.shard = 1, .epoch = 1, .members = {1, 2}, .senders = {0}}),
            Status::kOk);
  EXPECT_EQ(host->start_epoch(1), Status::kOk);

  Store store(StoreConfig{1, false});
  HybridClock clock;
  ShardConfig there;
  there.shard = there.epoch = there.me = 1;
  there.members = {1, 2};
  there.senders = {0};
  ShardReplica replica(there, store, clock);
  replica.begin();
  const std::vector<std::byte> value(size_t{1} << 20);
  const std::string key = "k";
  Change change;
  change.pool = 1;
  change.key = std::as_bytes(std::span(key));
  change.value = value;
  EXPECT_EQ(replica.submit(change, Ack::kNone, 1), Status::kOk);
  Outputs out;
  replica.step(kWall, out);
  for (const RegionWrite& write : out.writes) {
    const MutableBytes memory = transport.granted.at({write.region.kind, write.region.owner});
    std::memcpy(memory.data() + write.offset, write.bytes.data(), write.bytes.size());
  }
  // As with a view, where what was received counts on.
  transport.forget_peer(1);
  agent.step();
  EXPECT_EQ(transport.refused, 1);
  EXPECT(host->is_running());
  host->stop_epoch(Status::kClosed);
}
