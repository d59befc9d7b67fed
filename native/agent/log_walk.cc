#include "native/agent/log_walk.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "native/core/log_format.h"

namespace freshet {

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
  const Status status = load_segment(files_, folder_, segment, bytes_);
  if (status == Status::kLogCorrupt) offset_ = 0;
  segment_ = segment;
  return status;
}

bool LogWalk::is_sound(uint64_t offset) const {
  return is_sound_at(bytes_, offset, shard_, segment_);
}

bool LogWalk::is_mark(uint64_t offset) const {
  return is_sound(offset) && RecordView(bytes_.data() + offset).header().kind == RecordKind::kMark;
}

void LogWalk::note_claim(const RecordHeader& mark) {
  claimed_ = std::max(claimed_, claim_of(mark));
}

// Anything at all after the end? And do marks there say that the log was synced further?
void LogWalk::look_behind(uint64_t offset) {
  if (offset >= bytes_.size() || is_zero(Bytes(bytes_).subspan(offset))) return;
  has_tail_ = true;
  const uint64_t begin = std::max<uint64_t>(offset, kDiskHeaderSize);
  for (uint64_t at = begin; at + sizeof(RecordHeader) <= bytes_.size(); at += kRecordAlignment) {
    RecordHeader header;
    std::memcpy(&header, bytes_.data() + at, sizeof header);
    if (is_mark_at(header, shard_, segment_, at)) note_claim(header);
  }
}

Status LogWalk::walk_segment(const Take& take, End& end) {
  offset_ = 0;
  end = End::kOpen;
  const Status status = check_segment_header(
      {bytes_.data(), std::min(bytes_.size(), kDiskHeaderSize)}, cluster_, shard_, segment_);
  if (status == Status::kNotFound || status == Status::kLogCorrupt) return Status::kOk;
  if (!is_ok(status)) return status;
  bool ending = false;
  for (offset_ = kDiskHeaderSize; offset_ + sizeof(RecordHeader) <= bytes_.size();) {
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
  const LogPlace place{segment_, offset_};
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
