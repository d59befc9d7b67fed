// A thread that runs jobs one after the other from a bounded queue: queries, cold reads, recovery.
// In a simulation there is none, and the owner runs them.
//
// Threads: post() and close() from any but its own.
// Invariants
//  1. At most kJobsMax jobs wait.
//  2. After close() no job runs; those that waited are dropped.
#ifndef FRESHET_AGENT_JOB_THREAD_H_
#define FRESHET_AGENT_JOB_THREAD_H_

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "native/core/status.h"

namespace freshet {

inline constexpr size_t kJobsMax = 1024;

class JobThread {
 public:
  using Job = std::function<void()>;

  JobThread();
  // Without a thread: `on_posted` is called for every job, the owner calls run_next().
  explicit JobThread(std::function<void()> on_posted);
  ~JobThread();

  // kOverloaded: the queue is full; kClosed.
  Status post(Job job);
  void close();
  // Long jobs look here now and then and give up.
  bool is_closing() const { return closing_.load(std::memory_order_relaxed); }
  size_t waiting() const;
  // Without a thread. False: none waits.
  bool run_next();

 private:
  void run();

  mutable std::mutex mutex_;  // guards jobs_
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::atomic<bool> closing_{false};
  const std::function<void()> on_posted_;
  std::thread thread_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_JOB_THREAD_H_
