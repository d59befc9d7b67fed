// The end of an epoch whose members crash at any moment: all that go on delivered the same, and
// nothing that a lost member delivered or acknowledged is missing. FRESHET_SEED=n starts at seed n.
#include "native/core/epoch_end.h"

#include <cstdio>
#include <string>
#include <vector>

#include "test/native/support/direct_group.h"
#include "test/native/support/ending_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr uint64_t kSeeds = 600;
constexpr uint64_t kCanarySeeds = 20'000;  // at most; each is found long before

const char* name_of(EndPhase phase) {
  switch (phase) {
    case EndPhase::kRunning:
      return "running";
    case EndPhase::kWedged:
      return "wedged";
    case EndPhase::kTrimmed:
      return "trimmed";
    case EndPhase::kDelivering:
      return "delivering";
    case EndPhase::kEnded:
      return "ended";
    case EndPhase::kBehind:
      return "behind";
  }
  return "?";
}

TEST(members_crash_at_every_step_and_the_others_agree) {
  std::map<std::pair<EndPhase, bool>, uint64_t> crashes;
  uint64_t beyond = 0;
  const uint64_t first = seed(1);
  for (uint64_t i = first; i < first + kSeeds; i++) {
    const EndingResult result = EndingGroup({.seed = i}).run();
    for (const std::string& text : result.violations)
      fail(__FILE__, __LINE__, text + " (FRESHET_SEED=" + std::to_string(i) + ")");
    for (const auto& [at, count] : result.crashes) crashes[at] += count;
    beyond += result.beyond;
  }
  EXPECT(beyond > 0);
  for (const EndPhase phase :
       {EndPhase::kRunning, EndPhase::kWedged, EndPhase::kTrimmed, EndPhase::kEnded}) {
    for (const bool leads : {false, true}) {
      const uint64_t count = crashes[{phase, leads}];
      std::printf("crashes of %s, %s: %llu\n", leads ? "the leader" : "another", name_of(phase),
                  static_cast<unsigned long long>(count));
      EXPECT(count > 0);
    }
  }
}

TEST(the_same_seed_gives_the_same_history) {
  for (uint64_t i = 1; i <= 20; i++)
    EXPECT_EQ(EndingGroup({.seed = i}).run().trace, EndingGroup({.seed = i}).run().trace);
}

void expect_found(EndCanary canary) {
  for (uint64_t i = 1; i <= kCanarySeeds; i++) {
    if (EndingGroup({i, canary}).run().violations.empty()) continue;
    std::printf("found with seed %llu\n", static_cast<unsigned long long>(i));
    return;
  }
  fail(__FILE__, __LINE__, "no seed finds the broken rule");
}

TEST(canary_a_trim_used_before_all_show_it) { expect_found(EndCanary::kAlone); }
TEST(canary_a_suspicion_shown_before_the_copied_trim) { expect_found(EndCanary::kSuspectFirst); }
TEST(canary_a_trim_used_without_agreement) { expect_found(EndCanary::kDisagree); }
TEST(canary_a_trim_without_a_majority) { expect_found(EndCanary::kWithoutMajority); }
TEST(canary_wedged_shown_while_still_receiving) { expect_found(EndCanary::kEarlyWedge); }

// --- by hand: three members, the third is lost --------------------------------------------------

constexpr RankSet kFirstTwo = 0b011;
constexpr NodeId kLost = 3;

// Members 0 and 1 go on, as if their view had said so.
void end(DirectGroup& group, bool gate_open = true) {
  for (const size_t m : {0u, 1u}) {
    group.replica(m).suspect(kLost);
    group.replica(m).wedge();
    group.replica(m).set_survivors({kFirstTwo, true, gate_open});
  }
  for (int round = 0; round < 10; round++) {
    group.step(0);
    group.step(1);
  }
}

TEST(what_all_survivors_have_is_delivered_and_answered) {
  DirectGroup group({});
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  for (int round = 0; round < 3; round++) {
    group.step(0);
    group.step(1);  // member 2 makes no pass, so nothing is stable
  }
  EXPECT_EQ(group.answered(1), 0);
  end(group, false);
  EXPECT(group.replica(0).end_phase() == EndPhase::kTrimmed);
  EXPECT_EQ(group.answered(1), 0);  // somebody outside may still answer reads
  end(group);
  EXPECT(group.replica(0).end_phase() == EndPhase::kEnded);
  EXPECT(group.replica(1).end_phase() == EndPhase::kEnded);
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.answer(1).version, 1u);
  EXPECT_EQ(group.store(1).newest_version(), 1u);
  EXPECT_EQ(group.store(2).newest_version(), 0u);
}

TEST(what_one_survivor_lacks_is_cut_off_everywhere) {
  DirectGroup group({});
  group.set_rules(0);
  const std::vector<std::byte> large(5 * kRingSizeMin, std::byte{4});
  EXPECT_EQ(group.put(0, "small", {}, 1), Status::kOk);
  group.step(0);
  group.step(1);
  EXPECT_EQ(group.put(0, "large", large, 2), Status::kOk);
  group.step(0);
  group.step(1);  // some of its blocks
  end(group);
  EXPECT(group.replica(0).end_phase() == EndPhase::kEnded);
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.answered(2), 0);
  EXPECT_EQ(group.store(0).digest(), group.store(1).digest());
  EXPECT_EQ(group.store(0).newest_version(), 1u);
  group.out(0).clear();
  group.replica(0).stop(Status::kShardStopped, group.out(0));
  group.note(0);
  EXPECT(group.answer(2).status == Status::kShardStopped);
  EXPECT_EQ(group.released.size(), 1u);  // its value is no longer read
}

TEST(a_wedged_member_takes_nothing_and_answers_no_reads) {
  DirectGroup group({});
  group.set_rules(0);
  group.replica(0).wait_current(1, false);
  group.replica(0).wedge();
  EXPECT(group.replica(0).frontiers().wedged.load());
  EXPECT_EQ(group.put(0, "k", {}, 2), Status::kShardStopped);
  EXPECT_EQ(group.put(1, "k", {}, 3), Status::kOk);
  group.replica(0).wait_current(4, false);
  group.settle();
  EXPECT(group.answer(1).status == Status::kNotCurrent);
  EXPECT(group.answer(4).status == Status::kNotCurrent);
  EXPECT_EQ(group.answered(3), 0);
  EXPECT_EQ(group.replica(0).frontiers().received.load(),
            group.replica(0).frontiers().delivered.load());
}

TEST(what_waits_for_disks_is_answered_when_the_next_view_is_committed) {
  DirectGroup group({.persistent = true});
  group.set_rules(0);
  for (const size_t m : {0u, 1u, 2u}) group.sync(m);
  group.settle();
  EXPECT_EQ(group.put(0, "k", {}, 1, Ack::kPersisted), Status::kOk);
  group.step(0);
  group.step(1);
  end(group);
  EXPECT(group.replica(0).end_phase() == EndPhase::kEnded);
  EXPECT(!group.replica(0).is_prepared());
  EXPECT(group.sync(0));
  group.step(0);
  EXPECT(group.replica(0).is_prepared());
  EXPECT(!group.replica(1).is_prepared());
  EXPECT_EQ(group.answered(1), 0);  // a restart of the old view could still do without it
  group.out(0).clear();
  group.replica(0).confirm(group.out(0));
  group.note(0);
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.replica(0).frontiers().persisted_version.load(), 1u);
}

TEST(who_lacks_what_the_trim_covers_does_not_deliver_it) {
  DirectGroup group({});
  group.set_rules(0);
  const RowLayout layout{3};
  const Version before = group.store(0).newest_version();
  auto* row = reinterpret_cast<uint64_t*>(group.memory(0, RegionKind::kShardRow, 2).data());
  for (size_t s = 0; s < 3; s++) row[layout.trim(s)] = row[layout.received(s)] + 4;
  row[layout.wedged()] = 1;
  row[layout.trim_ready()] = 1;
  group.replica(0).suspect(kLost);
  group.replica(0).wedge();
  group.replica(0).set_survivors({kFirstTwo, true, true});
  for (int round = 0; round < 3; round++) group.step(0);
  EXPECT(group.replica(0).end_phase() == EndPhase::kBehind);
  EXPECT_EQ(group.store(0).newest_version(), before);
}

TEST(a_trim_that_takes_back_what_was_delivered_is_a_fault) {
  DirectGroup group({});
  group.set_rules(0);
  for (Token token = 1; token <= 5; token++) EXPECT_EQ(group.put(1, "k", {}, token), Status::kOk);
  group.settle();
  const RowLayout layout{3};
  auto* row = reinterpret_cast<uint64_t*>(group.memory(0, RegionKind::kShardRow, 2).data());
  row[layout.wedged()] = 1;
  row[layout.trim(1)] = 2;  // member 0 delivered five of member 1's
  row[layout.trim_ready()] = 1;
  group.replica(0).suspect(kLost);
  group.replica(0).wedge();
  group.replica(0).set_survivors({kFirstTwo, true, true});
  group.step(0);
  EXPECT(group.replica(0).frontiers().stopped.load() == static_cast<uint8_t>(Status::kLogCorrupt));
  EXPECT_EQ(group.replica(0).fault().peer, 2u);
}

}  // namespace
}  // namespace freshet::test
