#include "native/agent/log_repair.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "native/core/limits.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

constexpr size_t kReadAgainSize = size_t{1} << 20;  // read again at once
constexpr size_t kMarkSize = sizeof(RecordHeader);

bool same_record(const RecordHeader& a, const RecordHeader& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// The bytes of one hole as they are being made.
class Filling {
 public:
  Filling(const LogRepair& repair, const LogHole& hole) : repair_(repair), hole_(hole) {
    if (hole.before) last_ = position_of(*hole.before);
  }

  Status take(Bytes records);
  Status place();
  // Index and mark at the segment's end; `segment` are the bytes before the hole.
  void seal(Bytes segment);

  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  uint64_t at() const { return hole_.begin + bytes_.size(); }
  bool is_full(const RecordView& record) const;
  bool is_header_alone(Bytes rest) const;
  Status check_order(const RecordView& record, Version& version) const;
  void append(const std::byte* start, size_t size) {
    bytes_.insert(bytes_.end(), start, start + size);
  }
  void append_mark(LogPlace claim);
  void pad_to(uint64_t offset) {
    while (at() < offset) append_mark({});
  }
  void note_entries(Bytes bytes, uint64_t from, std::vector<IndexEntry>& entries) const;

  const LogRepair& repair_;
  const LogHole& hole_;
  std::vector<RecordView> records_;
  std::vector<std::byte> bytes_;
  LogPosition last_;
  bool is_part_ = false;  // `records` end before the one behind the hole
};

// Sets what belongs into the hole aside, once its neighbours are seen to be the same.
Status Filling::take(Bytes records) {
  Version version = 0;
  LogPosition previous;
  for (size_t at = 0; at < records.size();) {
    const Bytes rest = records.subspan(at);
    const bool is_alone = is_header_alone(rest);
    if (!is_alone && !is_well_formed(rest)) return Status::kInvalidArgument;
    const RecordView record(rest.data());
    const RecordHeader& header = record.header();
    const bool is_sound = is_alone || (!is_log_only(header.kind) &&
                                       is_sound_at(records, at, repair_.shard, hole_.segment));
    if (!is_sound || position_of(header) <= previous) return Status::kInvalidArgument;
    if (const Status status = check_order(record, version); !is_ok(status)) return status;
    previous = position_of(header);
    records_.push_back(record);
    at += is_alone ? sizeof header : record.size();
  }
  if (hole_.before) {
    if (records_.empty() || !same_record(records_.front().header(), *hole_.before))
      return Status::kConditionFailed;
    records_.erase(records_.begin());
  }
  // Of several segments that are gone the first is filled, before all records are at hand.
  is_part_ = hole_.end == 0 && hole_.behind && previous < position_of(*hole_.behind);
  if (hole_.behind && !is_part_) {
    if (records_.empty() || !same_record(records_.back().header(), *hole_.behind))
      return Status::kConditionFailed;
    records_.pop_back();
  }
  std::erase_if(records_, [this](const RecordView& record) {
    return position_of(record.header()) > hole_.until;
  });
  return Status::kOk;
}

// A neighbour that is long is not sent again to be compared: its header tells its checksum.
bool Filling::is_header_alone(Bytes rest) const {
  if (rest.size() < sizeof(RecordHeader)) return false;
  const RecordHeader& header = RecordView(rest.data()).header();
  if (header.length <= kWholeRecordMax) return false;
  return (hole_.before && same_record(header, *hole_.before)) ||
         (hole_.behind && same_record(header, *hole_.behind));
}

// Versions of a persistent shard have no gap, so a record that is missing shows.
Status Filling::check_order(const RecordView& record, Version& version) const {
  const RecordHeader& header = record.header();
  if (!takes_version(header.kind)) return Status::kOk;
  const bool is_first = version == 0;
  if (!is_first && header.version != version + 1) return Status::kConditionFailed;
  if (is_first && !hole_.before && header.version != 1) return Status::kConditionFailed;
  // `before` itself may come first.
  const bool follows = header.version == hole_.version || header.version == hole_.version + 1;
  if (is_first && hole_.version != 0 && !follows) return Status::kConditionFailed;
  version = header.version;
  return Status::kOk;
}

// With an end that nobody knows: would the store have begun the next segment here?
bool Filling::is_full(const RecordView& record) const {
  const bool is_first = at() == kDiskHeaderSize;
  const size_t entries = repair_.segment_size / kIndexStep + 2;
  const size_t index = padded(sizeof(RecordHeader) + entries * sizeof(IndexEntry));
  return !is_first && at() + record.size() + 2 * kMarkSize + index > repair_.segment_size;
}

Status Filling::place() {
  const bool ends = hole_.end == 0;
  bool is_full_now = false;
  for (const RecordView& record : records_) {
    const RecordHeader& header = record.header();
    if (repair_.place_of && takes_version(header.kind)) {
      const auto place = repair_.place_of(header.version);
      if (!place) return Status::kConditionFailed;
      is_full_now = place->segment != hole_.segment && ends;
      if (is_full_now) break;
      if (place->segment != hole_.segment || place->offset < at()) return Status::kConditionFailed;
      if (!ends && place->offset > hole_.end) return Status::kConditionFailed;
      pad_to(place->offset);
    } else if (ends && !repair_.place_of && is_full(record)) {
      is_full_now = true;
      break;
    }
    append(record.start(), record.size());
    last_ = position_of(header);
    if (!ends && at() > hole_.end) return Status::kConditionFailed;
  }
  if (!ends) pad_to(hole_.end);
  return is_part_ && !is_full_now ? Status::kConditionFailed : Status::kOk;
}

void Filling::append_mark(LogPlace claim) {
  RecordHeader mark{};
  mark.length = kMarkSize;
  mark.kind = RecordKind::kMark;
  mark.shard = repair_.shard;
  mark.pool = static_cast<uint32_t>(hole_.segment);
  mark.epoch = last_.epoch;
  mark.sequence = last_.sequence;
  mark.version = claim.segment;
  mark.time = static_cast<Micros>(claim.offset);
  mark.event_time = static_cast<Micros>(at());
  seal_header(mark);
  append(reinterpret_cast<const std::byte*>(&mark), sizeof mark);
}

void Filling::note_entries(Bytes bytes, uint64_t from, std::vector<IndexEntry>& entries) const {
  for (size_t at = 0; at < bytes.size();) {
    const RecordView record(bytes.data() + at);
    const RecordHeader& header = record.header();
    const uint64_t offset = from + at;
    at += record.size();
    if (is_log_only(header.kind)) continue;
    if (!entries.empty() &&
        offset - uint64_t{entries.back().offset} * kRecordAlignment < kIndexStep)
      continue;
    entries.push_back(
        {header.sequence, header.epoch, static_cast<uint32_t>(offset / kRecordAlignment)});
  }
}

void Filling::seal(Bytes segment) {
  std::vector<IndexEntry> entries;
  note_entries(segment.subspan(kDiskHeaderSize), kDiskHeaderSize, entries);
  note_entries(bytes_, hole_.begin, entries);
  Change change;
  change.kind = RecordKind::kIndex;
  change.value = std::as_bytes(std::span(entries));
  std::vector<std::byte> index(padded(record_length(change)));
  encode_record(change, repair_.shard, last_.epoch, index.data());
  auto& header = *reinterpret_cast<RecordHeader*>(index.data());
  header.sequence = last_.sequence;
  header.pool = static_cast<uint32_t>(hole_.segment);
  seal_header(header);
  append(index.data(), index.size());
  append_mark({hole_.segment, at()});  // once it is there all of it is: one write, one sync
}

Status write_and_check(FileSystem& files, const LogRepair& repair, uint64_t segment,
                       uint64_t offset, Bytes bytes, bool ends) {
  const std::string path = repair.folder + "/" + segment_name(segment);
  std::unique_ptr<File> file;
  Status status = files.open(path, FileSystem::Mode::kCreate, file);
  if (is_ok(status)) status = file->write_at(offset, bytes);
  if (is_ok(status) && ends) status = file->truncate(offset + bytes.size());
  if (is_ok(status)) status = file->sync_data();
  if (is_ok(status)) status = files.sync_folder(repair.folder);
  if (!is_ok(status)) return status;
  std::vector<std::byte> again;
  while (!bytes.empty() && is_ok(status)) {
    again.resize(std::min(bytes.size(), kReadAgainSize));
    status = file->read_at(offset, again);
    if (is_ok(status) && !std::equal(again.begin(), again.end(), bytes.begin()))
      status = Status::kLogCorrupt;
    offset += again.size();
    bytes = bytes.subspan(again.size());
  }
  return status;
}

// The position of the segment's first record, or of the one that would come first.
bool find_first(Bytes bytes, const LogRepair& repair, uint64_t segment, LogPosition& out) {
  for (uint64_t at = kDiskHeaderSize; is_sound_at(bytes, at, repair.shard, segment);) {
    const RecordView record(bytes.data() + at);
    const RecordHeader& header = record.header();
    if (header.kind != RecordKind::kMark) {
      out = position_of(header);
      if (header.kind == RecordKind::kIndex) out.sequence++;
      return true;
    }
    at += record.size();
  }
  return false;
}

Status write_header(FileSystem& files, const LogRepair& repair, uint64_t segment, Bytes bytes) {
  LogPosition first;
  if (!find_first(bytes, repair, segment, first)) return Status::kLogCorrupt;
  std::vector<std::byte> block(kDiskHeaderSize);
  const SegmentHeader header =
      make_segment_header(repair.cluster, repair.disk, repair.shard, segment, first);
  std::memcpy(block.data(), &header, sizeof header);
  return write_and_check(files, repair, segment, 0, block, false);
}

}  // namespace

Status fill_hole(FileSystem& files, const LogRepair& repair, const LogHole& hole, Bytes records) {
  std::vector<std::byte> segment;
  if (hole.begin == 0 || hole.end == 0) {
    const Status status = load_segment(files, repair.folder, hole.segment, segment);
    if (!is_ok(status) && status != Status::kNotFound) return status;
  }
  if (hole.begin == 0) return write_header(files, repair, hole.segment, segment);
  Filling filling(repair, hole);
  Status status = filling.take(records);
  if (is_ok(status)) status = filling.place();
  if (!is_ok(status)) return status;
  if (hole.end == 0) {
    segment.resize(hole.begin);  // a file that is gone or cut short has its header made later
    filling.seal(segment);
  }
  return write_and_check(files, repair, hole.segment, hole.begin, filling.bytes(), hole.end == 0);
}

}  // namespace freshet
