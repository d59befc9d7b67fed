// One log thread: takes the batches of some shards of a member to disk.
//
// Each turn takes every batch that waits, writes them, syncs every file touched once (group
// commit), and reports. A very large batch takes several turns.
//
// Threads: submit, forget and collect from the agent thread only; start and stop from whoever owns
// it, before the first and after the last of those. The rest on the log thread.
// Invariants: those of log_writer.h.
#ifndef FRESHET_AGENT_LOG_LANE_H_
#define FRESHET_AGENT_LOG_LANE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "native/agent/log_files.h"
#include "native/agent/log_queue.h"
#include "native/agent/log_writer.h"
#include "native/core/limits.h"

namespace freshet {

class LogLane {
 public:
  // All of them live longer.
  LogLane(FileSystem& files, LogFiles& log_files, const LogWriterConfig& config,
          const std::function<void()>& wake)
      : files_(files), log_files_(log_files), config_(config), wake_(wake) {}
  ~LogLane() { stop(); }

  void start();
  void stop();

  bool submit(const LogBatch& batch);
  bool collect(LogReport& report);

  int do_work();
  bool has_work() const { return !batches_.empty() || !waiting_.empty(); }

  LogWriter::Stats stats() const {
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
  LogFiles& log_files_;
  const LogWriterConfig& config_;
  const std::function<void()>& wake_;
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

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_LANE_H_
