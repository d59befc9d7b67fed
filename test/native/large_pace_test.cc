// How long a large record takes where networks are what takes time: replicas in virtual time, each
// of which sends through a network of its own that carries one block in one unit of time, shared by
// its connections. What is small takes no time, but stays behind what was written to the same
// member before.
#include <cstdio>
#include <deque>
#include <functional>
#include <queue>

#include "native/agent/peer_links.h"
#include "test/native/support/direct_group.h"
#include "test/native/support/idle_transport.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr size_t kBlocks = 40;
constexpr double kLatency = 0.05;
constexpr double kPass = 0.02;  // from an arrival to the pass that sees it
// What a connection sends before the others have a turn.
constexpr size_t kPiece = kBlockSizeDefault / 8;
constexpr double kUnit = 200'000;  // ns

// One member's network, as far as it is sent to.
class PacedTransport final : public IdleTransport {
 public:
  struct Item {
    RegionWrite write;
    std::vector<std::byte> copy;
    size_t left;  // bytes that take time
  };

  explicit PacedTransport(size_t members) : connections(members) {}

  void write(NodeId peer, RegionId id, uint64_t offset, Bytes bytes, bool stable) override {
    Item item{{peer, id, offset, bytes, stable}, {}, 0};
    if (id.kind == RegionKind::kBlocks) item.left = bytes.size();
    if (!stable) item.copy.assign(bytes.begin(), bytes.end());
    connections[peer - 1].push_back(std::move(item));
  }
  size_t backlog(NodeId peer) const override {
    if (peer > connections.size()) return stuck;
    size_t bytes = 0;
    for (const Item& item : connections[peer - 1]) bytes += item.left;
    return bytes;
  }

  std::vector<std::deque<Item>> connections;
  size_t stuck = 0;  // to a peer that is none of these, and takes nothing
};

class PacedGroup {
 public:
  PacedGroup(size_t members, MulticastAlgorithm multicast, size_t stuck)
      : group_({.members = members, .senders = 1, .multicast = multicast}) {
    group_.set_rules(0);
    for (size_t m = 0; m < members; m++)
      members_.push_back(std::make_unique<Member>(m, members, stuck));
    group_.arrives = false;
    group_.on_write = [this](size_t from, const RegionWrite& write) {
      members_[from]->network.write(write.peer, write.region, write.offset, write.bytes,
                                    write.stable);
      if (write.region.kind == RegionKind::kBlocks)
        members_[from]->links.count_block(write.peer, write.bytes.size());
    };
  }

  // Units of time until all have it, for each of its blocks.
  double run() {
    const std::vector<std::byte> value(kBlocks * kBlockSizeDefault, std::byte{5});
    EXPECT_EQ(group_.put(0, "k", value, 1), Status::kOk);
    for (size_t m = 0; m < group_.size(); m++) wake(m);
    while (!events_.empty() && group_.answered(1) == 0) {
      const Event next = events_.top();
      events_.pop();
      now_ = next.at;
      next.what();
    }
    EXPECT_EQ(group_.answered(1), 1);
    return now_ / kBlocks;
  }

 private:
  struct Event {
    double at;
    uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Member {
    Member(size_t m, size_t members, size_t stuck)
        : network(members), links({.me = static_cast<NodeId>(m + 1)}, network) {
      network.stuck = stuck;
      for (NodeId node = 1; node <= members + 1; node++)
        if (node != m + 1)
          EXPECT_EQ(links.add({node, "", 0}, std::make_shared<PeerView>()), Status::kOk);
      (void)links.look_at_backlogs(0);
    }

    PacedTransport network;
    PeerLinks links;
    size_t turn = 0;
    bool sends = false;
    bool due = false;
  };

  void after(double delay, std::function<void()> what) {
    events_.push({now_ + delay, order_++, std::move(what)});
  }

  void wake(size_t m) {
    Member& member = *members_[m];
    if (member.due) return;
    member.due = true;
    after(kPass, [this, m, &member] {
      member.due = false;
      (void)member.links.look_at_backlogs(kBusyMax + static_cast<Nanos>(now_ * kUnit));
      for (NodeId node = 1; node <= group_.size(); node++)
        group_.replica(m).set_busy(node, !member.links.takes_blocks(node));
      if (group_.step(m) > 0) wake(m);
      pump(m);
    });
  }

  void pump(size_t from) {
    Member& member = *members_[from];
    auto& connections = member.network.connections;
    for (auto& connection : connections)
      for (; !connection.empty() && connection.front().left == 0; connection.pop_front())
        arrive(from, std::move(connection.front()));
    const size_t count = connections.size();
    for (size_t i = 0; i < count && !member.sends; i++) {
      const size_t to = (member.turn + i) % count;
      if (connections[to].empty()) continue;
      member.turn = to + 1;
      member.sends = true;
      const size_t size = std::min(kPiece, connections[to].front().left);
      after(static_cast<double>(size) / kBlockSizeDefault, [this, from, to, size] {
        Member& mine = *members_[from];
        mine.sends = false;
        mine.network.connections[to].front().left -= size;
        wake(from);
        pump(from);
      });
    }
  }

  void arrive(size_t from, PacedTransport::Item item) {
    const auto shared = std::make_shared<PacedTransport::Item>(std::move(item));
    after(kLatency, [this, from, shared] {
      if (!shared->copy.empty()) shared->write.bytes = shared->copy;
      group_.arrive(from, shared->write);
      wake(shared->write.peer - 1);
    });
  }

  DirectGroup group_;
  std::vector<std::unique_ptr<Member>> members_;
  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  double now_ = 0;
};

double pace_of(size_t members, MulticastAlgorithm multicast, size_t stuck = 0) {
  return PacedGroup(members, multicast, stuck).run();
}

TEST(the_pipeline_takes_little_longer_than_one_copy) {
  constexpr size_t kCounts[] = {2, 3, 4, 5, 6, 7, 8, 12, 16};
  for (const size_t members : kCounts) {
    const double pace = pace_of(members, MulticastAlgorithm::kBinomial);
    std::printf("  %zu members: %.2f\n", members, pace);
    EXPECT(pace >= 1);
    EXPECT(pace < 1.25);
  }
}

TEST(a_peer_that_takes_nothing_does_not_hold_up_blocks_to_others) {
  for (const size_t stuck : {kCongestedBytes / kBusyDivisor + 1, 2 * kCongestedBytes})
    EXPECT(pace_of(8, MulticastAlgorithm::kBinomial, stuck) < 1.25);
}

TEST(the_others_take_what_their_schedules_say) {
  EXPECT(pace_of(8, MulticastAlgorithm::kSequential) > 6.9);
  EXPECT(pace_of(8, MulticastAlgorithm::kTree) > 2.9);
  const double chain = pace_of(8, MulticastAlgorithm::kChain);
  EXPECT(chain > 1.1);
  EXPECT(chain < 1.3);
}

}  // namespace
}  // namespace freshet::test
