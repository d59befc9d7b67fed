#include "native/agent/log_reader.h"

#include <algorithm>
#include <cstring>

#include "native/core/log_format.h"

namespace freshet {

LogReader::LogReader(FileSystem& files, std::string data, ShardId shard)
    : files_(files), folder_(shard_folder(data, shard)), shard_(shard) {}
LogReader::~LogReader() = default;

Status LogReader::file_of(uint64_t segment, File*& out) {
  const auto found = std::find_if(open_.begin(), open_.end(), [segment](const OpenFile& file) {
    return file.segment == segment;
  });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
  } else {
    std::unique_ptr<File> file;
    const Status status =
        files_.open(folder_ + "/" + segment_name(segment), FileSystem::Mode::kRead, file);
    if (!is_ok(status)) return status;
    if (open_.size() == kOpenFilesMax) open_.pop_back();
    open_.push_front({segment, std::move(file)});
  }
  out = open_.front().file.get();
  return Status::kOk;
}

Status LogReader::read(uint64_t segment, uint64_t offset, uint32_t length,
                       std::vector<std::byte>& out) {
  if (length > padded(kRecordSizeMax)) return Status::kInvalidArgument;
  File* file = nullptr;
  Status status = file_of(segment, file);
  if (is_ok(status)) {
    out.resize(length);
    status = file->read_at(offset, out);
  }
  // The store named this place, so it has to be there.
  if (status == Status::kNotFound) return corrupt(segment, offset);
  if (!is_ok(status)) return status;
  if (!is_well_formed(out)) return corrupt(segment, offset);
  const RecordView record(out.data());
  const bool sound = record.size() == length && record.header().shard == shard_ &&
                     header_crc_matches(record.header()) && payload_crc_matches(record);
  if (!sound) return corrupt(segment, offset);
  segment_ = segment;
  return Status::kOk;
}

Status LogReader::first_position(uint64_t segment, LogPosition& out) {
  File* file = nullptr;
  Status status = file_of(segment, file);
  if (!is_ok(status)) return status;
  SegmentHeader header;
  status = file->read_at(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!is_ok(status)) return status;
  if (!is_segment_header(header)) return Status::kNotFound;  // prepared, not begun; or damaged
  out = {header.first_epoch, header.first_sequence};
  return Status::kOk;
}

// The last segment that begins at or before the record wanted: found by binary search. One whose
// header says nothing counts as later: what lies before it is read too then.
Status LogReader::find_segment(LogPosition after, uint64_t& out) {
  std::vector<std::string> names;
  Status status = files_.list(folder_, names);
  if (!is_ok(status)) return status;
  uint64_t low = 0;
  uint64_t high = 0;
  for (const std::string& name : names) {
    uint64_t number = 0;
    if (parse_segment_name(name, number)) high = std::max(high, number + 1);
  }
  while (low + 1 < high) {
    const uint64_t middle = low + (high - low) / 2;
    LogPosition first;
    status = first_position(middle, first);
    if (status != Status::kNotFound && !is_ok(status)) return status;
    if (is_ok(status) && first <= after) {
      low = middle;
    } else {
      high = middle;
    }
  }
  out = low;
  return Status::kOk;
}

Status LogReader::read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last) {
  used = 0;
  last = after;
  uint64_t segment = hint_segment_;
  uint64_t offset = hint_offset_;
  bool sealed = hint_sealed_;  // the segment's index and last mark were read
  bool indexed = false;
  if (hint_ != after || hint_offset_ == 0) {
    sealed = false;
    if (const Status status = find_segment(after, segment); !is_ok(status)) return status;
    offset = kDiskHeaderSize;
  }
  for (;;) {
    File* file = nullptr;
    Status status = file_of(segment, file);
    if (status == Status::kNotFound) break;
    if (!is_ok(status)) return status;
    RecordHeader header;
    status = file->read_at(offset, std::as_writable_bytes(std::span(&header, 1)));
    if (status == Status::kDiskFailed) return status;
    const bool ended = status == Status::kNotFound || header.length == 0;
    if (ended) {
      if (offset == kDiskHeaderSize) break;  // not begun
      if (!sealed) {
        // Zeros end the newest segment only; before another one they are damage.
        LogPosition first;
        const Status next = first_position(segment + 1, first);
        if (next == Status::kNotFound) break;
        return is_ok(next) ? corrupt(segment, offset) : next;
      }
      segment++;
      offset = kDiskHeaderSize;
      sealed = false;
      continue;
    }
    if (!header_crc_matches(header) || header.length > kRecordSizeMax)
      return corrupt(segment, offset);
    const size_t size = padded(header.length);
    const LogPosition position{header.epoch, header.sequence};
    if (!is_log_only(header.kind) && position > after) {
      if (used + size > out.size()) {
        if (used == 0) return Status::kOverloaded;
        break;
      }
      status = file->read_at(offset, out.subspan(used, size));
      if (status == Status::kNotFound) return corrupt(segment, offset);
      if (!is_ok(status)) return status;
      if (!is_well_formed(out.subspan(used, size)) ||
          !payload_crc_matches(RecordView(out.data() + used)))
        return corrupt(segment, offset);
      used += size;
      last = position;
    }
    offset += size;
    sealed = indexed && header.kind == RecordKind::kMark;
    indexed = header.kind == RecordKind::kIndex;
  }
  if (used == 0) return corrupt(segment, offset);
  hint_ = last;
  hint_sealed_ = sealed;
  hint_segment_ = segment;
  hint_offset_ = offset;
  return Status::kOk;
}

}  // namespace freshet
