#include "native/core/lag_watch.h"

#include <array>
#include <functional>
#include <vector>

#include "native/core/shard_replica.h"
#include "native/io/seeded_random.h"
#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr Nanos kBeat = 50'000'000;
constexpr Nanos kPatience = 400'000'000;

// One member that is looked at once a heartbeat.
struct Watched {
  LagWatch watch{1};
  LagCounts mine{};
  LagCounts theirs{};
  bool heard = true;
  Nanos now = 1'000 * kBeat;
  std::vector<Lag> told;

  void beat(Nanos after = kBeat) {
    now += after;
    watch.begin(now, kPatience);
    watch.look(0, 7, mine, theirs, heard, told);
  }
  void beats(int count) {
    for (int i = 0; i < count; i++) beat();
  }
};

TEST(who_has_everything_is_never_waited_for) {
  Watched one;
  for (uint64_t i = 0; i < 100; i++) {
    one.mine = one.theirs = {i, i, i};
    one.beat();
  }
  EXPECT(one.told.empty());
}

TEST(a_wait_is_told_once_it_is_long_enough_with_what_was_lacking) {
  for (size_t kind = 0; kind < kLagKinds; kind++) {
    Watched one;
    one.beat();
    one.mine[kind] = 5;
    one.beats(9);
    EXPECT_EQ(one.told.size(), 1u);  // the mark was set with the first of them
    EXPECT_EQ(one.told[0].node, 7u);
    EXPECT_EQ(static_cast<size_t>(one.told[0].kind), kind);
    EXPECT_EQ(one.told[0].waited, kPatience);
    EXPECT_EQ(one.told[0].sequences, 5u);
    one.theirs[kind] = 5;
    one.beats(20);
    EXPECT_EQ(one.told.size(), 1u);
  }
}

TEST(a_wait_that_goes_on_is_told_again_after_a_while) {
  Watched one;
  one.mine[0] = 1;
  one.beats(9);
  EXPECT_EQ(one.told.size(), 1u);
  one.beats(static_cast<int>(kLagToldAgain / kBeat));
  EXPECT_EQ(one.told.size(), 2u);
  EXPECT_EQ(one.told[1].waited, kPatience + kLagToldAgain);
}

TEST(steady_traffic_is_no_wait_and_does_not_hide_one) {
  Watched one;
  for (uint64_t i = 1; i < 200; i++) {
    one.mine[0] = 1000 * i;
    one.theirs[0] = 1000 * (i - 1) + 1;  // always behind, by less than a heartbeat
    one.beat();
  }
  EXPECT(one.told.empty());
  for (uint64_t i = 200; i < 300; i++) {
    one.mine[0] = 1000 * i;
    one.theirs[0] = 1000 * (i - 10);  // always behind, by ten of them
    one.beat();
  }
  EXPECT(!one.told.empty());
}

TEST(who_is_silent_is_told_only_when_it_has_moved_again) {
  Watched one;
  one.mine[0] = 3;
  one.heard = false;
  one.beats(14);
  EXPECT(one.told.empty());
  one.theirs[0] = 3;
  one.beat();
  EXPECT_EQ(one.told.size(), 1u);
  EXPECT_EQ(one.told[0].waited, 14 * kBeat);
}

TEST(a_pause_of_my_own_is_nobodys_wait) {
  Watched one;
  one.mine[0] = 3;
  one.beats(2);
  one.beat(kPatience);  // away for so long
  EXPECT(one.told.empty());
  one.beats(7);
  EXPECT(one.told.empty());
  one.beat();
  EXPECT_EQ(one.told.size(), 1u);
}

TEST(who_is_excused_begins_anew) {
  Watched one;
  one.mine[0] = 3;
  one.beats(8);
  one.watch.excuse(0);
  one.beats(8);
  EXPECT(one.told.empty());
  one.watch.excuse_all();
  one.beats(8);
  EXPECT(one.told.empty());
  one.beat();
  EXPECT_EQ(one.told.size(), 1u);
}

// Against what looking back finds, for members that are so many looks behind for a while each:
// nobody is told whose lag is below the patience, everybody whose lag is twice that.
TEST(waits_are_those_that_looking_back_finds) {
  constexpr size_t kLooks = kPatience / kBeat;
  SeededRandom random(seed(11));
  size_t late_rounds = 0;
  for (int round = 0; round < 300; round++) {
    Watched one;
    std::vector<uint64_t> had;
    bool short_only = true;
    bool long_once = false;
    size_t lag = 0;
    const uint64_t most = random.below(3 * kLooks);
    for (size_t i = 0; i < 100; i++) {
      if (i % 30 == 0) lag = random.below(most + 1);
      had.push_back((had.empty() ? 0 : had.back()) + random.below(3));
      one.mine[0] = had[i];
      one.theirs[0] = std::max(one.theirs[0], had[i - std::min(i, lag)]);
      one.beat();
      if (i + 1 >= kLooks) short_only = short_only && one.theirs[0] >= had[i + 1 - kLooks];
      if (i >= 2 * kLooks) long_once = long_once || one.theirs[0] < had[i - 2 * kLooks];
    }
    if (short_only) EXPECT(one.told.empty());
    if (long_once) EXPECT(!one.told.empty());
    late_rounds += long_once ? 1 : 0;
  }
  EXPECT(late_rounds > 20);
}

struct Watching {
  DirectGroup group;
  Nanos now = 1'000 * kBeat;
  std::vector<Lag> told;

  explicit Watching(DirectConfig config) : group(config) { group.set_rules(0); }
  // The members of `standing` make no passes.
  void beats(int count, RankSet standing) {
    for (int i = 0; i < count; i++) {
      for (size_t m = 0; m < group.size(); m++) {
        if ((standing >> m & 1) != 0) continue;
        (void)group.replica(m).show_delivered();
        group.step(m);
      }
      now += kBeat;
      group.replica(0).watch_lag(
          now, kPatience, [](NodeId) { return true; }, told);
    }
  }
};

TEST(a_replica_names_who_does_not_receive) {
  Watching one({});
  one.beats(30, 0);
  EXPECT(one.told.empty());  // idle
  EXPECT_EQ(one.group.put(0, "k", {}, 1), Status::kOk);
  one.beats(10, 0b100);
  EXPECT_EQ(one.told.size(), 1u);
  EXPECT_EQ(one.told[0].node, 3u);
  EXPECT(one.told[0].kind == LagKind::kReceived);
  one.told.clear();
  one.beats(30, 0);
  EXPECT(one.told.empty());
  EXPECT_EQ(one.group.answered(1), 1);
}

struct WatchingBlocks {
  Watching one{{.multicast = MulticastAlgorithm::kChain, .block_size = kBlockSizeMin}};
  std::vector<std::byte> value{40 * kBlockSizeMin};
  std::array<std::vector<Lag>, 3> told;

  void beats(int count, RankSet standing) {
    for (int i = 0; i < count; i++) {
      one.beats(1, standing);
      for (size_t m = 1; m < 3; m++)
        one.group.replica(m).watch_lag(
            one.now, kPatience, [](NodeId) { return true; }, told[m]);
    }
    told[0].insert(told[0].end(), one.told.begin(), one.told.end());
    one.told.clear();
  }
};

TEST(who_takes_no_blocks_is_named_before_the_record_has_its_place) {
  WatchingBlocks blocks;
  EXPECT_EQ(blocks.one.group.put(0, "k", blocks.value, 1), Status::kOk);
  blocks.beats(3, 0);
  EXPECT_EQ(blocks.one.group.answered(1), 0);
  blocks.beats(12, 0b010);  // the relay
  for (const size_t m : {size_t{0}, size_t{2}}) {
    EXPECT_EQ(blocks.told[m].size(), 1u);
    EXPECT_EQ(blocks.told[m][0].node, 2u);
    EXPECT(blocks.told[m][0].kind == LagKind::kBlocks);
  }
  blocks.told = {};
  blocks.beats(100, 0);
  EXPECT_EQ(blocks.one.group.answered(1), 1);
  for (const auto& lags : blocks.told) EXPECT(lags.empty());
}

TEST(who_waits_for_blocks_of_another_is_not_named) {
  WatchingBlocks blocks;
  EXPECT_EQ(blocks.one.group.put(0, "k", blocks.value, 1), Status::kOk);
  blocks.one.group.replica(1).set_busy(3, true);
  blocks.beats(60, 0);
  EXPECT_EQ(blocks.one.group.answered(1), 0);
  for (const size_t m : {size_t{0}, size_t{2}}) {
    EXPECT(!blocks.told[m].empty());
    for (const Lag& lag : blocks.told[m]) EXPECT(lag.node == 2u && lag.kind == LagKind::kBlocks);
  }
  EXPECT(blocks.told[1].empty());
}

TEST(a_replica_names_whose_disk_is_slow) {
  Watching one({.persistent = true});
  for (size_t m = 0; m < 3; m++) one.group.sync(m);
  one.group.settle();
  EXPECT_EQ(one.group.put(0, "k", {}, 1, Ack::kPersisted), Status::kOk);
  one.group.settle();
  EXPECT(one.group.sync(0) && one.group.sync(2));
  one.beats(10, 0);
  EXPECT_EQ(one.told.size(), 1u);
  EXPECT_EQ(one.told[0].node, 2u);
  EXPECT(one.told[0].kind == LagKind::kPersisted);
}

TEST(a_replica_expects_nothing_of_whom_it_holds_or_suspects_or_once_it_is_wedged) {
  Watching one({});
  EXPECT_EQ(one.group.put(0, "k", {}, 1), Status::kOk);
  one.group.replica(0).hold(3);
  one.beats(20, 0b100);
  one.group.replica(0).release(3);
  one.group.replica(0).suspect(3);
  one.beats(20, 0b100);
  EXPECT(one.told.empty());
  one.group.replica(0).trust(3);
  one.group.replica(0).wedge();
  one.beats(20, 0b100);
  EXPECT(one.told.empty());
}

}  // namespace
}  // namespace freshet::test
