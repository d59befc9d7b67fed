#include "native/agent/sealed_segment.h"

#include <algorithm>
#include <memory>

#include "native/core/log_format.h"

namespace freshet {
namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

Status read_sealed(FileSystem& files, const std::string& folder, uint64_t cluster, ShardId shard,
                   uint64_t segment, SealedSegment& out) {
  std::unique_ptr<File> file;
  Status status = files.open(folder + "/" + segment_name(segment), FileSystem::Mode::kRead, file);
  uint64_t size = 0;
  if (is_ok(status)) status = file->size(size);
  if (!is_ok(status)) return status;
  if (size <= kDiskHeaderSize || size > kSegmentFileMax) return Status::kLogCorrupt;
  out.block = MappedBlock((size + kPage - 1) / kPage * kPage, PageUse::kHuge);
  const MutableBytes bytes{out.block.data(), size};
  status = file->read_at(0, bytes);
  if (!is_ok(status)) return status;
  if (!is_ok(check_segment_header(bytes.first(kDiskHeaderSize), cluster, shard, segment)))
    return Status::kLogCorrupt;
  bool ending = false;
  for (out.offset = kDiskHeaderSize; is_sound_at(bytes, out.offset, shard, segment);) {
    const RecordView record(bytes.data() + out.offset);
    const RecordKind kind = record.header().kind;
    out.offset += record.size();
    if (ending && kind == RecordKind::kMark) {
      out.used = out.offset;
      return Status::kOk;
    }
    ending = kind == RecordKind::kIndex;
  }
  return Status::kLogCorrupt;
}

}  // namespace freshet
