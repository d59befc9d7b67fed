// A peer that writes nonsense: whatever is in its ring or row, the others stop with a code or go
// on; they do not crash, overrun or diverge. FRESHET_SEED=n starts at seed n.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "native/core/shard_table.h"
#include "native/io/seeded_random.h"
#include "test/native/support/direct_group.h"
#include "test/native/support/test.h"

namespace freshet::test {
namespace {

constexpr NodeId kBroken = 2;  // rank 1: its writes are changed at member 0

struct Fuzz {
  explicit Fuzz(uint64_t seed_value)
      : random(seed_value), group({.members = 3, .senders = 3, .persistent = seed_value % 2 == 0}) {
    group.set_rules(0);
  }

  void traffic() {
    for (uint64_t i = random.below(6); i > 0; i--) {
      const size_t size = random.chance(5) ? 40'000 : random.below(1500);
      values.emplace_back(size, std::byte{3});
      (void)group.put(random.below(3), std::string("k") + std::to_string(random.below(5)),
                      values.back(), values.size());
    }
  }
  uint64_t tail() {  // of the broken peer, as it shows it to member 0
    return reinterpret_cast<uint64_t*>(
        group.memory(0, RegionKind::kShardRow, kBroken).data())[RowLayout::tail()];
  }
  uint64_t number() {
    switch (random.below(5)) {
      case 0:
        return random.next();
      case 1:
        return random.below(64);
      case 2:
        return random.below(1 << 17) & ~uint64_t{63};
      case 3:
        return UINT64_MAX - random.below(200);
      default:
        return uint64_t{1} << random.below(64);
    }
  }

  SeededRandom random;
  uint64_t taken = 0;  // the tail at member 0's last pass
  DirectGroup group;
  std::vector<std::vector<std::byte>> values;
};

bool stopped(DirectGroup& group, size_t m) {
  const uint8_t status = group.replica(m).frontiers().stopped.load();
  return status == static_cast<uint8_t>(Status::kLogCorrupt);
}

// Runs `harm` on member 0's copy between its passes; returns how many seeds stopped it. A peer that
// forges valid records can make histories differ (members are trusted to mean well); with `agree`
// the harm is none of that kind.
template <typename Harm>
int run(uint64_t seeds, bool agree, Harm harm) {
  int stops = 0;
  for (uint64_t i = 0; i < seeds; i++) {
    Fuzz fuzz(seed(1) + i);
    for (int round = 0; round < 30; round++) {
      fuzz.traffic();
      fuzz.group.step(1);
      fuzz.group.step(2);
      if (round > 5) harm(fuzz);
      fuzz.group.step(0);
      fuzz.taken = fuzz.tail();
      if (stopped(fuzz.group, 0)) break;
    }
    if (stopped(fuzz.group, 0)) {
      stops++;
      EXPECT(fuzz.group.replica(0).fault().peer != 0);
    }
    // What it did deliver is what the others deliver.
    const Version mine = fuzz.group.store(0).newest_version();
    const Version others = fuzz.group.store(2).newest_version();
    for (Version version = 1; agree && version <= std::min(mine, others); version++) {
      const RecordView a(fuzz.group.store(0).get_version(version).record);
      const RecordView b(fuzz.group.store(2).get_version(version).record);
      EXPECT_EQ(a.header().header_crc, b.header().header_crc);
    }
  }
  return stops;
}

// On the way, that is: what was checked lies in this member's own memory.
TEST(flipped_bits_in_the_ring) {
  const int stops = run(150, true, [](Fuzz& fuzz) {
    const MutableBytes ring = fuzz.group.memory(0, RegionKind::kRing, kBroken);
    for (uint64_t i = 0; i < 4 && fuzz.tail() > fuzz.taken; i++) {
      const uint64_t at = fuzz.taken + fuzz.random.below(fuzz.tail() - fuzz.taken);
      ring[at % ring.size()] ^= static_cast<std::byte>(1 << fuzz.random.below(8));
    }
  });
  EXPECT(stops > 140);
}

TEST(any_number_in_any_cell_of_the_row) {
  const int stops = run(300, true, [](Fuzz& fuzz) {
    if (!fuzz.random.chance(30)) return;
    const MutableBytes row = fuzz.group.memory(0, RegionKind::kShardRow, kBroken);
    const RowLayout layout{3};
    reinterpret_cast<uint64_t*>(row.data())[fuzz.random.below(layout.cells())] = fuzz.number();
  });
  EXPECT(stops > 100);
}

// Records with sealed headers but lengths, kinds, counts and flags of any kind.
TEST(sealed_nonsense_behind_the_tail) {
  const int stops = run(600, false, [](Fuzz& fuzz) {
    if (!fuzz.random.chance(40)) return;
    SeededRandom& random = fuzz.random;
    const MutableBytes ring = fuzz.group.memory(0, RegionKind::kRing, kBroken);
    const MutableBytes row = fuzz.group.memory(0, RegionKind::kShardRow, kBroken);
    auto* cells = reinterpret_cast<uint64_t*>(row.data());
    const uint64_t tail = cells[RowLayout::tail()];
    RecordHeader header = {};
    header.length = random.chance(50) ? 64 : static_cast<uint32_t>(fuzz.number());
    header.kind = static_cast<RecordKind>(random.below(13));
    header.flags = static_cast<uint8_t>(random.next());
    header.shard = 1;
    header.epoch = 1;
    header.sequence =
        static_cast<Sequence>(random.chance(50) ? cells[RowLayout::index()] : fuzz.number());
    header.version = fuzz.number();
    header.time = random.chance(50) ? 5 : static_cast<Micros>(fuzz.number());
    if (random.chance(30)) {
      header.key_length = static_cast<uint16_t>(random.next());
      header.meta_length = static_cast<uint16_t>(random.next());
      header.extension_length = static_cast<uint16_t>(random.next());
    }
    seal_header(header);
    std::memcpy(ring.data() + tail % ring.size(), &header, sizeof header);
    cells[RowLayout::tail()] = tail + (random.chance(70) ? 64 : random.below(2048) * 64);
    cells[RowLayout::index()]++;
  });
  EXPECT(stops > 400);
}

// What was taken in and found good is written over before it is delivered.
TEST(bytes_that_change_between_receipt_and_delivery) {
  run(200, false, [](Fuzz& fuzz) {
    fuzz.group.step(0);
    const MutableBytes ring = fuzz.group.memory(0, RegionKind::kRing, kBroken);
    const size_t at = fuzz.random.below(ring.size() / 128) * 64;
    auto* header = reinterpret_cast<RecordHeader*>(ring.data() + at);
    header->length = static_cast<uint32_t>(fuzz.number());
    header->kind = static_cast<RecordKind>(fuzz.random.below(13));
    header->flags ^= static_cast<uint8_t>(1 << fuzz.random.below(8));
  });
}

}  // namespace
}  // namespace freshet::test
