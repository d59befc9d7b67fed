#include "native/agent/log_segment.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "native/core/checksum.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

// Zeros from the record's end on? The first word of them may begin with bytes of the record itself.
bool is_padded(const RecordView& record) {
  const size_t length = record.header().length;
  const std::byte* const end = record.start() + record.size();
  const std::byte* at = record.start() + length / sizeof(uint64_t) * sizeof(uint64_t);
  for (size_t used = length % sizeof(uint64_t); at < end; at += sizeof(uint64_t), used = 0) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    if (word >> (8 * used) != 0) return false;
  }
  return true;
}

constexpr uint32_t bit_of(RecordKind kind) { return uint32_t{1} << static_cast<uint8_t>(kind); }

// All that a log holds but marks.
constexpr uint32_t kLoggedKinds = bit_of(RecordKind::kPut) | bit_of(RecordKind::kRemove) |
                                  bit_of(RecordKind::kTrigger) | bit_of(RecordKind::kControl) |
                                  bit_of(RecordKind::kRefused) | bit_of(RecordKind::kIndex);

inline bool is_sound(Bytes bytes, uint64_t offset, ShardId shard, uint64_t segment) {
  if (!is_well_formed(bytes)) return false;
  const RecordView record(bytes.data());
  const RecordHeader& header = record.header();
  if (header.shard != shard) return false;
  if (header.kind == RecordKind::kMark) return is_mark_at(header, shard, segment, offset);
  return (bit_of(header.kind) & kLoggedKinds) != 0 && both_crcs_match(record) && is_padded(record);
}

}  // namespace

bool is_zero(Bytes bytes) {
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

bool is_sound_at(Bytes bytes, uint64_t offset, ShardId shard, uint64_t segment) {
  return offset <= bytes.size() && is_sound_from(bytes.subspan(offset), offset, shard, segment);
}

bool is_sound_from(Bytes bytes, uint64_t offset, ShardId shard, uint64_t segment) {
  return is_sound(bytes, offset, shard, segment);
}

void find_sound_run(Bytes bytes, uint64_t offset, ShardId shard, uint64_t segment, size_t count_max,
                    std::vector<RecordView>& run) {
  run.clear();
  while (run.size() < count_max && is_sound(bytes, offset, shard, segment)) {
    const RecordView record(bytes.data());
    const bool is_alone = is_log_only(record.header().kind);
    if (!is_alone || run.empty()) run.push_back(record);
    if (is_alone) return;
    offset += record.size();
    bytes = bytes.subspan(record.size());
  }
}

void PieceCheck::add(Bytes piece) {
  const uint64_t begin = seen_;
  seen_ += piece.size();
  const auto part = [&](uint64_t from, uint64_t to) {
    const uint64_t first = std::clamp(from, begin, seen_);
    return piece.subspan(first - begin, std::clamp(to, first, seen_) - first);
  };
  const Bytes payload = part(sizeof(RecordHeader), header_.length);
  crc_ = crc32c(payload.data(), payload.size(), crc_);
  is_padded_ = is_padded_ && is_zero(part(header_.length, padded(header_.length)));
}

bool PieceCheck::is_sound() const {
  return seen_ == padded(header_.length) && crc_ == header_.payload_crc && is_padded_;
}

bool is_long_record(const RecordHeader& header, ShardId shard) {
  return header.length > kWholeRecordMax && is_well_formed(header) && header.shard == shard &&
         (bit_of(header.kind) & kLoggedKinds) != 0 && header_crc_matches(header);
}

LogPlace claim_of(const RecordHeader& mark) {
  const LogPlace place{mark.version, static_cast<uint64_t>(mark.time)};
  return place.offset > kDiskHeaderSize ? place : LogPlace{};
}

Status load_segment(FileSystem& files, const std::string& folder, uint64_t segment,
                    std::vector<std::byte>& out) {
  std::unique_ptr<File> file;
  Status status = files.open(folder + "/" + segment_name(segment), FileSystem::Mode::kRead, file);
  uint64_t size = 0;
  if (is_ok(status)) status = file->size(size);
  if (!is_ok(status)) return status;
  if (size > kSegmentFileMax) return Status::kLogCorrupt;
  out.resize(size);
  return file->read_at(0, out);
}

}  // namespace freshet
