#include "native/agent/log_segment.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "native/core/log_format.h"

namespace freshet {
namespace {

// Zeros from the record's end on? Less than a word of them ends with bytes of the record itself.
bool is_padded(const RecordView& record) {
  size_t left = record.size() - record.header().length;
  const std::byte* end = record.start() + record.size();
  uint64_t any = 0;
  for (uint64_t word = 0; left > 0; left -= std::min(left, sizeof word)) {
    end -= sizeof word;
    std::memcpy(&word, end, sizeof word);
    any |= left < sizeof word ? word >> (8 * (sizeof word - left)) : word;
  }
  return any == 0;
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
  if (!is_well_formed(bytes)) return false;
  const RecordView record(bytes.data());
  const RecordHeader& header = record.header();
  if (header.shard != shard) return false;
  if (header.kind == RecordKind::kMark) return is_mark_at(header, shard, segment, offset);
  const bool logged = takes_version(header.kind) || header.kind == RecordKind::kControl ||
                      header.kind == RecordKind::kRefused || header.kind == RecordKind::kIndex;
  return logged && both_crcs_match(record) && is_padded(record);
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
