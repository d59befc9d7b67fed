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
  kBlocks = 8,      // the value of one large message; as long as it is on its way
};

// A region of an ended epoch has another name than one of the next, so a late write misses.
struct RegionId {
  RegionKind kind;
  // Rank of its only writer in the epoch, of kBlocks of the message's sender; 0 where the pair of
  // members says it.
  uint16_t owner;
  ShardId shard;
  Epoch epoch;
  uint32_t number = 0;  // of kBlocks: of the sender's transfers, from 1, modulo 2^32

  friend bool operator==(const RegionId&, const RegionId&) = default;
};
static_assert(sizeof(RegionId) == 16);

struct RegionIdHash {
  size_t operator()(const RegionId& id) const {
    const uint64_t a =
        (uint64_t{static_cast<uint16_t>(id.kind)} << 48) | (uint64_t{id.owner} << 32) | id.shard;
    const uint64_t b = (uint64_t{id.number} << 32) | id.epoch;
    return std::hash<uint64_t>{}(a * 0x9E3779B97F4A7C15ull ^ b);
  }
};

// Memory that somebody else may write.
struct GrantedRegion {
  NodeId writer;
  RegionId id;
  MutableBytes memory;
};

}  // namespace freshet

#endif  // FRESHET_CORE_REGION_H_
