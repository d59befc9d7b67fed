// Three members. One has acknowledged a view without the first, sees heartbeats of it again, and
// acknowledges a view with it then: what it had echoed without a promise counts from there on. That
// view is dropped for one without the first again, which has taken part in it, and comes back.
#include "native/core/canary.h"
#include "test/native/support/test.h"
#include "test/native/support/view_script.h"

namespace freshet::test {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr NodeId kReader = 1;    // in seat 0
constexpr NodeId kPromiser = 2;  // in seat 1
constexpr NodeId kThird = 3;     // in seat 2
constexpr ShardId kShared = 1;   // by all
constexpr ShardId kAlone = 2;    // the reader's
constexpr SeatSet kWithoutReader = 0b110;
constexpr SeatSet kWithReader = 0b011;

// Leases outlast all that happens here between two promises.
MembershipLimits limits() {
  MembershipLimits result;
  result.lease = 6 * kSecond;
  result.detector.loop_silence = 60 * kSecond;
  return result;
}

void cut_both(ViewScript& script, NodeId a, NodeId b) {
  script.cut(a, b);
  script.cut(b, a);
}

void heal_both(ViewScript& script, NodeId a, NodeId b) {
  script.heal(a, b);
  script.heal(b, a);
}

void expect_proposal(ViewScript& script, NodeId node, SeatSet members, uint64_t attempt) {
  const Membership& membership = script.at(node).membership();
  EXPECT(script.until(
      [&] {
        const View* proposal = membership.proposal();
        return proposal != nullptr && proposal->seats() == members &&
               attempt_of(membership.ballot()) == attempt;
      },
      4 * kSecond));
}

void expect_attempt(ViewScript& script, NodeId node, uint64_t attempt) {
  const Membership& membership = script.at(node).membership();
  EXPECT(script.until([&] { return membership.attempt() == attempt; }, 4 * kSecond));
}

void begin(ViewScript& script) {
  script.begin(3, {{.shard = kShared, .epoch = 1, .members = {0, 1, 2}, .senders = {0, 1, 2}},
                   {.shard = kAlone, .epoch = 1, .members = {0}, .senders = {0}}});
  EXPECT(script.until([&] { return script.at(kReader).holds_lease(); }, kSecond));
}

// Until the promiser has acknowledged the reader's view, having echoed heartbeats of it before.
void acknowledge_again(ViewScript& script) {
  script.part({kReader});
  expect_proposal(script, kPromiser, kWithoutReader, 1);
  expect_proposal(script, kThird, kWithoutReader, 1);
  // The reader is back, and begins a new attempt, as it is suspected. Whoever follows it does so
  // for the loss of the third one.
  heal_both(script, kReader, kPromiser);
  expect_attempt(script, kReader, 2);
  script.cut(kPromiser, kReader);
  cut_both(script, kPromiser, kThird);
  expect_attempt(script, kPromiser, 2);
  script.run(kSecond / 5);
  script.heal(kPromiser, kReader);
  expect_proposal(script, kPromiser, kWithReader, 2);
  script.cut(kReader, kPromiser);
}

// Until the others have installed a view without the reader, which does not hear of it.
void go_on_without_reader(ViewScript& script) {
  script.cut(kPromiser, kReader);
  script.run(3 * kSecond / 2);
  heal_both(script, kPromiser, kThird);
  EXPECT(script.until([&] { return script.at(kThird).installed() == 2; }, 12 * kSecond));
  EXPECT_EQ(script.at(kThird).membership().view().seats(), kWithoutReader);
}

// Does the reader answer when the others have installed a view without it?
bool answers_beside_others(CoreCanary rule, uint64_t seed) {
  broken_rule = rule;
  bool answers = false;
  {
    ViewScript script(seed, limits(), 3);
    begin(script);
    acknowledge_again(script);
    script.run(kSecond / 10);
    EXPECT(script.at(kReader).holds_lease());
    go_on_without_reader(script);
    const Token token = script.at(kReader).put(kAlone, 10, Ack::kDelivered);
    script.run(kSecond / 10);
    answers = script.at(kReader).is_answered(token) && script.at(kReader).holds_lease();
  }
  broken_rule = CoreCanary::kNone;
  return answers;
}

TEST(who_acknowledges_a_view_promises_to_whom_the_one_before_removed) {
  for (uint64_t seed = 1; seed <= 10; seed++)
    EXPECT(!answers_beside_others(CoreCanary::kNone, seed));
}

// It shows where no other heartbeat is echoed between the acknowledgement and the cut behind it.
TEST(canary_an_acknowledgement_without_its_promise) {
  bool is_found = false;
  for (uint64_t seed = 1; seed <= 10 && !is_found; seed++)
    is_found = answers_beside_others(CoreCanary::kUnpromised, seed);
  EXPECT(is_found);
}

// What it acknowledged is under way there still, and has the number of the view that it missed.
TEST(who_took_part_in_a_view_that_was_dropped_comes_back_as_another) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    ViewScript script(seed, limits(), 3);
    begin(script);
    acknowledge_again(script);
    script.run(kSecond / 10);
    go_on_without_reader(script);
    const Membership& reader = script.at(kReader).membership();
    const MemberId before = reader.me();
    EXPECT(reader.proposal() != nullptr && reader.proposal()->seats() == kWithReader);
    script.part({});
    EXPECT(script.until([&] { return script.outdated() == 1; }, 4 * kSecond));
    const auto are_three = [&] {
      const View& view = script.at(kThird).membership().view();
      return view.members.size() == 3 && script.at(kReader).settled(view) &&
             script.at(kPromiser).settled(view) && script.at(kThird).settled(view);
    };
    EXPECT(script.until(are_three, 8 * kSecond));
    EXPECT(script.at(kReader).id() != before);
    EXPECT_EQ(script.outdated(), 1u);
    EXPECT(script.violations().empty());
  }
}

}  // namespace
}  // namespace freshet::test
