// Raw delivery under a network that delays and loses connections, and a member that crashes: what a
// sender sent comes in its order, nothing comes twice, and what was answered is at all that stay.
// Each test runs from seeds; FRESHET_SEED=n begins with seed n.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "native/core/hybrid_clock.h"
#include "native/core/shard_replica.h"
#include "native/core/store/store.h"
#include "native/io/seeded_random.h"
#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr uint64_t kRawSeeds = 60;
constexpr PoolId kRawPool = 1;
constexpr Micros kRawWall = 1'700'000'000'000'000;
constexpr int kRawTurns = 4000;
constexpr uint64_t kRawPuts = 150;  // of each sender in each epoch

enum class RawCanary { kNone, kLoseWrite, kResubmitAll };

struct RawPut {
  NodeId sender = 0;
  uint64_t number = 0;
  std::vector<std::byte> value;
  int answers = 0;
  Status status = Status::kOk;
};

class RawWorld {
 public:
  RawWorld(uint64_t seed, RawCanary canary) : random_(seed), canary_(canary) {
    const size_t count = 2 + random_.below(4);
    for (size_t i = 0; i < count; i++) nodes_.push_back(static_cast<NodeId>(i + 1));
    for (const NodeId node : nodes_) {
      Member& member = members_[node];
      member.store = std::make_unique<Store>(StoreConfig{1, false});
      if (node == 1 || random_.chance(70)) senders_.insert(node);
    }
    begin(1);
  }

  std::vector<std::string> run() {
    add_pool();
    if (broken_.empty()) turns();
    if (broken_.empty() && random_.chance(80)) {
      crash();
      // The pool's rules are in the stores.
      if (broken_.empty()) turns();
    }
    if (broken_.empty()) check_end();
    return broken_;
  }

  uint64_t delivered = 0;
  uint64_t refused = 0;
  uint64_t large = 0;

 private:
  struct Write {
    RegionId region;
    uint64_t offset;
    std::vector<std::byte> copy;
    Bytes stable;
  };
  struct Member {
    HybridClock clock;
    std::unique_ptr<Store> store;
    std::unique_ptr<ShardReplica> replica;
    std::vector<GrantedRegion> regions;
    std::vector<std::unique_ptr<ShardReplica>> retired;  // writes under way may point into them
    LogPosition read;
    std::map<NodeId, uint64_t> next;  // by sender: the least number that may still come
    std::map<NodeId, std::set<uint64_t>> seen;
    Outputs out;
  };

  void violation(const std::string& text) { broken_.push_back(text); }

  void begin(Epoch epoch) {
    for (const NodeId node : nodes_) {
      Member& member = members_[node];
      ShardConfig config;
      config.shard = 1;
      config.epoch = epoch;
      config.members = nodes_;
      config.me = node;
      config.raw = true;
      for (Rank rank = 0; rank < nodes_.size(); rank++)
        if (senders_.contains(nodes_[rank])) config.senders.push_back(rank);
      if (member.replica != nullptr) member.retired.push_back(std::move(member.replica));
      member.replica = std::make_unique<ShardReplica>(config, *member.store, member.clock);
      member.regions = member.replica->regions();
    }
    for (const NodeId node : nodes_) members_[node].replica->begin();
  }

  // As the store's catalog does: nobody puts before all have the pool.
  void add_pool() {
    PoolRules rules;
    rules.pool = kRawPool;
    rules.history = 0;
    Change change;
    change.kind = RecordKind::kControl;
    const std::string key = "pool/1";
    change.key = std::as_bytes(std::span(key));
    change.value = std::as_bytes(std::span(&rules, 1));
    puts_[0] = {};
    EXPECT(is_ok(members_[1].replica->submit(change, Ack::kDelivered, 0)));
    for (int i = 0; i < kRawTurns && puts_[0].answers == 0; i++) turn(false);
    if (puts_[0].answers != 1) violation("the pool was not made");
  }

  void turns() {
    epoch_puts_.clear();
    for (int i = 0; i < kRawTurns && broken_.empty(); i++) turn(true);
    // Then everything comes to rest.
    for (int quiet = 0, i = 0; quiet < 200 && broken_.empty(); i++) {
      quiet = turn(false) > 0 || under_way() ? 0 : quiet + 1;
      if (i > 40 * kRawTurns) return violation("it does not come to rest");
    }
  }

  int turn(bool puts) {
    const NodeId node = nodes_[random_.below(nodes_.size())];
    if (puts && senders_.contains(node) && random_.chance(40)) put(node);
    if (puts && random_.below(400) == 0) reconnect(node);
    for (const NodeId from : nodes_) arrive(from, node, random_.below(6));
    return step(node);
  }

  bool under_way() const {
    return std::any_of(links_.begin(), links_.end(), [&](const auto& link) {
      const auto& [pair, writes] = link;
      return !writes.empty() &&
             std::find(nodes_.begin(), nodes_.end(), pair.second) != nodes_.end();
    });
  }

  void put(NodeId node) {
    if (epoch_puts_[node] >= kRawPuts) return;
    RawPut put;
    put.sender = node;
    put.number = numbers_[node];
    const bool is_large = random_.chance(3);
    const size_t size = is_large ? 20'000 + random_.below(180'000) : 8 + random_.below(400);
    put.value.assign(size, std::byte{static_cast<unsigned char>(put.number)});
    std::memcpy(put.value.data(), &put.number, sizeof put.number);
    const Token token = ++tokens_;
    if (!submit(node, token, puts_[token] = std::move(put))) {
      puts_.erase(token);
      return;
    }
    large += is_large ? 1 : 0;
    numbers_[node]++;
    epoch_puts_[node]++;
  }

  bool submit(NodeId node, Token token, const RawPut& put) {
    const std::string key = std::to_string(node);
    Change change;
    change.pool = kRawPool;
    change.key = std::as_bytes(std::span(key));
    change.value = put.value;
    const Status status = members_[node].replica->submit(change, Ack::kDelivered, token);
    if (!is_ok(status) && status != Status::kOverloaded) violation("a put is not taken");
    return is_ok(status);
  }

  int step(NodeId node) {
    Member& member = members_[node];
    member.out.clear();
    const int work = member.replica->step(kRawWall, member.out);
    for (const GrantedRegion& region : member.out.grants) member.regions.push_back(region);
    for (const RegionRevoke& revoke : member.out.revokes) {
      std::erase_if(member.regions, [&](const GrantedRegion& region) {
        return region.writer == revoke.writer && region.id == revoke.region;
      });
      member.replica->on_revoked(revoke.writer, revoke.region);
    }
    for (const RegionWrite& write : member.out.writes) {
      if (canary_ == RawCanary::kLoseWrite && random_.below(300) == 0) continue;
      Write sent{write.region, write.offset, {}, {}};
      if (write.stable) {
        sent.stable = write.bytes;
      } else {
        sent.copy.assign(write.bytes.begin(), write.bytes.end());
      }
      links_[{node, write.peer}].push_back(std::move(sent));
    }
    take_answers(member);
    observe(node);
    if (member.replica->frontiers().stopped.load() != 0)
      violation(std::string("an epoch stopped by itself: ") + member.replica->fault().what);
    return work;
  }

  void take_answers(Member& member) {
    for (const Completion& answer : member.out.completions) {
      RawPut& put = puts_.at(answer.token);
      put.answers++;
      put.status = answer.status;
      if (answer.version != 0) violation("a raw put is answered with a version");
    }
  }

  // What was delivered since, in the order of delivery here.
  void observe(NodeId node) {
    Member& member = members_[node];
    for (;;) {
      size_t used = 0;
      const Status status = member.store->read_log(member.read, buffer_, used, member.read);
      if (!is_ok(status)) return violation("a delivery cannot be read");
      if (used == 0) return;
      for (size_t at = 0; at < used;) {
        const RecordView record(buffer_.data() + at);
        at += record.size();
        if (record.header().kind == RecordKind::kPut) note(node, record);
      }
    }
  }

  void note(NodeId node, const RecordView& record) {
    const auto sender = static_cast<NodeId>(std::stoul(std::string(record.key())));
    uint64_t number;
    std::memcpy(&number, record.value().data(), sizeof number);
    Member& member = members_[node];
    delivered++;
    const std::string what = "put " + std::to_string(number) + " of " + std::to_string(sender);
    if (!member.seen[sender].insert(number).second)
      return violation(what + " comes twice to " + std::to_string(node));
    if (number < member.next[sender])
      violation(what + " comes out of its sender's order to " + std::to_string(node));
    member.next[sender] = number + 1;
  }

  void arrive(NodeId from, NodeId to, size_t most) {
    auto& writes = links_[{from, to}];
    for (size_t i = 0; i < most && !writes.empty(); i++) {
      const Write& write = writes.front();
      const Bytes bytes = write.copy.empty() ? write.stable : Bytes(write.copy);
      for (const GrantedRegion& region : members_[to].regions) {
        if (region.id == write.region && region.writer == from)
          std::memcpy(region.memory.data() + write.offset, bytes.data(), bytes.size());
      }
      writes.pop_front();
    }
  }

  // A connection breaks: what is under way is lost, and both write again what may be lacking.
  void reconnect(NodeId node) {
    const NodeId other = nodes_[random_.below(nodes_.size())];
    if (other == node) return;
    links_[{node, other}].clear();
    links_[{other, node}].clear();
    members_[node].replica->on_up(other);
    members_[other].replica->on_up(node);
  }

  // One is lost in the middle of it; the others end the epoch and go on in the next.
  void crash() {
    epoch_puts_.clear();
    for (int i = 0; i < 200; i++) turn(true);
    const NodeId lost = nodes_[random_.below(nodes_.size())];
    std::erase(nodes_, lost);
    lost_ = lost;
    for (const NodeId node : nodes_) {
      members_[node].replica->suspect(lost);
      links_[{lost, node}].clear();
    }
    for (const NodeId node : nodes_) members_[node].replica->wedge();
    MessageCounts trim{};
    for (int i = 0; !members_[nodes_[0]].replica->least_received(nodes_, trim); i++) {
      if (i > 10 * kRawTurns) return violation("not all show that they are wedged");
      (void)turn(false);
    }
    for (const NodeId node : nodes_) {
      Member& member = members_[node];
      member.out.clear();
      member.replica->take_trim(trim, member.out);
      if (!member.replica->is_prepared()) return violation("a raw epoch waits at its end");
    }
    senders_.erase(lost);
    if (senders_.empty()) senders_.insert(nodes_[0]);
    go_on();
  }

  void go_on() {
    begin(2);
    for (const NodeId node : nodes_) {
      Member& member = members_[node];
      ShardReplica& before = *member.retired.back();
      member.out.clear();
      before.confirm(member.out);
      before.take_back([&](const Change& change, Ack ack, Token token, bool) {
        if (!is_ok(member.replica->submit(change, ack, token))) {
          puts_.at(token).answers++;
          puts_.at(token).status = Status::kShardStopped;
        }
      });
      before.stop(Status::kShardStopped, member.out);
      take_answers(member);
      if (canary_ != RawCanary::kResubmitAll) continue;
      for (const Completion& answer : member.out.completions) {
        if (answer.status == Status::kShardStopped && senders_.contains(node))
          (void)submit(node, answer.token, puts_.at(answer.token));
      }
    }
  }

  void check_end() {
    for (const auto& [token, put] : puts_) {
      if (token == 0 || put.sender == lost_) continue;
      const std::string what =
          "put " + std::to_string(put.number) + " of " + std::to_string(put.sender);
      if (put.answers != 1) violation(what + " has " + std::to_string(put.answers) + " answers");
      refused += is_ok(put.status) ? 0 : 1;
      for (const NodeId node : nodes_) {
        const bool is_here = members_[node].seen[put.sender].contains(put.number);
        if (is_ok(put.status) && !is_here)
          violation(what + " was answered and is not at " + std::to_string(node));
      }
    }
    // Of who is lost, each has what it had received, without a gap.
    for (const NodeId node : nodes_) {
      const auto& seen = members_[node].seen[lost_];
      if (!seen.empty() && *seen.rbegin() + 1 != seen.size())
        violation("a gap in what the lost member sent, at " + std::to_string(node));
    }
  }

  SeededRandom random_;
  const RawCanary canary_;
  std::vector<NodeId> nodes_;
  std::set<NodeId> senders_;
  NodeId lost_ = 0;
  std::map<NodeId, Member> members_;
  std::map<std::pair<NodeId, NodeId>, std::deque<Write>> links_;
  std::map<Token, RawPut> puts_;
  std::map<NodeId, uint64_t> numbers_;
  std::map<NodeId, uint64_t> epoch_puts_;
  Token tokens_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(size_t{1} << 20);
  std::vector<std::string> broken_;
};

TEST(raw_every_seed_is_clean) {
  const uint64_t first = seed(1);
  uint64_t delivered = 0;
  uint64_t refused = 0;
  uint64_t large = 0;
  for (uint64_t i = 0; i < kRawSeeds; i++) {
    RawWorld world(first + i, RawCanary::kNone);
    for (const std::string& text : world.run())
      fail(__FILE__, __LINE__, "seed " + std::to_string(first + i) + ": " + text);
    delivered += world.delivered;
    refused += world.refused;
    large += world.large;
  }
  std::printf("  %llu deliveries, %llu puts cut off, %llu large\n",
              static_cast<unsigned long long>(delivered), static_cast<unsigned long long>(refused),
              static_cast<unsigned long long>(large));
  EXPECT(refused > 0 && large > 0);
}

bool is_raw_fault_found(RawCanary canary) {
  for (uint64_t i = 1; i <= 20; i++)
    if (!RawWorld(i, canary).run().empty()) return true;
  return false;
}

TEST(canary_a_lost_write_is_found_in_raw_delivery) {
  EXPECT(is_raw_fault_found(RawCanary::kLoseWrite));
}
// What anyone may have delivered is not sent again in the next epoch.
TEST(canary_sending_again_what_was_cut_off_is_found) {
  EXPECT(is_raw_fault_found(RawCanary::kResubmitAll));
}

TEST(raw_delivery_waits_for_nobody) {
  DirectGroup group({.raw = true});
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.step(0);
  EXPECT_EQ(group.store(0).newest_version(), 1u);
  group.step(1);  // member 2 makes no pass, and member 1 sent nothing
  EXPECT_EQ(group.store(1).newest_version(), 1u);
  group.step(0);
  EXPECT_EQ(group.answered(1), 0);
  EXPECT_EQ(group.store(2).newest_version(), 0u);
  group.settle();
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.answer(1).version, 0u);
  EXPECT_EQ(group.store(2).newest_version(), 1u);
}

TEST(a_condition_has_no_meaning_in_raw_delivery) {
  DirectGroup group({.raw = true});
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "k", {}, 1, Ack::kDelivered, {.version_of_key = 0}),
            Status::kInvalidArgument);
}

}  // namespace
}  // namespace freshet::test
