#include "native/agent/log_files.h"

#include <algorithm>
#include <chrono>

#include "native/core/limits.h"
#include "native/core/log_format.h"

namespace freshet {
namespace {

constexpr auto kSpaceInterval = std::chrono::milliseconds(500);

}  // namespace

LogFiles::LogFiles(FileSystem& files, std::string data, uint64_t step)
    : files_(files), data_(std::move(data)), step_(step) {}

LogFiles::~LogFiles() { stop_thread(); }

void LogFiles::start_thread() {
  look_at_space();
  thread_ = std::thread([this] { run(); });
}

void LogFiles::stop_thread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  jobs_.clear();
  prepared_.clear();
}

void LogFiles::look_at_space() {
  uint64_t bytes = 0;
  if (!is_ok(files_.free_space(data_, bytes))) return;
  free_.store(bytes, std::memory_order_relaxed);
}

Status LogFiles::make(ShardId shard, uint64_t segment, std::shared_ptr<LogFile>& out) {
  const std::string folder = shard_folder(data_, shard);
  auto made = std::make_shared<LogFile>();
  made->shard = shard;
  made->segment = segment;
  const std::string path = folder + "/" + segment_name(segment);
  Status status = files_.open(path, FileSystem::Mode::kLog, made->file);
  if (status == Status::kNotFound) {
    status = files_.make_folder(folder);
    if (is_ok(status)) status = files_.open(path, FileSystem::Mode::kLog, made->file);
  }
  if (is_ok(status)) status = made->file->size(made->room);
  if (is_ok(status)) out = std::move(made);
  return status;
}

Status LogFiles::open(ShardId shard, uint64_t segment, std::shared_ptr<LogFile>& out) {
  {
    std::unique_lock lock(mutex_);
    const auto is_wanted = [&](const std::shared_ptr<LogFile>& file) {
      return file->shard == shard && file->segment == segment;
    };
    const auto found = std::find_if(prepared_.begin(), prepared_.end(), is_wanted);
    if (found != prepared_.end()) {
      out = *found;
      prepared_.erase(found);
      return out->failed ? Status::kDiskFailed : Status::kOk;
    }
    // Nobody is to make the same file at the same time.
    std::erase_if(jobs_, [&](const Job& job) {
      return job.file == nullptr && job.shard == shard && job.segment == segment;
    });
  }
  return make(shard, segment, out);
}

Status LogFiles::begin_write(LogFile& file, uint64_t end) {
  // The rest of a block is written with it.
  const uint64_t block = file.file->block_size();
  end = (end + block - 1) / block * block;
  std::unique_lock lock(mutex_);
  if (end > file.room) {
    changed_.wait(lock, [&] { return !file.busy; });
    file.writing = end > file.room;
    file.room = std::max(file.room, end);
  }
  return file.failed ? Status::kDiskFailed : Status::kOk;
}

void LogFiles::end_write(LogFile& file) {
  const std::lock_guard lock(mutex_);
  if (!file.writing) return;
  file.writing = false;
  changed_.notify_all();
}

void LogFiles::ask_room(const std::shared_ptr<LogFile>& file, uint64_t end) {
  const std::lock_guard lock(mutex_);
  const size_t before = jobs_.size();
  const bool wants_room = file->room < kSegmentSize && end + step_ / 2 > file->room;
  if (wants_room && !file->busy && !file->queued) {
    file->queued = true;
    jobs_.push_back({file, file->shard, file->segment});
  }
  if (end > kSegmentSize / 2 && end < kSegmentSize) {
    const uint64_t next = file->segment + 1;
    const auto is_next = [&](const auto& item) {
      return item->shard == file->shard && item->segment == next;
    };
    const bool waits = std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) {
      return job.file == nullptr && job.shard == file->shard && job.segment == next;
    });
    if (!waits && std::none_of(prepared_.begin(), prepared_.end(), is_next))
      jobs_.push_back({nullptr, file->shard, next});
  }
  if (jobs_.size() != before) changed_.notify_all();
}

void LogFiles::forget(ShardId shard) {
  std::unique_lock lock(mutex_);
  std::erase_if(jobs_, [&](const Job& job) { return job.shard == shard; });
  changed_.wait(lock, [&] { return making_ != shard; });
  std::erase_if(prepared_, [&](const auto& file) { return file->shard == shard; });
}

void LogFiles::make_room(const std::shared_ptr<LogFile>& file, std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [&] { return !file->writing; });
  file->busy = true;
  making_ = file->shard;
  const uint64_t target = std::min<uint64_t>(file->room + step_, kSegmentSize);
  lock.unlock();
  const Status status = file->file->preallocate(target);
  uint64_t size = 0;
  const bool sized = is_ok(file->file->size(size));
  lock.lock();
  file->busy = false;
  making_.reset();
  file->queued = false;
  // Without space nothing is wrong yet; a failed sync may have lost what the log wrote.
  if (status == Status::kDiskFailed || !sized) file->failed = true;
  file->room = std::max(file->room, size);
  changed_.notify_all();
}

void LogFiles::prepare_next(ShardId shard, uint64_t segment, std::unique_lock<std::mutex>& lock) {
  // Under the lock, as rarely as it is: the log thread must not make the same file meanwhile.
  std::shared_ptr<LogFile> made;
  if (!is_ok(make(shard, segment, made))) return;
  if (!is_ok(files_.sync_folder(shard_folder(data_, shard)))) return;
  made->name_synced = true;
  prepared_.push_back(made);
  make_room(made, lock);
}

void LogFiles::keep_once() {
  std::unique_lock lock(mutex_);
  while (!jobs_.empty()) {
    const Job job = jobs_.front();
    jobs_.pop_front();
    if (job.file != nullptr) {
      make_room(job.file, lock);
    } else {
      prepare_next(job.shard, job.segment, lock);
    }
  }
}

void LogFiles::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kSpaceInterval, [&] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
    }
    look_at_space();
    keep_once();
  }
}

}  // namespace freshet
