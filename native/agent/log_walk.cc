#include "native/agent/log_walk.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "native/core/log_format.h"

namespace freshet {
namespace {

// Records that are looked at before the first of them is taken.
constexpr size_t kRunMax = 32;

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

Status LogWalk::open_segment(uint64_t segment) {
  const Status status = reader_.open(files_, folder_, segment);
  if (status == Status::kLogCorrupt) offset_ = 0;
  segment_ = segment;
  return status;
}

void LogWalk::note_claim(const RecordHeader& mark) {
  claimed_ = std::max(claimed_, claim_of(mark));
}

// Anything at all from `offset` on? And do marks there say that the log was synced further?
Status LogWalk::look_behind(uint64_t offset) {
  for (uint64_t at = offset; at < reader_.size();) {
    Bytes bytes;
    if (const Status status = reader_.read(at, 1, bytes); !is_ok(status)) return status;
    if (!is_zero(bytes)) {
      has_tail_ = true;
      for (size_t i = at < kDiskHeaderSize ? kDiskHeaderSize - at : 0;
           i + sizeof(RecordHeader) <= bytes.size(); i += kRecordAlignment) {
        RecordHeader header;
        std::memcpy(&header, bytes.data() + i, sizeof header);
        if (is_mark_at(header, shard_, segment_, at + i)) note_claim(header);
      }
    }
    at += bytes.size();
  }
  return Status::kOk;
}

// Finds the run of sound records at `offset_`. An index or a mark stands alone.
Status LogWalk::gather() {
  run_.clear();
  Status status = reader_.read(offset_, sizeof(RecordHeader), ahead_);
  if (!is_ok(status) || ahead_.size() < sizeof(RecordHeader)) return status;
  // A length is believed only once its header is; what follows an index is looked at with it.
  const RecordHeader& header = RecordView(ahead_.data()).header();
  if (is_long_record(header, shard_) && !has_room_) return gather_long();
  const uint64_t wanted = padded(header.length) + sizeof header;
  if (wanted > ahead_.size() && header.length <= kRecordSizeMax && header_crc_matches(header)) {
    status = reader_.read(offset_, wanted, ahead_);
    if (!is_ok(status)) return status;
  }
  find_sound_run(ahead_, offset_, shard_, segment_, kRunMax, run_);
  return Status::kOk;
}

// The same of a long record, which is looked at piece by piece.
Status LogWalk::gather_long() {
  const RecordHeader header = RecordView(ahead_.data()).header();
  const size_t head_size = head_length(header);
  Status status = reader_.read(offset_, head_size, ahead_);
  if (!is_ok(status) || ahead_.size() < head_size) return status;
  head_.assign(ahead_.begin(), ahead_.begin() + static_cast<ptrdiff_t>(head_size));
  PieceCheck check(header);
  status = reader_.pass(offset_, padded(header.length), [&](Bytes piece) { check.add(piece); });
  if (is_ok(status) && check.is_sound()) run_.emplace_back(head_.data());
  return status;
}

// None: more may follow.
std::optional<LogWalk::End> LogWalk::take_run(LogTaker& taker) {
  const RecordView first = run_.front();
  if (first.header().kind == RecordKind::kIndex) {
    // It seals its segment only together with its mark; alone it is a torn tail.
    const Bytes rest = ahead_.subspan(first.size());
    const bool is_marked = is_sound_from(rest, offset_ + first.size(), shard_, segment_) &&
                           RecordView(rest.data()).header().kind == RecordKind::kMark;
    if (!is_marked) return End::kOpen;
  }
  const LogTaker::Verdict verdict = taker.take(run_, segment_, offset_);
  if (verdict == LogTaker::Verdict::kStop) return End::kStopped;
  if (verdict == LogTaker::Verdict::kDamaged) return End::kDamaged;
  if (first.header().kind == RecordKind::kMark) {
    note_claim(first.header());
    if (ending_) return End::kSealed;
  }
  ending_ = first.header().kind == RecordKind::kIndex;
  return std::nullopt;
}

Status LogWalk::walk_segment(LogTaker& taker, End& end) {
  offset_ = 0;
  end = End::kOpen;
  ending_ = false;
  const MutableBytes room = taker.room(segment_, reader_.size());
  has_room_ = !room.empty();
  if (has_room_) reader_.use_room(room);
  Bytes block;
  Status status = reader_.read(0, kDiskHeaderSize, block);
  if (!is_ok(status)) return status;
  status = check_segment_header(block.first(std::min(block.size(), kDiskHeaderSize)), cluster_,
                                shard_, segment_);
  if (status == Status::kNotFound || status == Status::kLogCorrupt) return Status::kOk;
  if (!is_ok(status)) return status;
  for (offset_ = kDiskHeaderSize;;) {
    status = gather();
    if (!is_ok(status) || run_.empty()) return status;
    if (const std::optional<End> ended = take_run(taker)) {
      end = *ended;
      return Status::kOk;
    }
  }
}

// The log ends at (segment_, offset_), in the segment at `index`: is that where it may end?
Status LogWalk::settle(size_t index, bool stopped) {
  const LogPlace place{segment_, offset_};
  // Anew, without the store's room: what lies behind the end would only fill its pages.
  Status status = open_segment(place.segment);
  if (is_ok(status)) status = look_behind(place.offset);
  for (size_t later = index + 1; is_ok(status) && later < segments_.size(); later++) {
    has_tail_ = true;
    status = open_segment(segments_[later]);
    if (is_ok(status)) status = look_behind(0);
  }
  if (!is_ok(status)) return status;
  segment_ = place.segment;
  offset_ = place.offset;
  if (stopped) {
    has_tail_ = true;
    return Status::kOk;
  }
  return claimed_ > place ? Status::kLogCorrupt : Status::kOk;
}

Status LogWalk::run(LogTaker& taker) {
  for (size_t index = 0; index < segments_.size(); index++) {
    if (segments_[index] != index) {  // one is missing
      segment_ = index;
      offset_ = 0;
      return Status::kLogCorrupt;
    }
    if (const Status status = open_segment(segments_[index]); !is_ok(status)) return status;
    End end = End::kOpen;
    if (const Status status = walk_segment(taker, end); !is_ok(status)) return status;
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
