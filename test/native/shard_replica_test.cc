#include "native/core/shard_replica.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "native/core/answers.h"
#include "native/core/sender.h"
#include "native/core/shard_table.h"
#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

std::vector<std::byte> value_of(size_t size, uint8_t seed_byte = 1) {
  std::vector<std::byte> value(size);
  uint32_t state = seed_byte;
  for (std::byte& byte : value) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24);
  }
  return value;
}

Bytes found_value(Store& store, Version version) {
  const Found found = store.get_version(version);
  return found.status == Status::kOk ? RecordView(found.record).value() : Bytes();
}

bool same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

TEST(one_member_alone_orders_and_answers) {
  DirectGroup group({.members = 1, .senders = 1});
  group.set_rules(0);
  const auto value = value_of(100);
  EXPECT_EQ(group.put(0, "k", value, 1), Status::kOk);
  EXPECT(group.step(0) > 0);
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.answer(1).version, 1u);
  EXPECT_EQ(group.answer(1).epoch, 1u);
  EXPECT_EQ(group.step(0), 0);
}

TEST(an_idle_group_is_silent) {
  DirectGroup group({});
  for (int i = 0; i < 5; i++) {
    for (size_t m = 0; m < 3; m++) EXPECT_EQ(group.step(m), 0);
  }
  EXPECT_EQ(group.writes, 0u);
}

TEST(a_put_of_a_sender_busy_alone_costs_one_push_to_each_other) {
  for (size_t busy = 0; busy < 3; busy++) {
    DirectGroup group({});
    group.set_rules(0);
    for (Token token = 1; token <= 5; token++) {
      const size_t before = group.writes;
      EXPECT_EQ(group.put(busy, "k", value_of(10), token), Status::kOk);
      group.settle();
      EXPECT_EQ(group.answered(token), 1);
      const size_t pushes = 3 * 2;
      if (token > 1) EXPECT_EQ(group.writes - before, 2 * pushes);  // the ring and the row
    }
    for (size_t m = 0; m < 3; m++) EXPECT_EQ(group.store(m).newest_version(), 5u);
  }
}

TEST(nulls_alone_hold_no_read_back_and_come_with_the_heartbeat) {
  for (const bool persistent : {false, true}) {
    DirectGroup group({.persistent = persistent});
    group.set_rules(0);
    EXPECT_EQ(group.put(0, "k", value_of(10), 1), Status::kOk);
    group.settle();
    for (size_t m = 0; persistent && m < 3; m++) (void)group.sync(m);
    group.settle();
    const size_t before = group.writes;
    for (size_t m = 0; m < 3; m++) {
      const Frontiers& frontiers = group.replica(m).frontiers();
      EXPECT(frontiers.delivered.load() >= frontiers.changes.load());
      EXPECT(!persistent || frontiers.persisted.load() >= frontiers.changes.load());
      EXPECT_EQ(frontiers.persisted_version.load(), persistent ? 1u : 0u);
      group.replica(m).wait_current(10 + m, persistent);
    }
    group.settle();
    for (size_t m = 0; m < 3; m++) EXPECT(group.answer(10 + m).status == Status::kOk);
    EXPECT_EQ(group.writes, before);
    for (int beat = 0; beat < 3; beat++) {
      for (size_t m = 0; m < 3; m++) (void)group.replica(m).show_delivered();
      group.settle();
    }
    for (size_t m = 0; m < 3; m++) {
      const Frontiers& frontiers = group.replica(m).frontiers();
      EXPECT_EQ(frontiers.delivered.load(), frontiers.received.load());
      EXPECT(!group.replica(m).show_delivered());
    }
  }
}

TEST(a_put_behind_a_gap_makes_no_null_before_it_worth_waiting_for) {
  for (const bool persistent : {false, true}) {
    DirectGroup group({.persistent = persistent});
    group.set_rules(0);
    const auto settle = [&] {
      group.settle();
      for (size_t m = 0; persistent && m < 3; m++) (void)group.sync(m);
      group.settle();
    };
    EXPECT_EQ(group.put(0, "k", value_of(10), 1), Status::kOk);
    settle();
    const Frontiers& frontiers = group.replica(1).frontiers();
    const Sequence newest = frontiers.changes.load();
    const Sequence shown = (persistent ? frontiers.persisted : frontiers.delivered).load();
    EXPECT(shown < frontiers.received.load());  // nulls, of which nobody is told for now

    // Before its turn comes one of member 0, who has not heard of it.
    EXPECT_EQ(group.put(2, "k", value_of(10), 2), Status::kOk);
    group.step(2);
    group.step(1);
    EXPECT_EQ(frontiers.changes.load(), newest);
    group.replica(1).wait_current(3, persistent);
    group.step(1);
    EXPECT_EQ(group.answered(3), 1);
    EXPECT_EQ(group.answered(2), 0);

    // Without the gap the next read has to wait for it.
    group.step(0);
    group.step(1);
    EXPECT(frontiers.changes.load() > newest);
    group.replica(1).wait_current(4, persistent);
    group.step(1);
    EXPECT_EQ(group.answered(4), 0);
    settle();
    EXPECT_EQ(group.answered(4), 1);
    EXPECT_EQ(group.store(1).newest_version(), 2u);
  }
}

TEST(a_put_is_answered_when_all_members_have_it) {
  DirectGroup group({});
  group.set_rules(0);
  const auto value = value_of(10);
  EXPECT_EQ(group.put(1, "k", value, 1), Status::kOk);
  group.step(1);
  group.step(0);
  group.step(1);
  EXPECT_EQ(group.answered(1), 0);  // member 2 has not shown that it has it
  group.settle();
  EXPECT_EQ(group.answered(1), 1);
  for (size_t m = 0; m < 3; m++) EXPECT(same(found_value(group.store(m), 1), value));
}

TEST(the_order_is_round_robin_over_senders) {
  DirectGroup group({});
  group.set_rules(0);  // message 0 of sender 0; the others owe nothing for it
  for (Token token = 0; token < 9; token++) {
    const size_t m = token % 3;
    EXPECT_EQ(group.put(m, std::string("k") + std::to_string(token), {}, token + 1), Status::kOk);
  }
  group.settle();
  for (Version version = 1; version <= 9; version++) {
    const RecordView record(group.store(2).get_version(version).record);
    // Sender 0 is one message ahead: it sent the rules.
    const Sequence sequence = record.header().sequence;
    const uint64_t token = std::stoull(std::string(record.key().substr(1)));
    EXPECT_EQ(static_cast<uint64_t>(sequence) % 3, token % 3);
    EXPECT_EQ(group.answer(token + 1).version, version);
  }
}

TEST(members_that_do_not_send_deliver_too) {
  DirectGroup group({.members = 3, .senders = 1});
  group.set_rules(0);
  EXPECT_EQ(group.put(1, "k", {}, 1), Status::kNotAMember);
  EXPECT_EQ(group.put(0, "k", {}, 2), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answered(2), 1);
  EXPECT_EQ(group.store(2).newest_version(), 1u);
}

TEST(sixteen_members_agree) {
  DirectGroup group({.members = 16, .senders = 16});
  group.set_rules(0);
  for (Token token = 1; token <= 64; token++)
    EXPECT_EQ(group.put(token % 16, "k", {}, token), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answers.size(), 64u);
  for (size_t m = 1; m < 16; m++) EXPECT_EQ(group.store(m).digest(), group.store(0).digest());
}

TEST(thread_78_a_large_value_keeps_its_place_between_small_ones) {
  DirectGroup group({});
  group.set_rules(0);
  const auto small = value_of(50);
  const auto large = value_of(10 * kRingSizeMin + 77, 9);
  EXPECT_EQ(group.put(0, "a", small, 1), Status::kOk);
  EXPECT_EQ(group.put(0, "b", large, 2), Status::kOk);
  EXPECT_EQ(group.put(0, "c", small, 3), Status::kOk);
  EXPECT_EQ(group.put(1, "d", small, 4), Status::kOk);
  EXPECT(group.released.empty());
  group.settle();
  EXPECT_EQ(group.released.size(), 1u);
  EXPECT_EQ(group.released[0], 2u);
  for (Token token = 1; token <= 4; token++) EXPECT_EQ(group.answered(token), 1);
  EXPECT(group.answer(1).version < group.answer(2).version);
  EXPECT(group.answer(2).version < group.answer(3).version);
  for (size_t m = 0; m < 3; m++) {
    const Version version = group.answer(2).version;
    EXPECT(same(found_value(group.store(m), version), large));
    EXPECT(payload_crc_matches(RecordView(group.store(m).get_version(version).record)));
    EXPECT_EQ(group.store(m).digest(), group.store(0).digest());
  }
}

TEST(inline_max_is_the_border_between_copied_and_borrowed) {
  DirectGroup group({});
  group.set_rules(0);
  const size_t inline_max = group.replica(0).inline_max();
  const auto fits = value_of(inline_max - sizeof(RecordHeader) - 1);
  const auto over = value_of(inline_max - sizeof(RecordHeader));
  EXPECT_EQ(group.put(0, "k", fits, 1), Status::kOk);
  EXPECT_EQ(group.put(0, "k", over, 2), Status::kOk);
  group.settle();
  EXPECT_EQ(group.released.size(), 1u);
  EXPECT_EQ(group.answers.size(), 2u);
}

// As the agent steps them: who has work, or was written to. What a long record leaves out at the
// end of the ring is more than is taken in at once.
TEST(a_record_that_begins_the_ring_anew_is_taken_when_it_comes) {
  DirectGroup group({.ring_size = kRingSizeMax});
  group.set_rules(0);
  group.settle();
  std::array<bool, 3> due{};
  group.on_write = [&](size_t, const RegionWrite& write) { due[write.peer - 1] = true; };
  const std::vector<std::byte> value(kRingSizeMax / 16 * 3);
  for (Token token = 1; token <= 20; token++) {
    EXPECT_EQ(group.put(0, "k", value, token), Status::kOk);
    due[0] = true;
    while (std::ranges::count(due, true) > 0) {
      for (size_t m = 0; m < due.size(); m++)
        if (std::exchange(due[m], false)) due[m] = group.step(m) > 0 || due[m];
    }
    EXPECT_EQ(group.answered(token), 1);
  }
}

TEST(a_full_ring_refuses_until_everyone_has_delivered) {
  DirectGroup group({});
  group.set_rules(0);
  const auto value = value_of(10'000);
  Token token = 1;
  while (group.put(0, "k", value, token) == Status::kOk) token++;
  EXPECT(token > 3);
  EXPECT_EQ(group.put(0, "k", value, token), Status::kOverloaded);
  for (int i = 0; i < 5; i++) {
    group.step(0);
    group.step(1);
  }
  EXPECT_EQ(group.put(0, "k", value, token), Status::kOverloaded);  // member 2 stands still
  group.settle();
  EXPECT_EQ(group.put(0, "k", value, token), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answers.size(), token);
}

TEST(limits_of_a_change_are_checked_before_it_is_taken) {
  DirectGroup group({});
  EXPECT_EQ(group.put(0, std::string(kKeySizeMax + 1, 'k'), {}, 1), Status::kKeyTooLong);
  EXPECT_EQ(group.put(0, "k", {}, 1, Ack::kPersisted), Status::kInvalidArgument);
  const std::vector<std::byte> value(kValueSizeMax + 1);
  EXPECT_EQ(group.put(0, "k", value, 1), Status::kValueTooLarge);
  Change change;
  const std::vector<std::byte> meta(kMetaSizeMax + 1);
  change.meta = meta;
  EXPECT_EQ(group.replica(0).submit(change, Ack::kNone, 1), Status::kInvalidArgument);
  group.settle();
  EXPECT(group.answers.empty());
}

TEST(ack_none_is_not_answered) {
  DirectGroup group({});
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "k", {}, 1, Ack::kNone), Status::kOk);
  EXPECT_EQ(group.put(0, "k", {}, 2), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answered(1), 0);
  EXPECT_EQ(group.answered(2), 1);
  EXPECT_EQ(group.store(0).newest_version(), 2u);
}

TEST(persisted_waits_for_the_slowest_disk) {
  DirectGroup group({.persistent = true});
  group.set_rules(0);
  for (size_t m = 0; m < 3; m++) group.sync(m);
  group.settle();
  EXPECT_EQ(group.put(0, "k", {}, 1, Ack::kPersisted), Status::kOk);
  EXPECT_EQ(group.put(0, "k", {}, 2, Ack::kDelivered), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answered(1), 0);
  EXPECT_EQ(group.answered(2), 1);
  EXPECT(group.sync(0) && group.sync(1));
  group.settle();
  EXPECT_EQ(group.answered(1), 0);
  EXPECT_EQ(group.replica(0).frontiers().persisted_version.load(), 0u);
  EXPECT(group.sync(2));
  group.settle();
  EXPECT_EQ(group.answered(1), 1);
  EXPECT_EQ(group.replica(1).frontiers().persisted_version.load(), 2u);
}

TEST(what_leaves_no_log_record_holds_no_frontier_back) {
  DirectGroup group({.persistent = true});
  group.set_rules(0);
  for (size_t m = 0; m < 3; m++) group.sync(m);
  Condition never;
  never.version_of_key = 99;
  EXPECT_EQ(group.put(2, "k", {}, 1, Ack::kPersisted, never), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answer(1).status, Status::kConditionFailed);
  EXPECT_EQ(group.answer(1).version, 0u);
  for (size_t m = 0; m < 3; m++) {
    const Frontiers& frontiers = group.replica(m).frontiers();
    EXPECT_EQ(frontiers.persisted.load(), frontiers.delivered.load());
    EXPECT(frontiers.delivered.load() > 0);
  }
}

TEST(a_read_waits_for_what_was_received_before_it) {
  DirectGroup group({.senders = 1, .persistent = true});
  group.set_rules(0);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.step(0);
  group.step(1);  // has received it; member 2 has not
  group.replica(1).wait_current(50, false);
  group.replica(1).wait_current(51, true);
  group.step(1);
  EXPECT_EQ(group.answered(50), 0);
  group.settle();
  EXPECT_EQ(group.answered(50), 1);
  EXPECT_EQ(group.answer(50).version, 1u);
  EXPECT_EQ(group.answered(51), 0);
  for (size_t m = 0; m < 3; m++) group.sync(m);
  group.settle();
  EXPECT_EQ(group.answered(51), 1);
}

TEST(too_many_reads_are_refused_by_an_answer) {
  DirectGroup group({});
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.step(0);
  for (Token token = 100; token < 100 + kWaitersMax + 5; token++)
    group.replica(0).wait_current(token, false);
  group.settle();
  EXPECT_EQ(group.answer(100).status, Status::kOk);
  EXPECT_EQ(group.answer(100 + kWaitersMax + 4).status, Status::kOverloaded);
  for (Token token = 100; token < 100 + kWaitersMax + 5; token++)
    EXPECT_EQ(group.answered(token), 1);
}

TEST(slow_dispatchers_are_felt_at_admission) {
  DirectGroup group({.dispatch_lag_max = 3});
  group.set_rules(0);
  for (Token token = 1; token <= 3; token++) {
    EXPECT_EQ(group.put(0, "k", {}, token), Status::kOk);
    group.settle();
  }
  EXPECT_EQ(group.put(1, "k", {}, 4), Status::kOverloaded);
  for (size_t m = 0; m < 2; m++) group.replica(m).set_dispatched(2);
  group.settle();
  EXPECT_EQ(group.put(1, "k", {}, 4), Status::kOverloaded);
  group.replica(2).set_dispatched(1);
  group.settle();
  EXPECT_EQ(group.put(1, "k", {}, 4), Status::kOk);
}

TEST(a_congested_peer_gets_the_rest_in_one_piece) {
  DirectGroup group({});
  group.set_rules(0);
  group.replica(0).set_congested(3, true);
  for (Token token = 1; token <= 20; token++) {
    EXPECT_EQ(group.put(0, "k", {}, token), Status::kOk);
    group.step(0);
    for (const RegionWrite& write : group.out(0).writes) EXPECT(write.peer != 3);
  }
  group.replica(0).set_congested(3, false);
  group.step(0);
  size_t writes = 0;
  for (const RegionWrite& write : group.out(0).writes) writes += write.peer == 3 ? 1 : 0;
  EXPECT(writes >= 2 && writes <= 3);
  group.settle();
  EXPECT_EQ(group.answers.size(), 20u);
}

// What waited for it went with the connection, so nobody tells that it is relieved.
TEST(a_congested_peer_that_connects_again_is_written_to) {
  DirectGroup group({});
  group.set_rules(0);
  group.replica(0).set_congested(3, true);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answers.size(), 0u);
  group.replica(0).on_up(3);
  group.settle();
  EXPECT_EQ(group.answers.size(), 1u);
}

TEST(stop_answers_everyone_once_with_the_reason) {
  DirectGroup group({.persistent = true});
  group.set_rules(0);
  const auto large = value_of(10 * kRingSizeMin);
  EXPECT_EQ(group.put(0, "k", {}, 1, Ack::kPersisted), Status::kOk);
  group.settle();  // waits for disks
  EXPECT_EQ(group.put(0, "k", {}, 2), Status::kOk);
  EXPECT_EQ(group.put(0, "k", large, 3), Status::kOk);
  EXPECT_EQ(group.put(0, "k", {}, 4), Status::kOk);
  EXPECT_EQ(group.put(0, "k", {}, 5, Ack::kNone), Status::kOk);
  group.replica(0).wait_current(6, true);
  group.out(0).clear();
  group.replica(0).stop(Status::kPeerUnreachable, group.out(0));
  group.note(0);
  for (const Token token : {Token{1}, Token{2}, Token{3}, Token{4}, Token{6}}) {
    EXPECT_EQ(group.answered(token), 1);
    EXPECT_EQ(group.answer(token).status, Status::kPeerUnreachable);
  }
  EXPECT_EQ(group.answered(5), 0);
  EXPECT_EQ(group.released.size(), 1u);
  EXPECT_EQ(group.put(0, "k", {}, 7), Status::kShardStopped);
  group.replica(0).wait_current(8, false);
  group.step(0);
  EXPECT_EQ(group.answered(8), 1);
  EXPECT_EQ(group.step(0), 0);
  EXPECT_EQ(group.replica(0).frontiers().stopped.load(),
            static_cast<uint8_t>(Status::kPeerUnreachable));
  group.out(0).clear();
  group.replica(0).stop(Status::kClosed, group.out(0));
  EXPECT(group.out(0).completions.empty());
}

TEST(a_damaged_record_stops_the_shard_and_names_the_peer) {
  DirectGroup group({});
  group.set_rules(0);
  const auto value = value_of(500);
  EXPECT_EQ(group.put(0, "k", value, 1), Status::kOk);
  group.step(0);
  const MutableBytes ring = group.memory(1, RegionKind::kRing, 1);
  // The rules took the ring's first 128 bytes; this lies in the value of the next record.
  ring[128 + 300] ^= std::byte{4};
  group.step(1);
  EXPECT_EQ(group.replica(1).frontiers().stopped.load(), static_cast<uint8_t>(Status::kLogCorrupt));
  EXPECT_EQ(group.replica(1).fault().peer, 1u);
  EXPECT_EQ(std::string(group.replica(1).fault().what), "checksum");
}

// Disks sync at other places than passes end: what a read waits for is then in what it may show.
TEST(a_read_of_what_is_persisted_shows_all_that_it_waited_for) {
  DirectGroup group({.members = 2, .senders = 1, .persistent = true});
  group.set_rules(0);
  for (const size_t m : {0u, 1u}) group.sync(m);
  group.settle();
  group.replica(1).set_congested(1, true);
  EXPECT_EQ(group.put(0, "k", {}, 1), Status::kOk);
  group.step(0);
  group.replica(0).wait_current(10, true);
  group.step(1);
  EXPECT(group.sync(1));
  EXPECT_EQ(group.put(0, "k", {}, 2), Status::kOk);
  group.step(0);
  group.step(1);
  group.replica(1).set_congested(1, false);
  group.step(1);
  group.step(0);  // delivers both at once; the first of them is on the other's disk
  EXPECT_EQ(group.store(0).newest_version(), 2u);
  EXPECT(group.sync(0));
  group.step(0);
  EXPECT_EQ(group.answered(10), 0);
  EXPECT(group.sync(1));
  group.settle();
  EXPECT_EQ(group.answered(10), 1);
  EXPECT_EQ(group.replica(0).frontiers().persisted_version.load(), 2u);
}

}  // namespace
}  // namespace freshet::test
