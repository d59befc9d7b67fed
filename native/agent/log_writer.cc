#include "native/agent/log_writer.h"

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <vector>

#include "native/agent/log_files.h"
#include "native/agent/log_queue.h"
#include "native/core/check.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

// Of a larger batch so much is written in a turn: other shards do not wait for all of it.
constexpr size_t kSliceMax = size_t{32} << 20;

// Past the system's cache a batch of this size is written as fast where no room was made for it.
constexpr size_t kUnzeroedMin = size_t{32} << 10;

}  // namespace

class LogWriter::Impl {
 public:
  Impl(FileSystem& files, LogWriterConfig config, std::function<void()> wake)
      : files_(files),
        config_(std::move(config)),
        wake_(std::move(wake)),
        log_files_(files, config_.data, config_.prepare_step) {}
  ~Impl() { stop(); }

  Status start() {
    const Status status = files_.make_folder(config_.data);
    if (!is_ok(status)) return status;
    log_files_.look_at_space();
    if (!config_.threads) return Status::kOk;
    log_files_.start_thread();
    thread_ = std::thread([this] { run(); });
    return Status::kOk;
  }

  void stop() {
    if (stopped_) return;
    stopped_ = true;
    if (thread_.joinable()) {
      stopping_.store(true, std::memory_order_release);
      signal();
      thread_.join();
    } else if (!config_.threads) {
      while (has_work()) (void)do_work();
    }
    log_files_.stop_thread();
    shards_.clear();  // and with them the files
  }

  bool submit(const LogBatch& batch) {
    if (outstanding_ == kLogQueueMax) return false;
    FRESHET_CHECK(batches_.push(batch));
    outstanding_++;
    signal();
    return true;
  }

  bool forget(ShardId shard) {
    LogBatch nothing;
    nothing.shard = shard;
    return submit(nothing);
  }

  bool collect(LogReport& report) {
    if (!reports_.pop(report)) return false;
    outstanding_--;
    return true;
  }

  int do_work();
  bool has_work() const { return !batches_.empty() || !waiting_.empty(); }

  DiskSpace space() {
    if (!config_.threads) log_files_.look_at_space();
    return log_files_.space();
  }
  Stats stats() const {
    return {turns_.load(std::memory_order_relaxed), count_.load(std::memory_order_relaxed),
            bytes_.load(std::memory_order_relaxed), syncs_.load(std::memory_order_relaxed)};
  }

 private:
  struct Shard {
    std::shared_ptr<LogFile> file;
    std::vector<std::shared_ptr<LogFile>> sealed;  // in this turn
    bool failed = false;
    bool asked = false;   // for room, in this turn
    bool slices = false;  // a batch of it goes on in the next turn, and others behind that
  };

  struct Pending {
    LogBatch batch;
    size_t written = 0;
  };

  void signal() {
    signal_.fetch_add(1, std::memory_order_release);
    signal_.notify_one();
  }
  void run();
  void write_all();
  size_t write_run(size_t first);
  bool write_slice(Pending& pending, Shard& shard);
  Status write(Shard& shard, const LogBatch& batch, size_t from, Bytes bytes);
  Status begin_segment(LogFile& file, const LogBatch& batch);
  Status sync(LogFile& file);
  void sync_all();
  void report_all();
  int report_forgotten();
  static void add(std::atomic<uint64_t>& counter, uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  FileSystem& files_;
  const LogWriterConfig config_;
  const std::function<void()> wake_;
  LogFiles log_files_;
  LogQueue<LogBatch, kLogQueueMax> batches_;
  LogQueue<LogReport, kLogQueueMax> reports_;
  size_t outstanding_ = 0;  // agent thread
  std::atomic<uint32_t> signal_{0};
  std::atomic<bool> stopping_{false};
  bool stopped_ = false;
  std::thread thread_;

  // Log thread only.
  std::vector<Pending> waiting_;
  std::vector<LogBatch> turn_;       // those that are written whole in this one
  std::vector<LogBatch> forgotten_;  // shards whose files were let go
  std::unordered_map<ShardId, Shard> shards_;
  std::atomic<uint64_t> turns_{0};
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> syncs_{0};
};

void LogWriter::Impl::run() {
  for (;;) {
    const uint32_t seen = signal_.load(std::memory_order_acquire);
    const bool last = stopping_.load(std::memory_order_acquire);
    if (do_work() > 0) continue;
    if (last) return;
    signal_.wait(seen, std::memory_order_acquire);
  }
}

int LogWriter::Impl::do_work() {
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
    if (is_direct && batch.bytes.size() >= kUnzeroedMin) continue;
    log_files_.ask_room(shard.file, batch.offset + batch.bytes.size());
  }
  for (const LogBatch& batch : turn_) shards_[batch.shard].asked = false;
  if (!config_.threads) log_files_.keep_once();
  add(turns_, 1);
  return static_cast<int>(turn_.size() + waiting_.size());
}

void LogWriter::Impl::write_all() {
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
size_t LogWriter::Impl::write_run(size_t begin) {
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
bool LogWriter::Impl::write_slice(Pending& pending, Shard& shard) {
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

int LogWriter::Impl::report_forgotten() {
  const int count = static_cast<int>(forgotten_.size());
  for (const LogBatch& batch : forgotten_) FRESHET_CHECK(reports_.push({batch, Status::kOk}));
  forgotten_.clear();
  if (count > 0 && wake_) wake_();
  return count;
}

// `bytes` of the batch, from its byte `from` on; of it and those that follow it, perhaps.
Status LogWriter::Impl::write(Shard& shard, const LogBatch& batch, size_t from, Bytes bytes) {
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

Status LogWriter::Impl::begin_segment(LogFile& file, const LogBatch& batch) {
  const RecordHeader& first = RecordView(batch.bytes.data()).header();
  const SegmentHeader header = make_segment_header(config_.cluster, config_.disk, batch.shard,
                                                   batch.segment, {first.epoch, first.sequence});
  return file.file->write_at(0, std::as_bytes(std::span(&header, 1)));
}

Status LogWriter::Impl::sync(LogFile& file) {
  if (!file.touched) return Status::kOk;
  file.touched = false;
  add(syncs_, 1);
  const Status status = file.file->sync_data();
  if (!is_ok(status) || file.name_synced) return status;
  file.name_synced = true;
  return files_.sync_folder(shard_folder(config_.data, file.shard));
}

void LogWriter::Impl::sync_all() {
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

void LogWriter::Impl::report_all() {
  for (const LogBatch& batch : turn_) {
    Shard& shard = shards_[batch.shard];
    shard.sealed.clear();
    const Status status = shard.failed ? Status::kDiskFailed : Status::kOk;
    FRESHET_CHECK(reports_.push({batch, status}));
    add(count_, 1);
  }
  if (wake_) wake_();
}

LogWriter::LogWriter(FileSystem& files, LogWriterConfig config, std::function<void()> wake)
    : impl_(std::make_unique<Impl>(files, std::move(config), std::move(wake))) {}
LogWriter::~LogWriter() = default;
Status LogWriter::start() { return impl_->start(); }
void LogWriter::stop() { impl_->stop(); }
bool LogWriter::submit(const LogBatch& batch) { return impl_->submit(batch); }
bool LogWriter::forget(ShardId shard) { return impl_->forget(shard); }
bool LogWriter::collect(LogReport& report) { return impl_->collect(report); }
int LogWriter::do_work() { return impl_->do_work(); }
bool LogWriter::has_work() const { return impl_->has_work(); }
DiskSpace LogWriter::space() { return impl_->space(); }
LogWriter::Stats LogWriter::stats() const { return impl_->stats(); }

}  // namespace freshet
