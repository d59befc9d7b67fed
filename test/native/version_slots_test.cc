// What a version's slot holds, and how short the ways between the versions of a key are.
#include "native/core/store/version_slots.h"

#include <bit>
#include <vector>

#include "native/core/store/key_entry.h"
#include "native/core/store/reclaimer.h"
#include "test/native/support/test.h"

using namespace freshet;

namespace {

constexpr Version kNewestMax = (Version{1} << VersionSlot::kVersionBits) - 1;

VersionSlot& add(VersionSlots& slots, KeyEntry* entry, Version version, Version previous) {
  const Location location(3, version % 1000 * kRecordAlignment, kRecordAlignment, false);
  return slots.append(version, static_cast<Micros>(version), entry, previous, location);
}

}  // namespace

TEST(a_slot_gives_back_what_it_was_linked_with) {
  // The highest address that a process can have.
  auto* entry = reinterpret_cast<KeyEntry*>((uint64_t{1} << 48) - 8);
  const std::vector<Version> versions{0, 1, UINT32_MAX, Version{1} << 32, kNewestMax};
  for (KeyEntry* given : {static_cast<KeyEntry*>(nullptr), entry}) {
    for (const Version previous : versions) {
      for (const uint32_t level : {0u, 1u, 44u, 63u}) {
        for (const Version jump : versions) {
          if (jump > previous) continue;
          VersionSlot slot;
          slot.link(given, previous, jump, level);
          EXPECT(slot.entry() == given);
          EXPECT_EQ(slot.previous(), previous);
          EXPECT_EQ(slot.level(), level);
          // One that is too far is not kept.
          EXPECT_EQ(slot.jump(), previous - jump < UINT32_MAX ? jump : 0);
        }
      }
    }
  }
}

TEST(any_version_of_a_key_is_found_in_a_few_steps) {
  constexpr Version kVersions = 20'000;
  Reclaimer reclaimer;
  VersionSlots slots(reclaimer, false);
  // Every third version is of this key.
  for (Version version = 1; version <= kVersions; version++)
    add(slots, nullptr, version, version % 3 == 0 ? version - 3 : 0);
  const Version newest = kVersions / 3 * 3;
  const auto steps_max = 3 * static_cast<int>(std::bit_width(newest / 3));
  for (Version wanted = 3; wanted <= newest; wanted += 3) {
    int steps = 0;
    for (Version at = newest; at != wanted; steps++) {
      const VersionSlot& slot = *slots.find(at);
      at = slot.jump() >= wanted ? slot.jump() : slot.previous();
      EXPECT(at >= wanted);
      if (at < wanted) return;
    }
    EXPECT(steps <= steps_max);
    if (steps > steps_max) return;
  }
}

TEST(the_next_version_of_a_key_is_known_where_histories_are_pruned) {
  Reclaimer reclaimer;
  VersionSlots slots(reclaimer, true);
  for (Version version = 1; version <= 2'000; version++)
    add(slots, nullptr, version, version > 7 ? version - 7 : 0);
  for (Version version = 1; version <= 2'000; version++)
    EXPECT_EQ(slots.next_of(version), version + 7 <= 2'000 ? version + 7 : 0);
}
