// Every bound of the native side, with the relations between them.
#ifndef FRESHET_CORE_LIMITS_H_
#define FRESHET_CORE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace freshet {

inline constexpr uint32_t kProtocolVersion = 6;  // frames between members
inline constexpr uint32_t kDiskFormat = 2;       // segments

inline constexpr size_t kMembersMax = 16;   // of one shard epoch
inline constexpr size_t kShardsMax = 1024;  // held by one member

inline constexpr size_t kKeySizeMax = 1024;
inline constexpr size_t kMetaSizeMax = 4096;
inline constexpr size_t kValueSizeMax = size_t{1} << 30;

inline constexpr size_t kRecordAlignment = 64;
inline constexpr size_t kRecordHeadMax = kKeySizeMax + kMetaSizeMax + 128;
inline constexpr size_t kRecordSizeMax = kValueSizeMax + kRecordHeadMax;
// A record up to this size is read, given out and sent between members as a whole, a longer one in
// pieces: no scan gives its value, and a log is checked without having all of it in memory.
inline constexpr size_t kWholeRecordMax = (size_t{64} << 20) + kRecordHeadMax;
inline constexpr size_t kRingSizeMin = size_t{64} << 10;
inline constexpr size_t kRingSizeMax = size_t{8} << 20;
inline constexpr size_t kRingInlineDivisor = 4;  // a record over ring / 4 travels as blocks

// Of one sender, under way at once; of more bytes than this only one.
inline constexpr size_t kTransfersMax = 4;
inline constexpr size_t kTransferBytesMax = size_t{64} << 20;
inline constexpr size_t kLargeSlots = kMembersMax * kTransfersMax;
inline constexpr size_t kBlockSizeMin = size_t{4} << 10;
inline constexpr size_t kBlockSizeMax = size_t{8} << 20;  // one write
inline constexpr size_t kBlockSizeDefault = size_t{256} << 10;
inline constexpr uint32_t kManyBlocks = 128;  // a value of more goes in blocks of twice the size
// A large record up to this size is copied behind the others when it is delivered; a longer one
// begins a segment of the log, which is a file, where it was put together.
inline constexpr size_t kLargeCopyMax = size_t{2} << 20;
// In a volatile store it is a segment by itself from this size on, or from what this many of fill
// the store's memory, if that is more: each has an id, and may be a mapping.
inline constexpr size_t kAloneSizeMin = size_t{256} << 10;
inline constexpr size_t kAloneRecordsMax = 4096;

inline constexpr size_t kSegmentSize = size_t{16} << 20;
inline constexpr size_t kSegmentSizeMin = size_t{1} << 20;  // of volatile shards of little memory
inline constexpr size_t kPairRingSize = size_t{1} << 20;    // member to member messages, one way
inline constexpr size_t kCopySlice = size_t{256} << 10;     // bytes copied before others get a turn

inline constexpr size_t kReadersMax = 64;             // threads that may read a store at once
inline constexpr size_t kSubscriptionsMax = 1024;     // of one shard at one member
inline constexpr size_t kSessionsMax = 4096;          // of one shard
inline constexpr size_t kSessionWindow = 1024;        // unanswered requests of one session
inline constexpr size_t kEvictedSessionsMax = 65536;  // evicted sessions whose ids are remembered
inline constexpr size_t kPoolsMax = 65536;            // pool ids of one shard are below it
inline constexpr size_t kTransientsMax = 65536;  // triggers of one shard kept for slow consumers
inline constexpr size_t kEventQueueMax = 65536;  // matched versions waiting for collect_events
inline constexpr size_t kLogLanes = 4;           // log threads of a member
inline constexpr size_t kLogQueueMax = 1024;     // batches between agent and a log thread
inline constexpr uint64_t kHistoryCheckpointVersions =
    1024;                                               // from one digest that is kept to the next
inline constexpr size_t kHistoryCheckpointsMax = 256;   // of one shard
inline constexpr size_t kDiskHeaderSize = 4096;         // of a segment file
inline constexpr size_t kIndexStep = size_t{64} << 10;  // bytes of a segment per index entry

static_assert((kRingSizeMin & (kRingSizeMin - 1)) == 0 && (kRingSizeMax & (kRingSizeMax - 1)) == 0);
static_assert(kKeySizeMax + kMetaSizeMax + 1024 <= kRingSizeMin / kRingInlineDivisor,
              "a record's head always travels inline");
static_assert(kSegmentSize >= kRingSizeMax / kRingInlineDivisor);
static_assert(kBlockSizeMin <= kBlockSizeDefault && kBlockSizeDefault <= kBlockSizeMax);
static_assert(kWholeRecordMax <= kRecordSizeMax);

}  // namespace freshet

#endif  // FRESHET_CORE_LIMITS_H_
