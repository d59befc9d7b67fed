#include "native/agent/log_lane.h"

#include <algorithm>
#include <utility>

#include "native/core/check.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

// Of a larger batch so much is written in a turn: other shards do not wait for all of it.
constexpr size_t kSliceMax = size_t{32} << 20;

// Past the system's cache a batch of this size is written as fast where no room was made for it.
constexpr size_t kUnzeroedMin = size_t{32} << 10;

}  // namespace

void LogLane::start() {
  thread_ = std::thread([this] { run(); });
}

void LogLane::stop() {
  if (stopped_) return;
  stopped_ = true;
  if (thread_.joinable()) {
    stopping_.store(true, std::memory_order_release);
    signal();
    thread_.join();
  } else {
    while (has_work()) (void)do_work();
  }
  shards_.clear();  // and with them the files
}

bool LogLane::submit(const LogBatch& batch) {
  if (outstanding_ == kLogQueueMax) return false;
  FRESHET_CHECK(batches_.push(batch));
  outstanding_++;
  signal();
  return true;
}

bool LogLane::collect(LogReport& report) {
  if (!reports_.pop(report)) return false;
  outstanding_--;
  return true;
}

void LogLane::run() {
  for (;;) {
    const uint32_t seen = signal_.load(std::memory_order_acquire);
    const bool last = stopping_.load(std::memory_order_acquire);
    if (do_work() > 0) continue;
    if (last) return;
    signal_.wait(seen, std::memory_order_acquire);
  }
}

int LogLane::do_work() {
  turn_.clear();
  for (LogBatch batch; batches_.pop(batch);) {
    if (!batch.bytes.empty()) {
      waiting_.push_back({batch});
      continue;
    }
    shards_.erase(batch.shard);
    log_files_.forget(batch.shard);
    forgotten_.push_back(batch);
  }
  if (waiting_.empty()) return report_forgotten();
  write_all();
  sync_all();
  report_all();
  (void)report_forgotten();
  // Asked for after the sync, so that making room does not delay it.
  for (size_t i = turn_.size(); i-- > 0;) {
    const LogBatch& batch = turn_[i];
    Shard& shard = shards_[batch.shard];
    if (shard.asked || shard.failed || shard.file == nullptr) continue;
    shard.asked = true;
    const bool is_direct = shard.file->file->block_size() > 1;
    if (is_direct && batch.bytes.size() >= kUnzeroedMin) {
      log_files_.look_at_space();
      continue;
    }
    log_files_.ask_room(shard.file, batch.offset + batch.bytes.size());
  }
  for (const LogBatch& batch : turn_) shards_[batch.shard].asked = false;
  if (!config_.threads) log_files_.keep_once();
  add(turns_, 1);
  return static_cast<int>(turn_.size() + waiting_.size());
}

void LogLane::write_all() {
  std::vector<Pending> later;
  for (size_t i = 0; i < waiting_.size();) {
    Pending& pending = waiting_[i];
    Shard& shard = shards_[pending.batch.shard];
    if (shard.slices || (pending.batch.bytes.size() > kSliceMax && write_slice(pending, shard))) {
      shard.slices = true;
      later.push_back(pending);
      i++;
    } else if (pending.batch.bytes.size() > kSliceMax) {
      i++;
    } else {
      i = write_run(i);
    }
  }
  for (const Pending& pending : later) shards_[pending.batch.shard].slices = false;
  waiting_ = std::move(later);
}

// Batches that follow each other in memory and file go out in one write. Returns where it ends.
size_t LogLane::write_run(size_t begin) {
  const LogBatch& first = waiting_[begin].batch;
  size_t size = 0;
  size_t next = begin;
  for (; next < waiting_.size(); next++) {
    const LogBatch& other = waiting_[next].batch;
    if (other.shard != first.shard || other.segment != first.segment ||
        other.bytes.data() != first.bytes.data() + size || other.bytes.size() > kSliceMax)
      break;
    size += other.bytes.size();
    turn_.push_back(other);
  }
  Shard& shard = shards_[first.shard];
  if (!shard.failed && !is_ok(write(shard, first, 0, {first.bytes.data(), size})))
    shard.failed = true;
  if (!shard.failed && turn_.back().seals_segment) shard.sealed.push_back(std::move(shard.file));
  return next;
}

// Is there more of it?
bool LogLane::write_slice(Pending& pending, Shard& shard) {
  const LogBatch& batch = pending.batch;
  const size_t size = std::min(kSliceMax, batch.bytes.size() - pending.written);
  if (!shard.failed &&
      !is_ok(write(shard, batch, pending.written, batch.bytes.subspan(pending.written, size))))
    shard.failed = true;
  pending.written += size;
  if (!shard.failed && pending.written < batch.bytes.size()) return true;
  turn_.push_back(batch);
  if (!shard.failed && batch.seals_segment) shard.sealed.push_back(std::move(shard.file));
  return false;
}

int LogLane::report_forgotten() {
  const int count = static_cast<int>(forgotten_.size());
  for (const LogBatch& batch : forgotten_) FRESHET_CHECK(reports_.push({batch, Status::kOk}));
  forgotten_.clear();
  if (count > 0 && wake_) wake_();
  return count;
}

// `bytes` of the batch, from its byte `from` on; of it and those that follow it, perhaps.
Status LogLane::write(Shard& shard, const LogBatch& batch, size_t from, Bytes bytes) {
  if (shard.file == nullptr || shard.file->segment != batch.segment) {
    const Status status = log_files_.open(batch.shard, batch.segment, shard.file);
    if (!is_ok(status)) return status;
  }
  LogFile& file = *shard.file;
  const uint64_t offset = batch.offset + from;
  Status status = log_files_.begin_write(file, offset + bytes.size());
  if (is_ok(status) && offset == kDiskHeaderSize) status = begin_segment(file, batch);
  if (is_ok(status)) status = file.file->write_at(offset, bytes);
  log_files_.end_write(file);
  file.touched = true;
  add(bytes_, bytes.size());
  return status;
}

Status LogLane::begin_segment(LogFile& file, const LogBatch& batch) {
  const RecordHeader& first = RecordView(batch.bytes.data()).header();
  const SegmentHeader header = make_segment_header(config_.cluster, config_.disk, batch.shard,
                                                   batch.segment, {first.epoch, first.sequence});
  return file.file->write_at(0, std::as_bytes(std::span(&header, 1)));
}

Status LogLane::sync(LogFile& file) {
  if (!file.touched) return Status::kOk;
  file.touched = false;
  add(syncs_, 1);
  const Status status = file.file->sync_data();
  if (!is_ok(status) || file.name_synced) return status;
  file.name_synced = true;
  return files_.sync_folder(shard_folder(config_.data, file.shard));
}

void LogLane::sync_all() {
  for (const Pending& pending : waiting_) {
    Shard& shard = shards_[pending.batch.shard];
    if (shard.file != nullptr && !is_ok(sync(*shard.file))) shard.failed = true;
  }
  for (const LogBatch& batch : turn_) {
    Shard& shard = shards_[batch.shard];
    for (const auto& file : shard.sealed) {
      if (!is_ok(sync(*file))) shard.failed = true;
    }
    if (shard.file != nullptr && !is_ok(sync(*shard.file))) shard.failed = true;
    if (shard.failed) continue;
    // The room behind a sealed segment's end is given back; that may be lost without harm.
    if (batch.seals_segment) {
      for (const auto& file : shard.sealed) {
        if (file->segment == batch.segment)
          (void)file->file->truncate(batch.offset + batch.bytes.size());
      }
    }
  }
}

void LogLane::report_all() {
  for (const LogBatch& batch : turn_) {
    Shard& shard = shards_[batch.shard];
    shard.sealed.clear();
    const Status status = shard.failed ? Status::kDiskFailed : Status::kOk;
    FRESHET_CHECK(reports_.push({batch, status}));
    add(count_, 1);
  }
  if (wake_) wake_();
}

}  // namespace freshet
