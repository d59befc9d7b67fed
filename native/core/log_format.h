// The first block of a segment file, and names in a data folder.
//
//   bytes 0..4095   SegmentHeader, then zeros
//   then            records as in record.h, each padded to 64 bytes: batches that end with a kMark;
//                   a sealed segment ends with a kIndex and a kMark
//   then            zeros (room prepared ahead), or nothing
//
// Thread: none; plain data.
#ifndef FRESHET_CORE_LOG_FORMAT_H_
#define FRESHET_CORE_LOG_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "native/core/limits.h"
#include "native/core/record.h"
#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet {

struct SegmentHeader {
  uint64_t magic;
  uint32_t format;  // kDiskFormat; never moves, so that newer ones can be told
  uint32_t crc;     // CRC32C of this struct with crc = 0
  uint64_t cluster;
  uint64_t disk;
  uint64_t segment;
  Sequence first_sequence;
  Epoch first_epoch;
  ShardId shard;
};
static_assert(sizeof(SegmentHeader) == 56 && sizeof(SegmentHeader) <= kDiskHeaderSize);

inline constexpr uint64_t kSegmentMagic = 0x474F4C5448535246;  // "FRSHTLOG"

SegmentHeader make_segment_header(uint64_t cluster, uint64_t disk, ShardId shard, uint64_t segment,
                                  LogPosition first);

// Are magic and checksum those of a segment's header?
bool is_segment_header(const SegmentHeader& header);

// kNotFound: all zeros, never begun. kLogCorrupt: damaged, or another segment's. kNewerFormat,
// kWrongCluster: as they say.
Status check_segment_header(Bytes block, uint64_t cluster, ShardId shard, uint64_t segment);

// Is it a mark that lies where it says?
bool is_mark_at(const RecordHeader& header, ShardId shard, uint64_t segment, uint64_t offset);

std::string shard_folder(const std::string& data, ShardId shard);
std::string segment_name(uint64_t segment);
bool parse_segment_name(std::string_view name, uint64_t& segment);

}  // namespace freshet

#endif  // FRESHET_CORE_LOG_FORMAT_H_
