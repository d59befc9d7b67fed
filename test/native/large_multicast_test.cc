// Large records among replicas that are stepped by hand.
#include "native/core/large_multicast.h"

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr size_t kLarge = 40 * kBlockSizeMin + 77;
using Sent = std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>;  // step, from, to, block

std::vector<std::byte> value_of(size_t size, uint32_t salt = 1) {
  std::vector<std::byte> value(size);
  uint32_t state = salt;
  for (std::byte& byte : value) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24);
  }
  return value;
}

bool has(const Store& store, Version version, Bytes value) {
  const Found found = store.get_version(version);
  if (found.status != Status::kOk) return false;
  const RecordView record(found.record);
  return std::ranges::equal(record.value(), value) && payload_crc_matches(record);
}

std::vector<Sent> schedule_of(const MulticastSchedule& schedule, uint32_t sender) {
  const uint32_t members = schedule.members();
  std::vector<Sent> result;
  for (uint32_t step = 0; step < schedule.steps(); step++) {
    for (uint32_t index = 0; index < members; index++)
      if (const auto sent = schedule.send(index, step))
        result.emplace_back(step, (index + sender) % members, (sent->peer + sender) % members,
                            sent->block);
  }
  std::ranges::sort(result);
  return result;
}

TEST(blocks_go_as_the_schedule_says) {
  const auto value = value_of(kLarge);
  for (uint8_t number = 0; number < kMulticastAlgorithms; number++) {
    const auto algorithm = static_cast<MulticastAlgorithm>(number);
    for (uint32_t members = 2; members <= kMembersMax; members++) {
      DirectGroup group({.members = members,
                         .senders = members,
                         .multicast = algorithm,
                         .block_size = kBlockSizeMin});
      group.set_rules(0);
      std::vector<Sent> seen;
      size_t written = 0;
      group.on_write = [&](size_t, const RegionWrite& write) {
        written += write.region.kind == RegionKind::kBlocks ? 1 : 0;
      };
      group.on_block = [&](const BlockSent& sent) {
        seen.emplace_back(sent.step, sent.from - 1, sent.to - 1, sent.block);
      };
      const uint32_t sender = members / 2;
      EXPECT_EQ(group.put(sender, "k", value, 1), Status::kOk);
      group.settle();
      std::ranges::sort(seen);
      const MulticastSchedule schedule(algorithm, members, 41);
      EXPECT(seen == schedule_of(schedule, sender));
      EXPECT_EQ(written, seen.size());
      EXPECT_EQ(group.answered(1), 1);
      for (uint32_t m = 0; m < members; m++) EXPECT(has(group.store(m), 1, value));
    }
  }
}

TEST(of_many_blocks_half_as_many_go) {
  for (const size_t blocks : {size_t{kManyBlocks}, size_t{kManyBlocks} + 1}) {
    DirectGroup group({.members = 2, .senders = 1, .block_size = kBlockSizeMin});
    group.set_rules(0);
    size_t sent = 0;
    group.on_block = [&](const BlockSent&) { sent++; };
    const auto value = value_of(blocks * kBlockSizeMin);
    EXPECT_EQ(group.put(0, "k", value, 1), Status::kOk);
    group.settle();
    EXPECT_EQ(sent, blocks > kManyBlocks ? (blocks + 1) / 2 : blocks);
    EXPECT(has(group.store(1), 1, value));
  }
}

TEST(others_are_ordered_while_a_large_record_is_under_way) {
  DirectGroup group({});
  group.set_rules(0);
  const auto large = value_of(16 << 20);
  const auto small = value_of(100);
  EXPECT_EQ(group.put(0, "large", large, 1), Status::kOk);
  EXPECT_EQ(group.put(1, "small", small, 2), Status::kOk);
  for (int i = 0; i < 20 && group.answered(2) == 0; i++)
    for (size_t m = 0; m < 3; m++) group.step(m);
  EXPECT_EQ(group.answered(2), 1);
  EXPECT_EQ(group.answered(1), 0);
  group.settle();
  EXPECT_EQ(group.answered(1), 1);
  EXPECT(has(group.store(2), 1, small));
  EXPECT(has(group.store(2), 2, large));
}

TEST(a_sender_of_much_does_not_keep_the_others_waiting) {
  for (size_t other = 1; other < 3; other++) {
    DirectGroup group({});
    group.set_rules(0);
    const auto much = value_of(16 << 20);
    const auto less = value_of(1 << 20);
    EXPECT_EQ(group.put(0, "much", much, 1), Status::kOk);
    EXPECT_EQ(group.put(other, "less", less, 2), Status::kOk);
    group.settle();
    EXPECT(group.answers == std::vector<Token>({2, 1}));
  }
}

TEST(several_are_under_way_and_keep_their_order) {
  DirectGroup group({.block_size = kBlockSizeMin});
  group.set_rules(0);
  std::set<uint32_t> begun;
  size_t together = 0;
  std::map<uint32_t, size_t> blocks;
  group.on_write = [&](size_t, const RegionWrite& write) {
    if (write.region.kind != RegionKind::kBlocks) return;
    begun.insert(write.region.number);
    // Three members, two receive each block.
    if (++blocks[write.region.number] == 2 * 41) begun.erase(write.region.number);
    together = std::max(together, begun.size());
  };
  std::vector<std::vector<std::byte>> values;
  for (uint32_t i = 0; i < 3 * kTransfersMax; i++) {
    values.push_back(value_of(i % 4 == 3 ? 100 : kLarge, i));
    EXPECT_EQ(group.put(0, "k", values[i], i + 1), Status::kOk);
  }
  group.settle();
  EXPECT_EQ(together, kTransfersMax);
  for (uint32_t i = 0; i < values.size(); i++) {
    EXPECT_EQ(group.answers[i], i + 1);
    for (size_t m = 0; m < 3; m++) EXPECT(has(group.store(m), i + 1, values[i]));
  }
}

TEST(records_of_many_bytes_are_under_way_one_by_one) {
  DirectGroup group({.members = 2, .senders = 1, .block_size = kBlockSizeMax});
  group.set_rules(0);
  std::set<uint32_t> begun;
  size_t together = 0;
  group.on_write = [&](size_t, const RegionWrite& write) {
    if (write.region.kind != RegionKind::kBlocks) return;
    begun.insert(write.region.number);
    together = std::max(together, begun.size() - group.answers.size());
  };
  const auto value = value_of(kTransferBytesMax * 3 / 4);
  for (Token token = 1; token <= 3; token++)
    EXPECT_EQ(group.put(0, "k", value, token), Status::kOk);
  group.settle();
  EXPECT_EQ(group.answers.size(), 3u);
  EXPECT_EQ(together, 1u);
}

TEST(a_block_that_is_broken_on_the_way_stops_the_shard_and_names_nobody) {
  DirectGroup group({.block_size = kBlockSizeMin});
  group.set_rules(0);
  const auto value = value_of(kLarge);
  EXPECT_EQ(group.put(0, "k", value, 1), Status::kOk);
  bool done = false;
  group.on_write = [&](size_t, const RegionWrite& write) {
    if (done || write.region.kind != RegionKind::kBlocks || write.peer != 3) return;
    done = true;
    const_cast<std::byte&>(write.bytes[9]) ^= std::byte{4};  // in the writer's memory
  };
  for (int i = 0; i < 100; i++)
    for (size_t m = 0; m < 3; m++) group.step(m);
  EXPECT_EQ(group.replica(2).frontiers().stopped.load(), static_cast<uint8_t>(Status::kLogCorrupt));
  EXPECT_EQ(group.replica(2).fault().peer, 0u);
  EXPECT_EQ(std::string(group.replica(2).fault().what), "relayed");
  EXPECT_EQ(group.answered(1), 0);
}

// What others may still write is not used for anything else.
TEST(memory_of_what_was_not_delivered_stays_with_the_replica) {
  DirectGroup group({.block_size = kBlockSizeMin});
  group.set_rules(0);
  const auto value = value_of(kLarge);
  EXPECT_EQ(group.put(0, "k", value, 1), Status::kOk);
  const auto blocks_of = [&](size_t m) {
    std::vector<GrantedRegion> result;
    for (const GrantedRegion& region : group.replica(m).regions())
      if (region.id.kind == RegionKind::kBlocks) result.push_back(region);
    return result;
  };
  while (blocks_of(1).empty())
    for (size_t m = 0; m < 3; m++) group.step(m);
  Outputs out;
  group.replica(1).stop(Status::kShardStopped, out);
  const std::vector<GrantedRegion> granted = blocks_of(1);
  EXPECT(!granted.empty());
  // The store may give it to somebody else only once the replica is gone.
  const MutableBytes next = group.store(1).reserve_large(0, kLarge);
  for (const GrantedRegion& region : granted) {
    EXPECT_EQ(region.memory.size(), kLarge);
    std::memset(region.memory.data(), 0xEE, region.memory.size());
    EXPECT(next.data() + next.size() <= region.memory.data() ||
           region.memory.data() + region.memory.size() <= next.data());
  }
  (void)group.store(1).abandon_large(0);
}

// Two members; the first connection from one to the other loses all from the first block on.
struct LossyPair {
  explicit LossyPair(uint32_t block_size, size_t count, size_t size)
      : group({.members = 2, .senders = 2, .block_size = block_size}) {
    group.set_rules(0);
    group.arrives = false;
    group.on_write = [this](size_t from, const RegionWrite& write) {
      if (write.region.kind == RegionKind::kBlocks) {
        if (blocks++ == 0) is_down = true;
        if (!write.stable) copied += write.bytes.size();
      }
      if (from == 1 || !is_down) group.arrive(from, write);
    };
    for (size_t i = 0; i < count; i++) {
      values.push_back(value_of(size, static_cast<uint32_t>(i)));
      EXPECT_EQ(group.put(0, "k", values[i], i + 1), Status::kOk);
    }
    while (!is_down) pass();
    for (int i = 0; i < 1000; i++) pass();
    is_down = false;
    for (size_t m = 0; m < 2; m++) group.replica(m).on_up(m == 0 ? 2 : 1);
  }

  void pass() {
    for (size_t m = 0; m < 2; m++) group.step(m);
  }

  DirectGroup group;
  std::vector<std::vector<std::byte>> values;
  bool is_down = false;
  size_t blocks = 0;
  size_t copied = 0;  // bytes of repeated ones
};

TEST(blocks_that_a_connection_lost_wait_while_its_peer_is_busy_and_nothing_else_does) {
  LossyPair pair(kBlockSizeMin, 1, kLarge);
  pair.group.replica(0).set_busy(2, true);
  const auto small = value_of(100);
  EXPECT_EQ(pair.group.put(1, "small", small, 2), Status::kOk);
  for (int i = 0; i < 100; i++) pair.pass();
  EXPECT_EQ(pair.copied, 0u);
  EXPECT_EQ(pair.group.answered(2), 1);
  EXPECT_EQ(pair.group.answered(1), 0);
  EXPECT(pair.group.replica(0).has_blocks());
  pair.group.replica(0).set_busy(2, false);
  pair.group.settle();
  EXPECT(pair.copied > 0);
  EXPECT_EQ(pair.group.answered(1), 1);
  EXPECT(!pair.group.replica(0).has_blocks());
  for (size_t m = 0; m < 2; m++) EXPECT(has(pair.group.store(m), 2, pair.values[0]));
}

TEST(blocks_that_a_connection_lost_are_copied_a_few_in_a_pass) {
  LossyPair pair(kBlockSizeMax, kTransfersMax, kTransferBytesMax / kTransfersMax - 8192);
  size_t most = 0;
  while (pair.group.answered(kTransfersMax) == 0) {
    const size_t before = pair.copied;
    pair.pass();
    most = std::max(most, pair.copied - before);
  }
  EXPECT(most > 0);
  EXPECT(most <= kCopySlice + kBlockSizeMax);
  for (uint32_t i = 0; i < kTransfersMax; i++)
    EXPECT(has(pair.group.store(1), i + 1, pair.values[i]));
}

// Who is wedged sends no block; so it does not say over a new connection that it has.
TEST(who_is_wedged_does_not_show_blocks_that_a_connection_lost) {
  LossyPair pair(2 * kBlockSizeMin, 1, 6 * kBlockSizeMin);
  const size_t before = pair.blocks;
  EXPECT_EQ(before, 3u);
  pair.group.replica(0).wedge();
  for (int i = 0; i < 100; i++) pair.pass();
  EXPECT_EQ(pair.blocks, before);
  EXPECT(!pair.group.replica(0).has_blocks());
  EXPECT_EQ(pair.group.replica(1).frontiers().stopped.load(), 0);
  MessageCounts least{};
  pair.group.replica(1).wedge();
  for (int i = 0; i < 100; i++) pair.pass();
  EXPECT(pair.group.replica(1).least_received({1, 2}, least));
}

// Member 2 takes no blocks and is left out of the next view; what waits to be sent to it is read
// where it lies until nobody needs it.
void leave_one_out(size_t size) {
  DirectGroup group({.multicast = MulticastAlgorithm::kChain, .block_size = kBlockSizeMin});
  group.set_rules(0);
  const auto value = value_of(size);
  EXPECT_EQ(group.put(0, "k", value, 1), Status::kOk);
  std::vector<RegionWrite> queued;
  bool is_ready = false;
  group.on_write = [&](size_t from, const RegionWrite& write) {
    if (write.region.kind != RegionKind::kBlocks || write.peer != 3) return;
    EXPECT_EQ(from, 1u);
    EXPECT(write.stable);
    is_ready = true;
    queued.push_back(write);
  };
  while (!is_ready)
    for (size_t m = 0; m < 3; m++) group.step(m);
  const auto step_two = [&] {
    for (bool busy = true; busy;) {
      busy = false;
      for (size_t m = 0; m < 2; m++) busy = group.step(m) > 0 || busy;
    }
  };
  step_two();
  EXPECT(queued.size() >= kStepsAhead);
  EXPECT_EQ(group.answered(1), 0);
  for (size_t m = 0; m < 2; m++) {
    group.replica(m).suspect(3);
    group.replica(m).wedge();
  }
  step_two();
  MessageCounts trim{};
  EXPECT(group.replica(0).least_received({1, 2}, trim));
  for (size_t m = 0; m < 2; m++) group.replica(m).take_trim(trim, group.out(m));
  step_two();
  for (size_t m = 0; m < 2; m++) {
    EXPECT(group.replica(m).end_phase() == EndPhase::kEnded);
    EXPECT(has(group.store(m), 1, value));
  }
  // Neither is the memory used again, nor is it the store's.
  const MutableBytes next = group.store(1).reserve_large(0, size);
  std::memset(next.data(), 0xEE, next.size());
  (void)group.store(1).abandon_large(0);
  const Bytes stored = RecordView(group.store(1).get_version(1).record).value();
  for (const RegionWrite& write : queued) {
    const Bytes wanted = Bytes(value).subspan(write.offset, write.bytes.size());
    EXPECT(std::ranges::equal(write.bytes, wanted));
    EXPECT(write.bytes.data() + write.bytes.size() <= stored.data() ||
           stored.data() + stored.size() <= write.bytes.data());
  }
}

// What is copied counts, so that others get a turn.
TEST(a_pass_delivers_few_of_many_large_records) {
  DirectGroup group(
      {.persistent = true, .multicast = MulticastAlgorithm::kChain, .block_size = kBlockSizeMin});
  group.set_rules(0);
  const auto value = value_of(kLarge);
  for (Token token = 1; token <= kTransfersMax; token++)
    EXPECT_EQ(group.put(0, "k", value, token), Status::kOk);
  // The last of them stands still, so nothing is stable.
  const auto step_two = [&] {
    Version most = 0;
    for (int i = 0; i < 200; i++) {
      for (size_t m = 0; m < 2; m++) {
        const Version before = group.store(m).newest_version();
        group.step(m);
        most = std::max(most, group.store(m).newest_version() - before);
      }
    }
    return most;
  };
  EXPECT_EQ(step_two(), 0u);
  for (size_t m = 0; m < 2; m++) {
    group.replica(m).suspect(3);
    group.replica(m).wedge();
  }
  (void)step_two();
  MessageCounts trim{};
  EXPECT(group.replica(0).least_received({1, 2}, trim));
  for (size_t m = 0; m < 2; m++) group.replica(m).take_trim(trim, group.out(m));
  EXPECT_EQ(step_two(), (kCopySlice + kLarge - 1) / kLarge);
  EXPECT_EQ(group.store(0).newest_version(), kTransfersMax);
}

TEST(a_trim_copies_what_may_still_be_sent_to_who_is_left_out) {
  leave_one_out(kLarge);
  leave_one_out(size_t{3} << 20);
}

}  // namespace
}  // namespace freshet::test
