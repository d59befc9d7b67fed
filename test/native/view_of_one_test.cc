// A member alone lets another one in, which is lost before, or just after, it has prepared.
#include "test/native/support/test.h"
#include "test/native/support/view_script.h"

namespace freshet::test {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr ShardId kShard = 1;
constexpr NodeId kOld = 1;
constexpr NodeId kJoiner = 2;

bool is_alone(ViewScript& script) {
  const Membership& membership = script.at(kOld).membership();
  return membership.view().members.size() == 1 && membership.proposal() == nullptr;
}

bool are_two(ViewScript& script) {
  const View& view = script.at(kOld).membership().view();
  return view.members.size() == 2 && script.at(kOld).settled(view) &&
         script.at(kJoiner).settled(view);
}

// One is acknowledged before long, under a lease.
bool takes_put(ViewScript& script) {
  ViewProcess& old = script.at(kOld);
  const uint64_t before = script.acknowledged();
  Token token = 0;
  const auto is_acknowledged = [&] {
    if (token == 0 || old.is_answered(token)) token = old.put(kShard, 10, Ack::kPersisted);
    return script.acknowledged() > before && old.holds_lease();
  };
  return script.until(is_acknowledged, 2 * kSecond);
}

// `stall`: of the joiner's owner. False: it would not be given the shard, whose epoch goes on.
bool propose_joiner(ViewScript& script, Nanos stall) {
  script.begin(1,
               {{.shard = kShard, .epoch = 1, .persistent = true, .members = {0}, .senders = {0}}});
  EXPECT(takes_put(script));
  script.start(kJoiner);
  script.at(kJoiner).stall(stall);
  EXPECT(script.until(
      [&] {
        const View* proposal = script.at(kOld).membership().proposal();
        return proposal != nullptr && script.at(kJoiner).membership().proposal() != nullptr;
      },
      3 * kSecond));
  return script.at(kOld).membership().proposal()->shards[0].epoch > 1;
}

bool is_prepared(ViewScript& script, NodeId node) {
  return script.at(node).step_now() == ViewStep::kPrepared;
}

TEST(a_joiner_that_is_lost_before_it_prepared_is_withdrawn) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    ViewScript script(seed, {}, 2);
    if (!propose_joiner(script, 60 * kSecond)) continue;
    const Ballot first = script.at(kOld).membership().ballot();
    script.run(kSecond / 10);
    EXPECT(!is_prepared(script, kJoiner));
    script.crash(kJoiner, true);
    EXPECT(script.until([&] { return is_alone(script); }, kSecond));
    EXPECT(takes_put(script));
    // What it puts forward next is later than what somebody may have of the first.
    EXPECT(script.at(kOld).membership().attempt() > attempt_of(first));
    script.start(kJoiner);
    EXPECT(script.until([&] { return are_two(script); }, 5 * kSecond));
    EXPECT(takes_put(script));
    EXPECT(script.violations().empty());
  }
}

// Its connection stays, and its threads live: longer than the member alone would wait for another.
TEST(a_joiner_whose_event_loop_hangs_is_withdrawn) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    ViewScript script(seed, {}, 2);
    if (!propose_joiner(script, 30 * kSecond)) continue;
    EXPECT(script.until([&] { return is_alone(script); }, 6 * kSecond));
    // It is not let in again while it hangs.
    EXPECT(takes_put(script));
    const uint64_t attempt = script.at(kOld).membership().attempt();
    script.run(10 * kSecond);
    EXPECT(is_alone(script) && takes_put(script));
    EXPECT_EQ(script.at(kOld).membership().attempt(), attempt);
    EXPECT(script.until([&] { return are_two(script); }, 20 * kSecond));
    EXPECT(takes_put(script));
    EXPECT(script.violations().empty());
  }
}

TEST(a_joiner_that_stands_still_is_withdrawn) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    ViewScript script(seed, {}, 2);
    if (!propose_joiner(script, 60 * kSecond)) continue;
    script.at(kJoiner).pause();
    EXPECT(script.until([&] { return is_alone(script); }, 2 * kSecond));
    EXPECT(takes_put(script));
    script.run(5 * kSecond);
    EXPECT(is_alone(script) && takes_put(script));
    script.at(kJoiner).resume();
    script.at(kJoiner).stall(0);
    EXPECT(script.until([&] { return are_two(script); }, 70 * kSecond));
    EXPECT(takes_put(script));
    EXPECT(script.violations().empty());
  }
}

TEST(a_joiner_that_prepared_unheard_and_comes_back_has_to_join_anew) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    ViewScript script(seed, {}, 2);
    if (!propose_joiner(script, 0)) continue;
    EXPECT(script.until([&] { return is_prepared(script, kJoiner); }, kSecond));
    script.drop(kOld, kJoiner);  // with what says so
    script.part({kJoiner});
    EXPECT(script.until([&] { return is_alone(script); }, kSecond));
    EXPECT(takes_put(script));
    EXPECT_EQ(script.outdated(), 0u);
    script.part({});
    EXPECT(script.until([&] { return are_two(script); }, 5 * kSecond));
    EXPECT_EQ(script.outdated(), 1u);
    EXPECT(takes_put(script));
    EXPECT(script.violations().empty());
  }
}

// It may have installed the view by then, and whoever restarts with the joiner goes by that.
TEST(once_it_was_asked_to_prepare_it_withdraws_nothing) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    ViewScript script(seed, {}, 2);
    if (!propose_joiner(script, 0)) continue;
    script.at(kOld).stall(3 * kSecond);  // so its record comes late
    EXPECT(script.until([&] { return is_prepared(script, kJoiner); }, kSecond));
    script.run(kSecond / 10);
    EXPECT(!is_prepared(script, kOld));
    script.crash(kJoiner, true);
    EXPECT(script.until([&] { return script.at(kOld).installed() == 2; }, 5 * kSecond));
    EXPECT_EQ(script.at(kOld).membership().view().members.size(), 2u);
    EXPECT(!takes_put(script));
    EXPECT(script.violations().empty());
  }
}

}  // namespace
}  // namespace freshet::test
