// The vocabulary of the core: names of members, shards and positions.
//
// Positions. A *sequence* is a place in the agreed order of one epoch of one shard; nulls, and
// offers of large records, take one too. A *version* counts accepted changes of a shard over all
// its epochs, from 1, without a gap. A log position is (epoch, sequence); a position in history is
// (epoch, version).
#ifndef FRESHET_CORE_TYPES_H_
#define FRESHET_CORE_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace freshet {

using NodeId = uint32_t;   // chosen by the operator, unique in a cluster, > 0
using ShardId = uint32_t;  // unique in a cluster, over all subgroups
using Epoch = uint32_t;    // of one shard, from 1; 0 means "none yet"
using PoolId = uint32_t;   // given by the catalog, from 1; 0 is the shard itself
using Rank = uint32_t;     // position in an epoch's member list
using RankSet = uint32_t;  // members by rank, as bits
using Sequence = int64_t;  // -1 means "nothing yet in this epoch"
using Version = uint64_t;  // 0 means "absent"
using Micros = int64_t;    // microseconds since the Unix epoch
using Nanos = int64_t;     // monotonic nanoseconds, any origin; only differences matter
using Token = uint64_t;    // names a waiting caller at this member

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline constexpr Micros kNoTime = INT64_MIN;

struct LogPosition {
  Epoch epoch = 0;
  Sequence sequence = -1;

  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

}  // namespace freshet

#endif  // FRESHET_CORE_TYPES_H_
