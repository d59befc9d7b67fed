#include "native/agent/log_reader.h"

#include <algorithm>
#include <cstring>

#include "native/core/log_format.h"
#include "native/core/store/location.h"

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
  if (length > padded(kRecordSizeMax) + kLongUnit) return Status::kInvalidArgument;
  File* file = nullptr;
  Status status = file_of(segment, file);
  if (is_ok(status) && length >= kLongSizeMin) {
    RecordHeader header;
    status = read_header(*file, offset, header);
    if (is_ok(status)) length = std::min(length, static_cast<uint32_t>(padded(header.length)));
  }
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

// kNotFound: there is none of this shard.
Status LogReader::read_header(File& file, uint64_t offset, RecordHeader& header) {
  const Status status = file.read_at(offset, std::as_writable_bytes(std::span(&header, 1)));
  if (!is_ok(status)) return status;
  const bool is_one =
      is_well_formed(header) && header.shard == shard_ && header_crc_matches(header);
  return is_one ? Status::kOk : Status::kNotFound;
}

Status LogReader::read_part(uint64_t segment, uint64_t offset, uint64_t from, uint64_t size_max,
                            std::vector<std::byte>& out) {
  File* file = nullptr;
  RecordHeader header;
  Status status = file_of(segment, file);
  if (is_ok(status)) status = read_header(*file, offset, header);
  if (is_ok(status)) {
    const uint64_t rest = padded(header.length) - std::min<uint64_t>(from, padded(header.length));
    out.resize(std::min(size_max, rest));
    status = file->read_at(offset + from, out);
  }
  return status == Status::kNotFound ? corrupt(segment, offset) : status;
}

Status LogReader::read_head(uint64_t segment, uint64_t offset, std::vector<std::byte>& out) {
  File* file = nullptr;
  RecordHeader header;
  Status status = file_of(segment, file);
  if (is_ok(status)) status = read_header(*file, offset, header);
  if (is_ok(status)) {
    out.resize(head_length(header));
    status = file->read_at(offset, out);
  }
  return status == Status::kNotFound ? corrupt(segment, offset) : status;
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

// Where the last call stopped, or the segment that `after` may lie in.
Status LogReader::find_start(LogPosition after, Place& place) {
  place = hint_place_;
  if (hint_ == after && place.offset != 0) return Status::kOk;
  place = {};
  place.offset = kDiskHeaderSize;
  return find_segment(after, place.segment);
}

Status LogReader::find_next(LogPosition after, Place& place, RecordHeader& header, File*& file) {
  for (;;) {
    Status status = file_of(place.segment, file);
    if (!is_ok(status)) return status;
    status = file->read_at(place.offset, std::as_writable_bytes(std::span(&header, 1)));
    if (status == Status::kDiskFailed) return status;
    const bool ended = status == Status::kNotFound || header.length == 0;
    if (ended) {
      if (place.offset == kDiskHeaderSize) return Status::kNotFound;  // not begun
      if (!place.sealed) {
        // Zeros end the newest segment only; before another one they are damage.
        LogPosition first;
        const Status next = first_position(place.segment + 1, first);
        return is_ok(next) ? corrupt(place.segment, place.offset) : next;
      }
      place = {place.segment + 1, kDiskHeaderSize};
      continue;
    }
    if (!header_crc_matches(header) || header.length > kRecordSizeMax)
      return corrupt(place.segment, place.offset);
    if (!is_log_only(header.kind) && position_of(header) > after) return Status::kOk;
    place.offset += padded(header.length);
    place.sealed = place.indexed && header.kind == RecordKind::kMark;
    place.indexed = header.kind == RecordKind::kIndex;
  }
}

Status LogReader::read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last) {
  used = 0;
  last = after;
  Place place;
  if (const Status status = find_start(after, place); !is_ok(status)) return status;
  for (;;) {
    RecordHeader header;
    File* file = nullptr;
    Status status = find_next(last, place, header, file);
    if (status == Status::kNotFound) break;
    if (!is_ok(status)) return status;
    const size_t size = padded(header.length);
    if (used + size > out.size()) {
      if (used == 0) return Status::kOverloaded;
      break;
    }
    const MutableBytes to = out.subspan(used, size);
    status = file->read_at(place.offset, to);
    if (status == Status::kNotFound) return corrupt(place.segment, place.offset);
    if (!is_ok(status)) return status;
    if (!is_well_formed(to) || !payload_crc_matches(RecordView(to.data())))
      return corrupt(place.segment, place.offset);
    used += size;
    last = position_of(header);
    place.offset += size;
    place.sealed = place.indexed = false;
  }
  if (used == 0) return corrupt(place.segment, place.offset);
  hint_ = last;
  hint_place_ = place;
  return Status::kOk;
}

Status LogReader::read_piece(LogPosition after, uint64_t from, MutableBytes out, size_t& used) {
  used = 0;
  Place place;
  RecordHeader header;
  File* file = nullptr;
  Status status = find_start(after, place);
  if (is_ok(status)) status = find_next(after, place, header, file);
  if (status == Status::kNotFound) return corrupt(place.segment, place.offset);
  if (!is_ok(status)) return status;
  const bool is_next = position_of(header) == LogPosition{after.epoch, after.sequence + 1};
  if (from > 0 && !is_next) return Status::kNotFound;
  hint_ = after;
  hint_place_ = place;
  const uint64_t size = padded(header.length);
  if (from >= size) return Status::kOk;
  const auto count = static_cast<size_t>(std::min<uint64_t>(out.size(), size - from));
  status = file->read_at(place.offset + from, out.first(count));
  if (status == Status::kNotFound) return corrupt(place.segment, place.offset);
  if (is_ok(status)) used = count;
  return status;
}

}  // namespace freshet
