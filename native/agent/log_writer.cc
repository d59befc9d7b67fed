#include "native/agent/log_writer.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "native/agent/log_files.h"
#include "native/agent/log_lane.h"

namespace freshet {

class LogWriter::Impl {
 public:
  Impl(FileSystem& files, LogWriterConfig config, std::function<void()> wake)
      : files_(files),
        config_(std::move(config)),
        wake_(std::move(wake)),
        log_files_(files, config_.data, config_.prepare_step) {
    // Without threads they would take turns all the same.
    lanes_.resize(config_.threads ? kLogLanes : 1);
    for (auto& lane : lanes_) lane = std::make_unique<LogLane>(files_, log_files_, config_, wake_);
  }
  ~Impl() { stop(); }

  Status start() {
    const Status status = files_.make_folder(config_.data);
    if (!is_ok(status)) return status;
    log_files_.look_at_space();
    if (!config_.threads) return Status::kOk;
    log_files_.start_thread();
    for (const auto& lane : lanes_) lane->start();
    return Status::kOk;
  }

  void stop() {
    for (const auto& lane : lanes_) lane->stop();
    log_files_.stop_thread();
  }

  bool submit(const LogBatch& batch) { return lanes_[batch.shard % lanes_.size()]->submit(batch); }

  bool forget(ShardId shard) {
    LogBatch nothing;
    nothing.shard = shard;
    return submit(nothing);
  }

  bool collect(LogReport& report) {
    return std::ranges::any_of(lanes_, [&](const auto& lane) { return lane->collect(report); });
  }

  int do_work() {
    int batches = 0;
    for (const auto& lane : lanes_) batches += lane->do_work();
    return batches;
  }
  bool has_work() const {
    return std::ranges::any_of(lanes_, [](const auto& lane) { return lane->has_work(); });
  }

  DiskSpace space() {
    if (!config_.threads) log_files_.look_at_space();
    return log_files_.space();
  }

  Stats stats() const {
    Stats all;
    for (const auto& lane : lanes_) {
      const Stats its = lane->stats();
      all.turns += its.turns;
      all.batches += its.batches;
      all.bytes += its.bytes;
      all.syncs += its.syncs;
    }
    return all;
  }

 private:
  FileSystem& files_;
  const LogWriterConfig config_;
  const std::function<void()> wake_;
  LogFiles log_files_;
  std::vector<std::unique_ptr<LogLane>> lanes_;
};

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
