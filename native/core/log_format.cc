#include "native/core/log_format.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "native/core/checksum.h"

namespace freshet {
namespace {

constexpr std::string_view kSuffix = ".log";

uint32_t crc_of(SegmentHeader header) {
  header.crc = 0;
  return crc32c(&header, sizeof header);
}

}  // namespace

SegmentHeader make_segment_header(uint64_t cluster, uint64_t disk, ShardId shard, uint64_t segment,
                                  LogPosition first) {
  SegmentHeader header{};
  header.magic = kSegmentMagic;
  header.format = kDiskFormat;
  header.cluster = cluster;
  header.disk = disk;
  header.segment = segment;
  header.first_sequence = first.sequence;
  header.first_epoch = first.epoch;
  header.shard = shard;
  header.crc = crc_of(header);
  return header;
}

bool is_segment_header(const SegmentHeader& header) {
  return header.magic == kSegmentMagic && header.crc == crc_of(header);
}

Status check_segment_header(Bytes block, uint64_t cluster, ShardId shard, uint64_t segment) {
  SegmentHeader header;
  if (block.size() < sizeof header) return Status::kNotFound;
  std::memcpy(&header, block.data(), sizeof header);
  const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
  if (std::all_of(block.begin(), block.begin() + sizeof header, is_zero)) return Status::kNotFound;
  if (header.magic != kSegmentMagic) return Status::kLogCorrupt;
  // A newer format may keep its checksum elsewhere. One that holds but for the format is damaged.
  if (header.format > kDiskFormat) {
    SegmentHeader known = header;
    for (known.format = 1; known.format <= kDiskFormat; known.format++)
      if (header.crc == crc_of(known)) return Status::kLogCorrupt;
    return Status::kNewerFormat;
  }
  if (header.crc != crc_of(header)) return Status::kLogCorrupt;
  if (header.cluster != cluster) return Status::kWrongCluster;
  if (header.shard != shard || header.segment != segment) return Status::kLogCorrupt;
  return Status::kOk;
}

bool is_mark_at(const RecordHeader& header, ShardId shard, uint64_t segment, uint64_t offset) {
  return header.kind == RecordKind::kMark && header.length == sizeof header &&
         header.shard == shard && header.pool == static_cast<uint32_t>(segment) &&
         header.event_time == static_cast<Micros>(offset) && header_crc_matches(header);
}

std::string shard_folder(const std::string& data, ShardId shard) {
  return data + "/shard-" + std::to_string(shard);
}

std::string segment_name(uint64_t segment) {
  char name[32];
  std::snprintf(name, sizeof name, "%08llu.log", static_cast<unsigned long long>(segment));
  return name;
}

bool parse_segment_name(std::string_view name, uint64_t& segment) {
  if (!name.ends_with(kSuffix)) return false;
  const std::string_view digits = name.substr(0, name.size() - kSuffix.size());
  if (digits.size() < 8) return false;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, segment);
  return error == std::errc{} && stop == end;
}

}  // namespace freshet
