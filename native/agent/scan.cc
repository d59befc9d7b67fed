#include "native/agent/scan.h"

#include <algorithm>
#include <cstring>

namespace freshet {
namespace {

constexpr size_t kVersionsPerSlice = 256;
constexpr size_t kKeysPerSlice = 128;
constexpr size_t kResumeHead = 2 * sizeof(uint64_t);

void append(std::vector<std::byte>& out, const void* data, size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

}  // namespace

void append_head(const RecordView& record, std::vector<std::byte>& out) {
  const size_t length = head_length(record.header());
  const size_t start = out.size();
  append(out, record.start(), length);
  out.resize(start + padded(length));
  RecordHeader header = record.header();
  header.length = static_cast<uint32_t>(length);
  header.flags |= kWithoutValue;
  header.sequence = static_cast<Sequence>(record.value().size());
  std::memcpy(out.data() + start, &header, sizeof header);
}

Status Scan::run() {
  const Status status = prepare();
  if (!is_ok(status)) return status;
  return request_.kind == ScanRequest::Kind::kVersions ? scan_versions() : scan_keys();
}

Status Scan::prepare() {
  if (request_.has_program) {
    const Status parsed = FilterProgram::parse(request_.program, program_);
    if (!is_ok(parsed)) return parsed;
  }
  batch_bytes_ = std::clamp<size_t>(request_.batch_bytes, 1, kScanBytesMax);
  if (request_.resume.empty()) {
    cut_ = source_.store.newest_version();
    if (request_.stable) {
      const std::optional<Version> stable = source_.view.stable_version();
      if (!stable) return Status::kNotCurrent;
      cut_ = *stable;
    }
    cut_ = std::min(cut_, request_.to_version);
    return Status::kOk;
  }
  if (request_.resume.size() <= kResumeHead) return Status::kInvalidQuery;
  std::memcpy(&cut_, request_.resume.data(), sizeof cut_);
  std::memcpy(&given_, request_.resume.data() + sizeof cut_, sizeof given_);
  position_ = Bytes(request_.resume).subspan(kResumeHead);
  return Status::kOk;
}

void Scan::finish(Bytes position, bool complete) {
  uint32_t size = 0;
  if (!complete) {
    append(out_, &cut_, sizeof cut_);
    append(out_, &given_, sizeof given_);
    append(out_, position.data(), position.size());
    size = static_cast<uint32_t>(kResumeHead + position.size());
  }
  append(out_, &size, sizeof size);
  append(out_, &count_, sizeof count_);
}

// Versions from `low` to `high`, or back; the bounds in time narrow them first.
Status Scan::scan_versions() {
  Version low = std::max<Version>(request_.from_version, 1);
  // A cut out of resume bytes may be any number.
  Version high = std::min(cut_, source_.store.newest_version());
  {
    const Store::ReadGuard guard(source_.reader);
    if (request_.to_time != INT64_MAX)
      high = std::min(high, source_.store.version_at_time(request_.to_time));
    if (request_.from_time > 0)
      low = std::max(low, source_.store.version_at_time(request_.from_time - 1) + 1);
  }
  Version next = request_.reverse ? high : low;
  if (!position_.empty()) {
    if (position_.size() != sizeof next) return Status::kInvalidQuery;
    std::memcpy(&next, position_.data(), sizeof next);
    if (next > cut_) return Status::kInvalidQuery;
    next = request_.reverse ? std::min(next, high) : std::max(next, low);
  }
  const Version last = request_.reverse ? low : high;
  const auto is_over = [&] {
    return low > high || (request_.reverse ? next < last || next == 0 : next > last);
  };
  while (!is_over() && !is_full()) {
    if (source_.stop()) return Status::kClosed;
    const Status status = visit_versions(next, last);
    if (!is_ok(status)) return status;
  }
  finish(std::as_bytes(std::span(&next, 1)), is_over() || given_ >= request_.limit);
  return Status::kOk;
}

Status Scan::visit_versions(Version& next, Version last) {
  const Store::ReadGuard guard(source_.reader);
  for (size_t i = 0; i < kVersionsPerSlice && !is_full(); i++) {
    const Status status = visit(source_.store.get_version(next));
    if (!is_ok(status)) return status;
    const bool over = next == last;
    next = request_.reverse ? next - 1 : next + 1;
    if (over) return Status::kOk;
  }
  return Status::kOk;
}

Status Scan::scan_keys() {
  last_key_.assign(reinterpret_cast<const char*>(position_.data()), position_.size());
  std::vector<std::string> keys;
  bool more = true;
  while (more && !is_full()) {
    if (source_.stop()) return Status::kClosed;
    Status status = Status::kOk;
    if (request_.reverse) {
      status = all_keys_backwards(keys);
      more = false;
    } else {
      status = next_keys(keys, more);
    }
    if (is_ok(status)) status = visit_keys(keys);
    if (!is_ok(status)) return status;
  }
  const bool complete =
      (!more && (keys.empty() || last_key_ == keys.back())) || given_ >= request_.limit;
  finish(std::as_bytes(std::span(last_key_)), complete);
  return Status::kOk;
}

// The page of keys behind the last one given.
Status Scan::next_keys(std::vector<std::string>& keys, bool& more) {
  const Store::ReadGuard guard(source_.reader);
  const ReadPoint point{ReadPoint::Kind::kAtVersion, cut_, cut_};
  std::vector<std::string_view> found;
  more = source_.store.list(request_.prefix, last_key_, point, kKeysPerSlice, found);
  keys.assign(found.begin(), found.end());
  return Status::kOk;
}

Status Scan::all_keys_backwards(std::vector<std::string>& keys) {
  const std::string before = last_key_;
  last_key_.clear();
  std::vector<std::string> page;
  for (bool more = true; more;) {
    if (source_.stop()) return Status::kClosed;
    const Status status = next_keys(page, more);
    if (!is_ok(status)) return status;
    for (std::string& key : page) {
      last_key_ = key;
      if (before.empty() || key < before) keys.push_back(std::move(key));
    }
    if (keys.size() > kScanKeysMax) return Status::kOverloaded;
  }
  std::reverse(keys.begin(), keys.end());
  last_key_ = before;
  return Status::kOk;
}

Status Scan::visit_keys(const std::vector<std::string>& keys) {
  const ReadPoint point{ReadPoint::Kind::kAtVersion, cut_, cut_};
  for (size_t begin = 0; begin < keys.size() && !is_full(); begin += kKeysPerSlice) {
    const Store::ReadGuard guard(source_.reader);
    const size_t end = std::min(keys.size(), begin + kKeysPerSlice);
    for (size_t i = begin; i < end && !is_full(); i++) {
      const Status status = visit(source_.store.get(keys[i], point));
      if (!is_ok(status)) return status;
      last_key_ = keys[i];
    }
  }
  return Status::kOk;
}

Status Scan::visit(const Found& found) {
  if (found.status == Status::kCold) {
    if (source_.cold == nullptr) return Status::kLogCorrupt;
    std::vector<std::byte> bytes;
    source_.reader.leave();
    // Of a long one the value is not given anyway.
    const Status status =
        found.cold_length > kScanBytesMax
            ? source_.cold->read_head(found.cold_segment, found.cold_offset, bytes)
            : source_.cold->read(found.cold_segment, found.cold_offset, found.cold_length, bytes);
    source_.reader.enter();
    if (is_ok(status)) emit(RecordView(bytes.data()));
    return status;
  }
  // What was pruned or taken by no record is left out.
  if (is_ok(found.status) && found.record != nullptr) emit(RecordView(found.record));
  return Status::kOk;
}

bool Scan::passes(const RecordView& record) const {
  const RecordHeader& header = record.header();
  if (header.kind != RecordKind::kPut && !request_.want_removed) return false;
  if (header.version < request_.from_version || header.time < request_.from_time ||
      header.time > request_.to_time)
    return false;
  const std::string_view key = record.key();
  if (!key.starts_with(request_.prefix)) return false;
  return !request_.has_program || program_.passes({key, header.version, header.time,
                                                   header.event_time, record.value().size()});
}

void Scan::emit(const RecordView& record) {
  if (!passes(record)) return;
  given_++;
  count_++;
  const bool is_whole = request_.want_values && request_.kind != ScanRequest::Kind::kKeys &&
                        record.size() <= kScanBytesMax;
  is_whole ? append(out_, record.start(), record.size()) : append_head(record, out_);
}

}  // namespace freshet
