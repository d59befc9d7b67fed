// How much room a member's disk has left, as it shows it to the other members in its row of the
// view: while it is little at one of them, none of the members of its persistent shards takes what
// would fill it.
//
// Thread: none; plain data.
#ifndef FRESHET_CORE_DISK_SPACE_H_
#define FRESHET_CORE_DISK_SPACE_H_

#include <algorithm>
#include <cstdint>

#include "native/core/record.h"

namespace freshet {

enum class DiskRoom : uint8_t {
  kEnough = 0,
  kLittle = 1,  // no values are taken any more
  kNone = 2,    // nothing is: what is left belongs to what was taken already
};

struct DiskSpace {
  uint64_t free = 0;  // bytes
  DiskRoom room = DiskRoom::kEnough;

  friend bool operator==(const DiskSpace&, const DiskSpace&) = default;
};

// Below: the disk is nearly full.
inline constexpr uint64_t kDiskFreeMin = uint64_t{256} << 20;
// Of the minimum of free space, what is kept back from removes and controls too.
inline constexpr uint64_t kDiskReserveShare = 4;

constexpr DiskSpace make_disk_space(uint64_t free, uint64_t free_min = kDiskFreeMin) {
  if (free >= free_min) return {free, DiskRoom::kEnough};
  return {free, free >= free_min / kDiskReserveShare ? DiskRoom::kLittle : DiskRoom::kNone};
}

// As one cell; 0 is that of a member that has no disk, or has told nothing yet.
constexpr uint64_t cell_of(const DiskSpace& space) {
  return std::min(space.free, UINT64_MAX >> 2) << 2 | static_cast<uint64_t>(space.room);
}
constexpr DiskSpace disk_space_in(uint64_t cell) {
  return {cell >> 2, static_cast<DiskRoom>(std::min<uint64_t>(cell & 3, 2))};
}

// What the disks of a shard's members let it take.
struct DiskLeft {
  DiskRoom room = DiskRoom::kEnough;
  uint64_t long_max = UINT64_MAX;  // bytes beyond the minimum, where they are least

  constexpr void add(const DiskSpace& space, uint64_t free_min = kDiskFreeMin) {
    if (space == DiskSpace{}) return;  // has told nothing
    room = std::max(room, space.room);
    long_max = std::min(long_max, space.free - std::min(space.free, free_min));
  }
};

// Removes and what changes a shard's rules are small, and what makes room begins with them.
constexpr bool is_refused(RecordKind kind, DiskRoom room) {
  if (room == DiskRoom::kEnough) return false;
  const bool is_small = kind == RecordKind::kRemove || kind == RecordKind::kControl;
  return room == DiskRoom::kNone || !is_small;
}

}  // namespace freshet

#endif  // FRESHET_CORE_DISK_SPACE_H_
