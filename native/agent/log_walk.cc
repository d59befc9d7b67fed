#include "native/agent/log_walk.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "native/core/log_format.h"

namespace freshet {
namespace {

// More than any segment takes; read into memory as a whole.
constexpr uint64_t kFileSizeMax = 2 * kRecordSizeMax;

bool is_zero(const std::byte* at, size_t size) {
  return size == 0 ||
         (at[0] == std::byte{0} && (size == 1 || std::memcmp(at, at + 1, size - 1) == 0));
}

}  // namespace

LogWalk::LogWalk(FileSystem& files, std::string folder, uint64_t cluster, ShardId shard)
    : files_(files), folder_(std::move(folder)), cluster_(cluster), shard_(shard) {}

Status LogWalk::open() {
  std::vector<std::string> names;
  if (const Status status = files_.list(folder_, names); !is_ok(status)) return status;
  for (const std::string& name : names) {
    uint64_t segment = 0;
    if (parse_segment_name(name, segment)) segments_.push_back(segment);
  }
  std::sort(segments_.begin(), segments_.end());
  return Status::kOk;
}

Status LogWalk::load(uint64_t segment) {
  std::unique_ptr<File> file;
  Status status = files_.open(folder_ + "/" + segment_name(segment), FileSystem::Mode::kRead, file);
  uint64_t size = 0;
  if (is_ok(status)) status = file->size(size);
  if (!is_ok(status)) return status;
  segment_ = segment;
  if (size > kFileSizeMax) {
    offset_ = 0;
    return Status::kLogCorrupt;
  }
  if (size > bytes_.size()) bytes_.resize(size);
  size_ = size;
  return file->read_at(0, {bytes_.data(), size_});
}

bool LogWalk::is_sound(uint64_t offset) const {
  if (!is_well_formed({bytes_.data() + offset, size_ - offset})) return false;
  const RecordView record(bytes_.data() + offset);
  const RecordHeader& header = record.header();
  if (header.shard != shard_ || !header_crc_matches(header)) return false;
  if (!is_zero(record.start() + header.length, record.size() - header.length)) return false;
  if (header.kind == RecordKind::kMark) return is_mark_at(header, shard_, segment_, offset);
  const bool logged = header.kind == RecordKind::kPut || header.kind == RecordKind::kRemove ||
                      header.kind == RecordKind::kTrigger || header.kind == RecordKind::kControl ||
                      header.kind == RecordKind::kRefused || header.kind == RecordKind::kIndex;
  return logged && payload_crc_matches(record);
}

bool LogWalk::is_mark(uint64_t offset) const {
  return is_sound(offset) && RecordView(bytes_.data() + offset).header().kind == RecordKind::kMark;
}

void LogWalk::note_claim(const RecordHeader& mark) {
  const Place place{mark.version, static_cast<uint64_t>(mark.time)};
  if (place.offset > kDiskHeaderSize) claimed_ = std::max(claimed_, place);
}

// Anything at all after the end? And do marks there say that the log was synced further?
void LogWalk::look_behind(uint64_t offset) {
  if (offset >= size_ || is_zero(bytes_.data() + offset, size_ - offset)) return;
  has_tail_ = true;
  const uint64_t begin = std::max<uint64_t>(offset, kDiskHeaderSize);
  for (uint64_t at = begin; at + sizeof(RecordHeader) <= size_; at += kRecordAlignment) {
    RecordHeader header;
    std::memcpy(&header, bytes_.data() + at, sizeof header);
    if (is_mark_at(header, shard_, segment_, at)) note_claim(header);
  }
}

Status LogWalk::walk_segment(const Take& take, End& end) {
  offset_ = 0;
  end = End::kOpen;
  const Status status = check_segment_header({bytes_.data(), std::min(size_, kDiskHeaderSize)},
                                             cluster_, shard_, segment_);
  if (status == Status::kNotFound || status == Status::kLogCorrupt) return Status::kOk;
  if (!is_ok(status)) return status;
  bool ending = false;
  for (offset_ = kDiskHeaderSize; offset_ + sizeof(RecordHeader) <= size_;) {
    if (!is_sound(offset_)) return Status::kOk;
    const RecordView record(bytes_.data() + offset_);
    const RecordKind kind = record.header().kind;
    const uint64_t next = offset_ + record.size();
    // An index seals its segment only together with its mark; alone it is a torn tail.
    if (kind == RecordKind::kIndex && !is_mark(next)) return Status::kOk;
    const Verdict verdict = take(record, segment_, offset_);
    if (verdict == Verdict::kStop) end = End::kStopped;
    if (verdict == Verdict::kDamaged) end = End::kDamaged;
    if (verdict != Verdict::kGoOn) return Status::kOk;
    offset_ = next;
    if (kind == RecordKind::kMark) note_claim(record.header());
    if (kind == RecordKind::kMark && ending) {
      end = End::kSealed;
      return Status::kOk;
    }
    ending = kind == RecordKind::kIndex;
  }
  return Status::kOk;
}

// The log ends at (segment_, offset_), in the segment at `index`: is that where it may end?
Status LogWalk::settle(size_t index, bool stopped) {
  const Place place{segment_, offset_};
  look_behind(offset_);
  for (size_t later = index + 1; later < segments_.size(); later++) {
    has_tail_ = true;
    if (const Status status = load(segments_[later]); !is_ok(status)) return status;
    look_behind(0);
  }
  segment_ = place.segment;
  offset_ = place.offset;
  if (stopped) {
    has_tail_ = true;
    return Status::kOk;
  }
  return claimed_ > place ? Status::kLogCorrupt : Status::kOk;
}

Status LogWalk::run(const Take& take) {
  for (size_t index = 0; index < segments_.size(); index++) {
    if (segments_[index] != index) {  // one is missing
      segment_ = index;
      offset_ = 0;
      return Status::kLogCorrupt;
    }
    if (const Status status = load(segments_[index]); !is_ok(status)) return status;
    End end = End::kOpen;
    if (const Status status = walk_segment(take, end); !is_ok(status)) return status;
    if (end == End::kSealed && index + 1 < segments_.size()) continue;
    // What a crash tears is not sound: a sound record that does not fit is damage wherever it lies.
    if (end == End::kDamaged) return Status::kLogCorrupt;
    return settle(index, end == End::kStopped);
  }
  return Status::kOk;
}

Status LogWalk::sync_last() {
  for (const uint64_t segment : segments_) {
    if (segment < claimed_.segment || segment > segment_) continue;
    std::unique_ptr<File> file;
    Status status =
        files_.open(folder_ + "/" + segment_name(segment), FileSystem::Mode::kReadWrite, file);
    if (status == Status::kNotFound) continue;  // cut away
    if (is_ok(status)) status = file->sync_data();
    if (!is_ok(status)) return status;
  }
  return segments_.empty() ? Status::kOk : files_.sync_folder(folder_);
}

}  // namespace freshet
