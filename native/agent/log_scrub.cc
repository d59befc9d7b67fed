#include "native/agent/log_scrub.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "native/core/log_format.h"

namespace freshet {
namespace {

constexpr size_t kScrubPieceSize = size_t{1} << 20;  // of a long record

class Step {
 public:
  Step(FileSystem& files, const LogScrub& scrub, LogPlace from)
      : files_(files), scrub_(scrub), at_(from) {}

  ScrubStep run(size_t size_max) {
    result_.status = at_ < scrub_.end ? look(size_max) : Status::kOk;
    if (result_.status == Status::kLogCorrupt) {
      result_.damage = at_;
      at_ = {at_.segment + 1, 0};
    }
    result_.next = std::min(at_, scrub_.end);
    return result_;
  }

 private:
  Status look(size_t size_max);
  Status look_at_header();
  Status look_at_long(const RecordHeader& header);
  Status fill(size_t size);

  FileSystem& files_;
  const LogScrub& scrub_;
  LogPlace at_;
  std::unique_ptr<File> file_;
  uint64_t limit_ = 0;  // of the segment: its file's size, or the log's end
  std::vector<std::byte> bytes_;
  ScrubStep result_;
};

// A file that is gone or too short is damage; a disk that fails is not.
Status as_damage(Status status) {
  return status == Status::kNotFound ? Status::kLogCorrupt : status;
}

Status Step::look_at_header() {
  std::vector<std::byte> block(sizeof(SegmentHeader));
  const Status status = file_->read_at(0, block);
  if (!is_ok(status)) return as_damage(status);
  const Status sound = check_segment_header(block, scrub_.cluster, scrub_.shard, at_.segment);
  if (!is_ok(sound)) return Status::kLogCorrupt;
  at_.offset = kDiskHeaderSize;
  return Status::kOk;
}

// `bytes_` becomes what lies at `at_`, at most `size` and not beyond the limit.
Status Step::fill(size_t size) {
  bytes_.resize(std::min<uint64_t>(size, limit_ - at_.offset));
  return as_damage(file_->read_at(at_.offset, bytes_));
}

// The record at `at_`, piece by piece.
Status Step::look_at_long(const RecordHeader& header) {
  const uint64_t end = at_.offset + padded(header.length);
  PieceCheck check(header);
  while (at_.offset < end) {
    const Status status = fill(std::min<uint64_t>(kScrubPieceSize, end - at_.offset));
    if (!is_ok(status)) return status;
    check.add(bytes_);
    at_.offset += bytes_.size();
    result_.bytes += bytes_.size();
  }
  if (check.is_sound()) return Status::kOk;
  at_.offset -= padded(header.length);
  return Status::kLogCorrupt;
}

Status Step::look(size_t size_max) {
  const std::string path = scrub_.folder + "/" + segment_name(at_.segment);
  Status status = as_damage(files_.open(path, FileSystem::Mode::kRead, file_));
  if (is_ok(status)) status = file_->size(limit_);
  if (is_ok(status) && at_.offset == 0) status = look_at_header();
  if (!is_ok(status)) return status;
  if (at_.segment == scrub_.end.segment) {
    if (limit_ < scrub_.end.offset) return Status::kLogCorrupt;
    limit_ = scrub_.end.offset;
  }
  if (at_.offset >= limit_) return Status::kLogCorrupt;  // it ends with its mark, not without
  status = fill(std::max(size_max, sizeof(RecordHeader)));
  bool ending = false;
  for (size_t used = 0; is_ok(status) && used < bytes_.size();) {
    RecordHeader header{};
    const Bytes rest = Bytes(bytes_).subspan(used);
    std::memcpy(&header, rest.data(), std::min(rest.size(), sizeof header));
    const bool is_cut = rest.size() < sizeof header || padded(header.length) > rest.size();
    if (is_cut && used > 0) break;  // the next step begins here
    if (is_cut) {
      // One record may be longer than a step; its length is believed only once its header is.
      if (header.length > kRecordSizeMax || !header_crc_matches(header)) return Status::kLogCorrupt;
      if (padded(header.length) > limit_ - at_.offset) return Status::kLogCorrupt;
      if (is_long_record(header, scrub_.shard)) return look_at_long(header);
      status = fill(padded(header.length));
      continue;
    }
    if (header.kind == RecordKind::kMark) {
      if (!is_mark_at(header, scrub_.shard, at_.segment, at_.offset)) return Status::kLogCorrupt;
    } else if (!is_sound_at(rest, 0, scrub_.shard, at_.segment)) {
      return Status::kLogCorrupt;
    }
    const size_t size = padded(header.length);
    used += size;
    at_.offset += size;
    result_.bytes += size;
    if (ending && header.kind == RecordKind::kMark) {
      at_ = {at_.segment + 1, 0};
      break;
    }
    ending = header.kind == RecordKind::kIndex;
    // Index and mark are looked at together.
    if (ending && used + sizeof(RecordHeader) > bytes_.size()) {
      status = fill(sizeof(RecordHeader));
      used = 0;
    }
  }
  return status;
}

}  // namespace

ScrubStep scrub_log(FileSystem& files, const LogScrub& scrub, LogPlace from, size_t size_max) {
  return Step(files, scrub, from).run(size_max);
}

}  // namespace freshet
