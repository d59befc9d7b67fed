#include "native/core/disk_space.h"

#include "test/native/support/test.h"

using namespace freshet;

namespace {

constexpr uint64_t kMin = 1000;

}  // namespace

TEST(a_disk_has_enough_room_then_little_then_none) {
  EXPECT(make_disk_space(kMin, kMin).room == DiskRoom::kEnough);
  EXPECT(make_disk_space(kMin - 1, kMin).room == DiskRoom::kLittle);
  EXPECT(make_disk_space(kMin / 4, kMin).room == DiskRoom::kLittle);
  EXPECT(make_disk_space(kMin / 4 - 1, kMin).room == DiskRoom::kNone);
  EXPECT(make_disk_space(0, kMin).room == DiskRoom::kNone);
}

TEST(what_is_shown_in_a_cell_is_read_from_it) {
  for (const uint64_t free : {uint64_t{0}, uint64_t{249}, uint64_t{999}, uint64_t{1} << 50}) {
    const DiskSpace space = make_disk_space(free, kMin);
    EXPECT(disk_space_in(cell_of(space)) == space);
  }
  EXPECT(disk_space_in(0).room == DiskRoom::kEnough);
  // Of an unlimited disk as much as fits.
  const DiskSpace unlimited = disk_space_in(cell_of(make_disk_space(UINT64_MAX, kMin)));
  EXPECT(unlimited.room == DiskRoom::kEnough && unlimited.free == UINT64_MAX >> 2);
}

TEST(a_shard_takes_what_the_least_of_its_disks_has_room_for) {
  DiskLeft left;
  EXPECT(left.room == DiskRoom::kEnough && left.long_max == UINT64_MAX);
  left.add({}, kMin);  // has told nothing
  EXPECT(left.room == DiskRoom::kEnough && left.long_max == UINT64_MAX);
  for (const uint64_t free : {kMin + 70, kMin + 50, kMin + 60})
    left.add(make_disk_space(free, kMin), kMin);
  EXPECT(left.room == DiskRoom::kEnough && left.long_max == 50);
  for (const uint64_t free : {kMin, kMin / 2, kMin / 8, kMin - 1})
    left.add(make_disk_space(free, kMin), kMin);
  EXPECT(left.room == DiskRoom::kNone && left.long_max == 0);
}

TEST(values_are_refused_before_what_makes_room) {
  for (const RecordKind kind : {RecordKind::kPut, RecordKind::kTrigger}) {
    EXPECT(!is_refused(kind, DiskRoom::kEnough));
    EXPECT(is_refused(kind, DiskRoom::kLittle) && is_refused(kind, DiskRoom::kNone));
  }
  for (const RecordKind kind : {RecordKind::kRemove, RecordKind::kControl}) {
    EXPECT(!is_refused(kind, DiskRoom::kEnough) && !is_refused(kind, DiskRoom::kLittle));
    EXPECT(is_refused(kind, DiskRoom::kNone));
  }
}
