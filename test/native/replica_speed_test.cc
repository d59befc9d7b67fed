// What the protocol itself costs: three members in one process, writes as memcpy, no store, no
// network. Prints nanoseconds per ordered message and member; asserts only that all were delivered.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "native/core/shard_replica.h"
#include "native/core/store/store.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr uint64_t kMessages = 600'000;  // of all members
constexpr size_t kMembers = 3;

struct Member {
  HybridClock clock;
  std::unique_ptr<Store> store;
  std::unique_ptr<ShardReplica> replica;
  std::vector<GrantedRegion> regions;
  Outputs out;
};

struct Loop {
  explicit Loop(size_t senders) {
    for (size_t m = 0; m < kMembers; m++) {
      ShardConfig config;
      config.shard = 1;
      config.epoch = 1;
      config.members = {1, 2, 3};
      for (Rank rank = 0; rank < senders; rank++) config.senders.push_back(rank);
      config.me = static_cast<NodeId>(m + 1);
      config.ring_size = size_t{1} << 20;
      members[m].store = std::make_unique<Store>(StoreConfig{1, false});
      members[m].replica =
          std::make_unique<ShardReplica>(config, *members[m].store, members[m].clock);
      members[m].regions = members[m].replica->regions();
    }
  }

  int step(size_t m) {
    Member& member = members[m];
    member.out.clear();
    const int work = member.replica->step(1'700'000'000'000'000, member.out);
    for (const RegionWrite& write : member.out.writes) {
      for (const GrantedRegion& region : members[write.peer - 1].regions) {
        if (region.id == write.region)
          std::memcpy(region.memory.data() + write.offset, write.bytes.data(), write.bytes.size());
      }
    }
    answers += member.out.completions.size();
    return work;
  }

  Member members[kMembers];
  uint64_t answers = 0;
};

void measure(size_t senders, size_t value_size, size_t burst) {
  Loop loop(senders);
  // A pool without history, so that the store stays small.
  PoolRules rules;
  rules.pool = 1;
  rules.history = 1;
  Change control;
  control.kind = RecordKind::kControl;
  const std::string name = "pool/1";
  control.key = std::as_bytes(std::span(name));
  control.value = std::as_bytes(std::span(&rules, 1));
  EXPECT_EQ(loop.members[0].replica->submit(control, Ack::kDelivered, 1), Status::kOk);
  while (loop.answers < 1) {
    for (size_t m = 0; m < kMembers; m++) loop.step(m);
  }

  const std::vector<std::byte> value(value_size, std::byte{7});
  Change change;
  change.pool = 1;
  const std::string key = "cows/0128";
  change.key = std::as_bytes(std::span(key));
  change.value = value;
  uint64_t submitted = 0;
  const auto start = std::chrono::steady_clock::now();
  while (loop.answers < kMessages + 1) {
    for (size_t m = 0; m < kMembers; m++) {
      for (size_t i = 0; m < senders && i < burst && submitted < kMessages; i++) {
        if (loop.members[m].replica->submit(change, Ack::kDelivered, submitted) != Status::kOk)
          break;
        submitted++;
      }
      loop.step(m);
    }
  }
  const auto took = std::chrono::steady_clock::now() - start;
  const double ns = static_cast<double>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(took).count());
  std::printf("  %zu senders, %zu B, bursts of %zu: %.0f ns a message a member\n", senders,
              value_size, burst, ns / kMessages / kMembers);
  EXPECT_EQ(loop.answers, kMessages + 1);
  EXPECT_EQ(loop.members[0].store->digest(), loop.members[2].store->digest());
}

TEST(three_senders_of_100_bytes) { measure(3, 100, 64); }
TEST(three_senders_of_100_bytes_small_bursts) { measure(3, 100, 4); }
TEST(one_sender_of_100_bytes) { measure(1, 100, 64); }

}  // namespace
}  // namespace freshet::test
