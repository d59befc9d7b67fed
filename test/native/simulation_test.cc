// The replication core under a simulated network, from one seed each; FRESHET_SEED=n runs from seed
// n.
#include <cstdio>

#include "test/native/support/cluster.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr uint64_t kSeeds = 60;  // a test

// Prints what a seed broke and how to run it again.
bool clean(const ClusterConfig& config, const ClusterResult& result) {
  for (const std::string& text : result.violations)
    fail(__FILE__, __LINE__, "seed " + std::to_string(config.seed) + ": " + text);
  return result.violations.empty();
}

ClusterConfig shape(uint64_t number) {
  SeededRandom random(number);
  ClusterConfig config;
  config.seed = number;
  config.members = 1 + random.below(5);
  config.shards = 1 + random.below(2);
  config.persistent = random.chance(60);
  config.all_send = random.chance(40);
  config.large_percent = random.chance(30) ? 8 : 1;
  config.tear_percent = random.chance(50) ? 20 : 0;
  config.value_max = random.chance(50) ? 200 : 16'000;
  config.multicast = static_cast<MulticastAlgorithm>(random.below(kMulticastAlgorithms));
  config.block_size = static_cast<uint32_t>(kBlockSizeMin << random.below(5));
  if (random.chance(20)) config.members = 6 + random.below(kMembersMax - 5);
  return config;
}

// The harness with a fault in it: is the fault found, in a seed that is clean without it?
bool is_caught(Canary canary) {
  for (uint64_t i = 1; i <= 10; i++) {
    ClusterConfig config;
    config.seed = i;
    config.slow_percent = 50;
    config.all_send = true;
    if (!clean(config, Cluster(config).run())) return false;
    config.canary = canary;
    if (!Cluster(config).run().violations.empty()) return true;
  }
  return false;
}

TEST(every_seed_is_clean) {
  const uint64_t first = seed(1);
  ClusterResult total;
  for (uint64_t i = 0; i < kSeeds; i++) {
    const ClusterConfig config = shape(first + i);
    const ClusterResult result = Cluster(config).run();
    if (!clean(config, result)) {
      std::printf("  replay: FRESHET_SEED=%llu simulation_test every_seed\n",
                  static_cast<unsigned long long>(config.seed));
      return;
    }
    total.completions += result.completions;
    total.accepted += result.accepted;
    total.refused += result.refused;
    total.overloaded += result.overloaded;
    total.large += result.large;
    total.nulls += result.nulls;
  }
  std::printf(
      "  %llu seeds: %llu answers, %llu accepted, %llu refused, %llu overloaded, %llu large, "
      "%llu nulls\n",
      static_cast<unsigned long long>(kSeeds), static_cast<unsigned long long>(total.completions),
      static_cast<unsigned long long>(total.accepted),
      static_cast<unsigned long long>(total.refused),
      static_cast<unsigned long long>(total.overloaded),
      static_cast<unsigned long long>(total.large), static_cast<unsigned long long>(total.nulls));
  // The mix reaches every branch.
  EXPECT(total.refused > 0 && total.overloaded > 0 && total.large > 0 && total.nulls > 0);
}

TEST(the_same_seed_gives_the_same_trace) {
  const ClusterConfig config = shape(7);
  const ClusterResult one = Cluster(config).run();
  const ClusterResult other = Cluster(config).run();
  EXPECT_EQ(one.trace, other.trace);
  EXPECT_EQ(one.completions, other.completions);
  ClusterConfig different = config;
  different.seed = 8;
  EXPECT(Cluster(different).run().trace != one.trace);
}

TEST(canary_delivery_without_waiting_for_one_member_is_caught) {
  EXPECT(is_caught(Canary::kDeliverEarly));
}
TEST(canary_a_sync_reported_early_is_caught) { EXPECT(is_caught(Canary::kEarlyAck)); }
TEST(canary_a_lost_write_is_caught) { EXPECT(is_caught(Canary::kLostWrite)); }
TEST(canary_a_lost_block_is_caught) { EXPECT(is_caught(Canary::kLostBlock)); }
TEST(canary_a_forgotten_answer_is_caught) { EXPECT(is_caught(Canary::kForgetAnswer)); }
TEST(canary_changed_bytes_are_caught) { EXPECT(is_caught(Canary::kWrongValue)); }

}  // namespace
}  // namespace freshet::test
