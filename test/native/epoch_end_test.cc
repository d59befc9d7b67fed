// The end of one member's epoch, by hand: three members, the third is lost, and a view that decides
// as it likes. Whole groups whose members crash at any moment: membership_test.
#include "native/core/epoch_end.h"

#include <algorithm>
#include <string>
#include <vector>

#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr NodeId kLost = 3;

// Members 0 and 1 wedge and see it of each other.
MessageCounts wedge_two(DirectGroup& group) {
  for (const size_t m : {0u, 1u}) {
    group.replica(m).suspect(kLost);
    group.replica(m).wedge();
  }
  for (int round = 0; round < 3; round++) {
    group.step(0);
    group.step(1);
  }
  MessageCounts least{};
  EXPECT(group.replica(0).least_received({1, 2}, least));
  return least;
}

void take_trim(DirectGroup& group, size_t m, const MessageCounts& trim) {
  group.out(m).clear();
  group.replica(m).take_trim(trim, group.out(m));
  group.note(m);
  for (int round = 0; round < 10; round++) group.step(m);
}

void confirm(DirectGroup& group, size_t m) {
  group.out(m).clear();
  group.replica(m).confirm(group.out(m));
  group.note(m);
}

// Members 0 and 1 go on, as if their view had said so.
void end(DirectGroup& group) {
  const MessageCounts trim = wedge_two(group);
  for (const size_t m : {0u, 1u}) take_trim(group, m, trim);
}

TEST(what_all_survivors_have_is_delivered_and_answered) {
  DirectGroup group({});
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  for (int round = 0; round < 3; round++) {
    group.step(0);
    group.step(1);  // member 2 makes no pass, so nothing is stable
  }
  const MessageCounts trim = wedge_two(group);
  EXPECT(group.replica(0).end_phase() == EndPhase::kWedged);
  EXPECT_EQ(group.answered(1), 0);  // somebody outside may still answer reads
  for (const size_t m : {0u, 1u}) take_trim(group, m, trim);
  EXPECT(group.replica(0).end_phase() == EndPhase::kEnded);
  EXPECT(group.replica(1).end_phase() == EndPhase::kEnded);
  EXPECT_EQ(group.answered(1), 0);  // who was left out may still come back without it
  confirm(group, 0);
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
  confirm(group, 0);
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

// What is handed back of member 0's, by key, with the size of its value.
struct TakenBack {
  std::string key;
  size_t size;
  Token token;
  bool large;
};

std::vector<TakenBack> take_back(DirectGroup& group) {
  std::vector<TakenBack> taken;
  group.replica(0).take_back([&](const Change& change, Ack, Token token, bool large) {
    const std::string key(reinterpret_cast<const char*>(change.key.data()), change.key.size());
    EXPECT(std::ranges::all_of(change.value, [](std::byte byte) { return byte == std::byte{4}; }));
    taken.push_back({key, change.value.size(), token, large});
  });
  return taken;
}

TEST(large_values_that_were_cut_off_are_handed_back_in_their_order) {
  const std::vector<std::byte> large(5 * kRingSizeMin, std::byte{4});
  const std::vector<std::byte> middle(kRingSizeMin / 3, std::byte{4});
  // Of the middle one all is in the ring, of the large one a part, of the last nothing.
  DirectGroup group({});
  group.set_rules(0);
  group.step(2);
  EXPECT_EQ(group.put(0, "a", {}, 1), Status::kOk);
  EXPECT_EQ(group.put(0, "b", middle, 2), Status::kOk);
  EXPECT_EQ(group.put(0, "c", {}, 3), Status::kOk);
  EXPECT_EQ(group.put(0, "d", large, 4), Status::kOk);
  EXPECT_EQ(group.put(0, "e", {}, 5), Status::kOk);
  group.replica(1).suspect(kLost);
  group.replica(1).wedge();  // it receives none of these
  group.step(1);
  for (int round = 0; round < 5; round++) group.step(0);
  end(group);
  confirm(group, 0);
  EXPECT(group.released.empty());
  const std::vector<TakenBack> taken = take_back(group);
  EXPECT_EQ(taken.size(), 5u);
  for (size_t i = 0; i < taken.size(); i++) {
    EXPECT_EQ(taken[i].key, std::string(1, static_cast<char>('a' + i)));
    EXPECT_EQ(taken[i].token, static_cast<Token>(i + 1));
    EXPECT_EQ(taken[i].large, i == 1 || i == 3);
  }
  EXPECT_EQ(taken[1].size, middle.size());
  EXPECT_EQ(taken[3].size, large.size());
  group.out(0).clear();
  group.replica(0).stop(Status::kShardStopped, group.out(0));
  group.note(0);
  // They are the next epoch's now.
  for (const Token token : {Token{1}, Token{2}, Token{3}, Token{4}, Token{5}})
    EXPECT_EQ(group.answered(token), 0);
  EXPECT(group.released.empty());
}

TEST(a_large_value_that_was_delivered_is_not_handed_back) {
  const std::vector<std::byte> large(kRingSizeMin / 3, std::byte{4});
  DirectGroup group({});
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "a", large, 1), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.released.size(), 1u);
  EXPECT_EQ(group.put(0, "b", large, 2), Status::kOk);
  for (int round = 0; round < 3; round++) {
    group.step(0);
    group.step(1);  // member 2 makes no pass: the trim delivers it
  }
  end(group);
  confirm(group, 0);
  EXPECT_EQ(group.answered(2), 1);
  EXPECT(take_back(group).empty());
  group.out(0).clear();
  group.replica(0).stop(Status::kShardStopped, group.out(0));
  group.note(0);
  EXPECT_EQ(group.released.size(), 2u);
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

TEST(what_was_received_is_final_once_all_are_wedged) {
  DirectGroup group({});
  group.set_rules(0);
  MessageCounts least{};
  group.replica(0).wedge();
  group.step(0);
  EXPECT(!group.replica(0).least_received({1, 2}, least));
  EXPECT_EQ(group.put(1, "k", {}, 1), Status::kOk);
  group.step(1);  // member 0 takes it no more
  group.replica(1).wedge();
  group.step(1);
  EXPECT(group.replica(0).least_received({1, 2}, least));
  EXPECT(group.replica(1).least_received({1, 2}, least));
  MessageCounts alone{};
  EXPECT(group.replica(1).least_received({2}, alone));
  EXPECT_EQ(alone[1], least[1] + 1);
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
  confirm(group, 0);
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.replica(0).frontiers().persisted_version.load(), 1u);
}

void copy_log(Store& from, Store& to) {
  std::vector<std::byte> bytes(size_t{1} << 20);
  size_t used = 0;
  LogPosition last;
  EXPECT_EQ(from.read_log(to.last_position(), bytes, used, last), Status::kOk);
  for (size_t at = 0; at < used;) {
    const RecordView record(bytes.data() + at);
    EXPECT_EQ(to.restore(record, std::nullopt), Status::kOk);
    at += record.size();
  }
}

// Members 0 and 2 end the epoch; member 1 was away, lacks what they delivered and fetches it.
TEST(who_lacks_what_the_trim_covers_fetches_it) {
  DirectGroup group({});
  group.set_rules(0);
  group.settle();
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.step(0);
  group.step(2);
  group.replica(1).wedge();  // before it took the put
  for (const size_t m : {0u, 2u}) group.replica(m).wedge();
  for (const size_t m : {0u, 1u, 2u}) group.step(m);
  MessageCounts trim{};
  EXPECT(group.replica(0).least_received({1, 3}, trim));
  for (const size_t m : {0u, 1u, 2u}) take_trim(group, m, trim);
  EXPECT(group.replica(0).end_phase() == EndPhase::kEnded);
  EXPECT(group.replica(1).end_phase() == EndPhase::kBehind);
  EXPECT(!group.replica(1).is_prepared());
  EXPECT_EQ(group.store(1).newest_version(), 0u);
  copy_log(group.store(0), group.store(1));
  group.replica(1).filled();
  group.step(1);
  EXPECT(group.replica(1).is_prepared());
  EXPECT_EQ(group.store(1).digest(), group.store(0).digest());
  EXPECT_EQ(group.replica(1).frontiers().delivered_version.load(), 1u);
}

TEST(what_was_delivered_elsewhere_is_not_handed_back) {
  for (const bool knows_trim : {true, false}) {
    DirectGroup group({});
    group.set_rules(0);
    group.settle();
    EXPECT_EQ(group.put(0, "first", {}, 1), Status::kOk);
    group.step(0);
    for (const size_t m : {1u, 2u}) group.step(m);
    EXPECT_EQ(group.put(0, "late", {}, 3), Status::kOk);  // nobody takes this one
    EXPECT_EQ(group.put(1, "other", {}, 2), Status::kOk);
    group.replica(0).wedge();  // nor it that one
    for (const size_t m : {1u, 2u}) group.step(m);
    for (const size_t m : {1u, 2u}) group.replica(m).wedge();
    for (const size_t m : {1u, 2u}) group.step(m);
    MessageCounts trim{};
    EXPECT(group.replica(1).least_received({2, 3}, trim));
    for (const size_t m : {1u, 2u}) take_trim(group, m, trim);
    if (knows_trim) {
      take_trim(group, 0, trim);
    } else {
      group.replica(0).miss_end();
    }
    EXPECT(group.replica(0).end_phase() == EndPhase::kBehind);
    copy_log(group.store(1), group.store(0));
    group.replica(0).filled();
    group.step(0);
    confirm(group, 0);
    const std::vector<TakenBack> taken = take_back(group);
    EXPECT_EQ(taken.size(), knows_trim ? size_t{1} : size_t{0});
    if (knows_trim) EXPECT_EQ(taken[0].key, std::string("late"));
    group.out(0).clear();
    group.replica(0).stop(Status::kShardStopped, group.out(0));
    group.note(0);
    EXPECT(group.answer(1).status == Status::kShardStopped);
    EXPECT_EQ(group.answered(3), knows_trim ? 0 : 1);
  }
}

TEST(an_end_that_was_missed_is_fetched) {
  DirectGroup group({});
  group.set_rules(0);
  group.replica(0).miss_end();
  EXPECT(group.replica(0).end_phase() == EndPhase::kRunning);
  group.replica(0).wedge();
  group.replica(0).miss_end();
  EXPECT(group.replica(0).end_phase() == EndPhase::kBehind);
  group.replica(0).filled();
  group.step(0);
  EXPECT(group.replica(0).is_prepared());
}

TEST(a_trim_that_takes_back_what_was_delivered_is_a_fault) {
  DirectGroup group({});
  group.set_rules(0);
  for (Token token = 1; token <= 5; token++) EXPECT_EQ(group.put(1, "k", {}, token), Status::kOk);
  group.settle();
  MessageCounts trim = wedge_two(group);
  trim[1] = 2;  // member 0 delivered five of member 1's
  take_trim(group, 0, trim);
  EXPECT(group.replica(0).frontiers().stopped.load() == static_cast<uint8_t>(Status::kLogCorrupt));
}

TEST(what_is_suspected_counts_as_it_was_until_it_is_trusted) {
  DirectGroup group({});
  group.set_rules(0);
  group.replica(0).suspect(kLost);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answered(1), 0);
  group.replica(0).trust(kLost);
  group.settle();
  EXPECT_EQ(group.answered(1), 1);
}

TEST(nothing_is_written_to_who_is_held_back) {
  DirectGroup group({});
  group.replica(0).hold(2);
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.settle();
  EXPECT_EQ(group.store(1).newest_version(), 0u);
  EXPECT_EQ(group.answered(1), 0);
  group.replica(0).on_up(2);  // a connection alone releases nothing
  group.settle();
  EXPECT_EQ(group.answered(1), 0);
  group.replica(0).release(2);
  group.settle();
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.store(1).newest_version(), 1u);
}

}  // namespace
}  // namespace freshet::test
