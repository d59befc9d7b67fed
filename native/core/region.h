// Names of the memory regions that members grant each other.
#ifndef FRESHET_CORE_REGION_H_
#define FRESHET_CORE_REGION_H_

#include <cstdint>
#include <functional>

#include "native/core/types.h"

namespace freshet {

enum class RegionKind : uint16_t {
  kMemberRow = 1,   // a member's row of a pair's table; shard = 0, epoch = 0
  kShardRow = 2,    // a member's row of a shard epoch's table
  kRing = 3,        // a sender's byte ring of a shard epoch
  kPairRing = 4,    // messages from one member to another; shard = 0, epoch = 0
  kPairAck = 5,     // how far the other side consumed my pair ring
  kViewRow = 6,     // a member's row of the view table, whatever the view; shard = 0, epoch = 0
  kFabricBoot = 7,  // how a peer's fabric endpoint is found; shard = 0, epoch = 0
};

// A region of an ended epoch has another name than one of the next, so a late write misses.
struct RegionId {
  RegionKind kind;
  uint16_t owner;  // rank of its only writer in the epoch; 0 where the pair of members says it
  ShardId shard;
  Epoch epoch;

  friend bool operator==(const RegionId&, const RegionId&) = default;
};
static_assert(sizeof(RegionId) == 12);

struct RegionIdHash {
  size_t operator()(const RegionId& id) const {
    const uint64_t a =
        (uint64_t{static_cast<uint16_t>(id.kind)} << 48) | (uint64_t{id.owner} << 32) | id.shard;
    return std::hash<uint64_t>{}(a * 0x9E3779B97F4A7C15ull ^ id.epoch);
  }
};

}  // namespace freshet

#endif  // FRESHET_CORE_REGION_H_
