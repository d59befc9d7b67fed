// Five members, of whom two different pairs are lost in turn: a view is put forward, dropped for
// another one, and that for a third, which removes whom the second would have kept.
#include <vector>

#include "native/core/canary.h"
#include "test/native/support/test.h"
#include "test/native/support/view_script.h"

namespace freshet::test {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr NodeId kReader = 3;   // in seat 2
constexpr ShardId kShared = 1;  // by all
constexpr ShardId kAlone = 2;   // the reader's; it answers there although the shared one ends
constexpr SeatSet kWithoutReader = 0b11011;
constexpr SeatSet kWithReader = 0b00111;

// Leases are so long that members are suspected before theirs have ended.
MembershipLimits limits() {
  MembershipLimits result;
  result.lease = 3 * kSecond;
  result.detector.loop_silence = 60 * kSecond;
  return result;
}

bool proposes(ViewScript& script, NodeId node, SeatSet members, uint64_t attempt) {
  const Membership& membership = script.at(node).membership();
  const View* proposal = membership.proposal();
  return proposal != nullptr && proposal->seats() == members &&
         attempt_of(membership.ballot()) == attempt;
}

struct Outcome {
  bool answers = false;        // the reader, when the others have installed a view without it
  std::vector<Epoch> numbers;  // of the shared shard's epoch in each proposal
};

Outcome run_breaking(CoreCanary rule, uint64_t seed) {
  broken_rule = rule;
  Outcome outcome;
  {
    ViewScript script(seed, limits(), 5);
    const auto note_proposal = [&](NodeId node, SeatSet members, uint64_t attempt) {
      EXPECT(script.until([&] { return proposes(script, node, members, attempt); }, 4 * kSecond));
      const View* proposal = script.at(node).membership().proposal();
      if (proposal != nullptr) outcome.numbers.push_back(proposal->shards[0].epoch);
    };
    script.begin(
        5, {{.shard = kShared, .epoch = 1, .members = {0, 1, 2, 3, 4}, .senders = {0, 1, 2, 3, 4}},
            {.shard = kAlone, .epoch = 1, .members = {2}, .senders = {0}}});
    EXPECT(script.until([&] { return script.at(kReader).holds_lease(); }, kSecond));
    // All others acknowledge that the reader is removed; then two of them are lost.
    script.part({kReader});
    for (const NodeId node : {1u, 2u, 4u, 5u}) {
      note_proposal(node, kWithoutReader, 1);
      if (node != 5) outcome.numbers.pop_back();
    }
    script.run(kSecond / 10);
    // That cannot be finished without them. The reader is back, and would be kept, but its owner
    // is slow to prepare.
    script.part({4, 5});
    script.at(kReader).stall(20 * kSecond);
    note_proposal(kReader, kWithReader, 2);
    const ShardReplica* shared = script.at(kReader).replica(kShared);
    EXPECT(script.until([&] { return shared->end_phase() == EndPhase::kEnded; }, 9 * kSecond));
    script.run(kSecond / 10);
    EXPECT(script.at(kReader).holds_lease());
    // Nor can that without the reader; the two are back, and ended their epochs long ago.
    script.part({kReader});
    note_proposal(4, kWithoutReader, 3);
    EXPECT(script.until([&] { return script.at(1).installed() == 2; }, 6 * kSecond));
    EXPECT_EQ(script.at(1).membership().view().seats(), kWithoutReader);
    const Token token = script.at(kReader).put(kAlone, 10, Ack::kDelivered);
    script.run(kSecond / 10);
    outcome.answers = script.at(kReader).is_answered(token) && script.at(kReader).holds_lease();
    EXPECT(script.violations().empty());
  }
  broken_rule = CoreCanary::kNone;
  return outcome;
}

TEST(a_lease_has_ended_before_there_is_a_view_without_its_holder) {
  for (uint64_t seed = 1; seed <= 5; seed++) EXPECT(!run_breaking(CoreCanary::kNone, seed).answers);
}

TEST(canary_prepared_before_the_gate_is_open) {
  EXPECT(run_breaking(CoreCanary::kUngated, 1).answers);
}

// The third proposal has the members of the first. Were the numbers alike it would be the first
// itself, as proposals are told by their bytes.
TEST(epochs_of_a_proposal_that_drops_another_have_numbers_of_their_own) {
  const std::vector<Epoch> numbers = run_breaking(CoreCanary::kNone, 1).numbers;
  EXPECT_EQ(numbers.size(), 3u);
  EXPECT_EQ(numbers.at(0), 2u);
  EXPECT_EQ(numbers.at(1), 3u);
  EXPECT_EQ(numbers.at(2), 4u);
}

}  // namespace
}  // namespace freshet::test
