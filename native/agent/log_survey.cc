#include "native/agent/log_survey.h"

#include <algorithm>
#include <cstring>

#include "native/core/limits.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

LogPosition just_before(LogPosition position) { return {position.epoch, position.sequence - 1}; }

}  // namespace

// Goes over one segment's bytes.
class LogSurvey::Scan {
 public:
  Scan(Bytes bytes, ShardId shard, uint64_t segment, Summary& out)
      : bytes_(bytes), shard_(shard), segment_(segment), out_(out) {}

  void run() {
    if (is_ok(out_.header)) last_ = just_before(out_.header_first);
    uint64_t at = kDiskHeaderSize;
    while (at + sizeof(RecordHeader) <= bytes_.size()) {
      if (!is_sound_at(bytes_, at, shard_, segment_) || !fits(at)) {
        if (!hole_) hole_ = at;
        at += kRecordAlignment;
        continue;
      }
      const RecordView record(bytes_.data() + at);
      take(record.header(), at);
      at += record.size();
      out_.tail = at;
      if (out_.sealed) return;
    }
  }

 private:
  // What is sound and lies elsewhere in the order is a copy: of another place, or within a value.
  bool fits(uint64_t at) const {
    const RecordView record(bytes_.data() + at);
    const RecordHeader& header = record.header();
    if (header.kind == RecordKind::kMark) return position_of(header) >= last_;
    if (header.kind == RecordKind::kIndex) {
      // It ends its segment only together with its mark.
      const uint64_t next = at + record.size();
      return header.pool == static_cast<uint32_t>(segment_) && position_of(header) >= last_ &&
             is_sound_at(bytes_, next, shard_, segment_) &&
             RecordView(bytes_.data() + next).header().kind == RecordKind::kMark;
    }
    if (position_of(header) <= last_) return false;
    if (!takes_version(header.kind) || version_ == 0) return true;
    return lacks_ || hole_ ? header.version > version_ : header.version == version_ + 1;
  }

  void take(const RecordHeader& header, uint64_t at) {
    if (hole_) close_hole(at);
    if (is_log_only(header.kind)) {
      for (size_t i = unbounded_; i < out_.holes.size(); i++)
        out_.holes[i].until = position_of(header);
      unbounded_ = out_.holes.size();
      if (header.kind == RecordKind::kMark) out_.claimed = std::max(out_.claimed, claim_of(header));
      out_.sealed = ending_ && header.kind == RecordKind::kMark;
      ending_ = header.kind == RecordKind::kIndex;
      return;
    }
    for (size_t i = open_; i < out_.holes.size(); i++) {
      out_.holes[i].behind = header;
      if (i >= unbounded_) out_.holes[i].until = just_before(position_of(header));
    }
    open_ = unbounded_ = out_.holes.size();
    if (!out_.first) out_.first = header;
    out_.last = header;
    last_ = position_of(header);
    if (takes_version(header.kind)) {
      version_ = header.version;
      lacks_ = false;
    }
    out_.version = lacks_ ? 0 : version_;
  }

  void close_hole(uint64_t end) {
    LogHole hole;
    hole.segment = segment_;
    hole.begin = *hole_;
    hole.end = end;
    hole.before = out_.last;
    hole.version = out_.version;
    out_.holes.push_back(hole);
    hole_.reset();
    lacks_ = true;
  }

  const Bytes bytes_;
  const ShardId shard_;
  const uint64_t segment_;
  Summary& out_;
  std::optional<uint64_t> hole_;
  size_t open_ = 0;       // holes from here on have seen no record behind them
  size_t unbounded_ = 0;  // nor a mark
  LogPosition last_;
  Version version_ = 0;
  bool lacks_ = false;  // versions since version_ may lie in a hole
  bool ending_ = false;
};

LogSurvey::LogSurvey(FileSystem& files, Config config)
    : files_(files), config_(std::move(config)) {}

Status LogSurvey::open() {
  if (count_ > 0) return Status::kOk;
  std::vector<std::string> names;
  if (const Status status = files_.list(config_.folder, names); !is_ok(status)) return status;
  for (const std::string& name : names) {
    uint64_t segment = 0;
    if (parse_segment_name(name, segment)) count_ = std::max(count_, segment + 1);
  }
  if (config_.end) {
    end_ = *config_.end;
    count_ = end_.segment + 1;
    return Status::kOk;
  }
  end_ = config_.claimed;
  // Files behind the last one that holds anything were only made ready.
  for (; count_ > 0; count_--) {
    const Summary* summary = nullptr;
    if (const Status status = summary_of(count_ - 1, summary); !is_ok(status)) return status;
    if (!summary->blank) break;
  }
  return count_ > 0 ? Status::kOk : Status::kNotFound;
}

Status LogSurvey::summary_of(uint64_t segment, const Summary*& out) {
  const auto found = summaries_.find(segment);
  if (found != summaries_.end()) {
    out = &found->second;
    return Status::kOk;
  }
  Summary made;
  if (const Status status = summarize(segment, made); !is_ok(status)) return status;
  out = &summaries_.insert({segment, std::move(made)}).first->second;
  return Status::kOk;
}

Status LogSurvey::summarize(uint64_t segment, Summary& out) {
  out.tail = kDiskHeaderSize;
  const Status loaded = load_segment(files_, config_.folder, segment, bytes_);
  if (loaded == Status::kNotFound) {
    out.header = Status::kNotFound;
    out.missing = true;
    return Status::kOk;
  }
  if (!is_ok(loaded)) return loaded;
  if (config_.end && segment == config_.end->segment)
    bytes_.resize(std::min<uint64_t>(bytes_.size(), config_.end->offset));
  out.header = check_segment_header(Bytes(bytes_).first(std::min(bytes_.size(), kDiskHeaderSize)),
                                    config_.cluster, config_.shard, segment);
  // Of an open log this program wrote or checked every header.
  const bool is_foreign = out.header == Status::kWrongCluster || out.header == Status::kNewerFormat;
  if (is_foreign && !config_.end) return out.header;
  if (is_ok(out.header)) {
    SegmentHeader header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    out.header_first = {header.first_epoch, header.first_sequence};
  }
  out.blank = is_zero(bytes_);
  if (!out.blank) Scan(bytes_, config_.shard, segment, out).run();
  return Status::kOk;
}

Status LogSurvey::find_holes(std::optional<uint64_t> segment, std::vector<LogHole>& holes) {
  Status status = open();
  if (is_ok(status) && !config_.end && !segment) {
    for (uint64_t id = 0; id < count_ && is_ok(status); id++) {
      const Summary* summary = nullptr;
      status = summary_of(id, summary);
      if (is_ok(status)) end_ = std::max(end_, summary->claimed);
      // A later file is never there without it, so it is no torn tail either.
      if (is_ok(status) && summary->missing)
        end_ = std::max(end_, LogPlace{id, kDiskHeaderSize + 1});
    }
  }
  if (!is_ok(status)) return status;
  const uint64_t first = segment.value_or(0);
  const uint64_t last = segment ? first + 1 : count_;
  for (uint64_t id = first; id < std::min(last, count_); id++) {
    status = find_in(id, holes);
    if (!is_ok(status)) return status;
  }
  return Status::kOk;
}

// A segment that another one follows is sealed.
bool LogSurvey::is_cut_short(uint64_t segment, const Summary& summary) const {
  return !summary.sealed && (segment + 1 < count_ || (summary.missing && !config_.end));
}

Status LogSurvey::find_in(uint64_t segment, std::vector<LogHole>& holes) {
  const Summary* found = nullptr;
  Status status = summary_of(segment, found);
  if (!is_ok(status)) return status;
  const Summary& summary = *found;
  std::vector<LogHole> here = summary.holes;
  LogHole tail;
  tail.segment = segment;
  tail.begin = summary.tail;
  tail.before = summary.last;
  tail.version = summary.version;
  const bool is_last = segment + 1 == count_;
  if (is_last && config_.end && summary.tail < end_.offset) {
    tail.end = end_.offset;
    here.push_back(tail);
  } else if (is_cut_short(segment, summary)) {
    here.push_back(tail);
  }
  // Last, as it tells the segment's first record.
  LogHole header;
  header.segment = segment;
  header.end = kDiskHeaderSize;
  if (!is_ok(summary.header)) here.push_back(header);
  for (LogHole& hole : here) {
    if (LogPlace{segment, hole.begin} >= end_) continue;
    status = find_neighbours(hole);
    if (!is_ok(status)) return status;
    holes.push_back(hole);
  }
  return Status::kOk;
}

Status LogSurvey::find_neighbours(LogHole& hole) {
  const Summary* summary = nullptr;
  for (uint64_t id = hole.segment; !hole.before && id-- > 0;) {
    if (const Status status = summary_of(id, summary); !is_ok(status)) return status;
    hole.before = summary->last;
    hole.version = summary->version;
  }
  for (uint64_t id = hole.segment + 1; !hole.behind && id < count_; id++) {
    if (const Status status = summary_of(id, summary); !is_ok(status)) return status;
    hole.behind = summary->first;
    const bool is_next = id == hole.segment + 1 && is_ok(summary->header);
    if (is_next) hole.until = std::min(hole.until, just_before(summary->header_first));
    if (hole.behind) hole.until = std::min(hole.until, just_before(position_of(*hole.behind)));
  }
  return Status::kOk;
}

Status LogSurvey::read_sound(LogPosition after, uint64_t from, size_t size_max,
                             std::vector<std::byte>& out) {
  Status status = open();
  Reading reading{after, from, size_max};
  for (uint64_t id = 0; id < count_ && is_ok(status) && out.size() < size_max; id++) {
    status = read_segment(id, reading, out);
    if (reading.is_end) break;
  }
  return is_ok(status) && from > 0 && out.empty() ? Status::kNotFound : status;
}

Status LogSurvey::read_segment(uint64_t segment, Reading& reading, std::vector<std::byte>& out) {
  const Summary* summary = nullptr;
  Status status = summary_of(segment, summary);
  if (!is_ok(status)) return status;
  const LogPosition after = reading.after;
  const bool is_whole = summary->holes.empty() && (summary->sealed || segment + 1 == count_);
  if (is_whole && (!summary->last || position_of(*summary->last) <= after)) return Status::kOk;
  std::vector<LogHole> holes = summary->holes;
  LogHole tail;
  tail.segment = segment;
  tail.begin = summary->tail;
  if (is_cut_short(segment, *summary)) holes.push_back(tail);
  for (LogHole& hole : holes) {
    status = find_neighbours(hole);
    if (!is_ok(status)) return status;
  }
  status = load_segment(files_, config_.folder, segment, bytes_);
  if (!is_ok(status) && status != Status::kNotFound) return status;
  uint64_t at = kDiskHeaderSize;
  // False: that is all.
  const auto take_until = [&](uint64_t end) {
    while (at < end && out.size() < reading.size_max) {
      const RecordView record(bytes_.data() + at);
      if (!read_next(record, reading, out)) return false;
      at += record.size();
    }
    return out.size() < reading.size_max;
  };
  for (const LogHole& hole : holes) {
    if (!take_until(hole.begin)) return Status::kOk;
    reading.is_end = hole.until > after;
    if (reading.is_end) return out.empty() ? Status::kLogCorrupt : Status::kOk;
    at = hole.end == 0 ? summary->tail : hole.end;
  }
  (void)take_until(summary->tail);
  return Status::kOk;
}

// False: nothing goes behind it.
bool LogSurvey::read_next(const RecordView& record, Reading& reading,
                          std::vector<std::byte>& out) const {
  const RecordHeader& header = record.header();
  if (is_log_only(header.kind) || position_of(header) <= reading.after) return true;
  const Bytes bytes{record.start(), record.size()};
  const bool is_long = header.length > kWholeRecordMax;
  if (!is_long && reading.from == 0) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return true;
  }
  reading.is_end = true;
  if (!is_long || !out.empty()) return false;
  const Bytes rest = bytes.subspan(std::min<uint64_t>(reading.from, bytes.size()));
  const Bytes given = rest.first(std::min(reading.size_max, rest.size()));
  out.assign(given.begin(), given.end());
  return false;
}

}  // namespace freshet
