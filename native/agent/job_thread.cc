#include "native/agent/job_thread.h"

namespace freshet {

JobThread::JobThread() : thread_([this] { run(); }) {}
JobThread::JobThread(std::function<void()> on_posted) : on_posted_(std::move(on_posted)) {}
JobThread::~JobThread() { close(); }

Status JobThread::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closing()) return Status::kClosed;
    if (jobs_.size() >= kJobsMax) return Status::kOverloaded;
    jobs_.push_back(std::move(job));
  }
  if (on_posted_) {
    on_posted_();
  } else {
    changed_.notify_one();
  }
  return Status::kOk;
}

bool JobThread::run_next() {
  if (waiting() == 0) return false;
  const Job job = std::move(jobs_.front());
  jobs_.pop_front();
  job();
  return true;
}

void JobThread::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_.store(true, std::memory_order_relaxed);
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  jobs_.clear();
}

size_t JobThread::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void JobThread::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_closing() || !jobs_.empty(); });
      if (is_closing()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace freshet
