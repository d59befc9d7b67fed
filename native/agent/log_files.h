// The files that the log threads write, and the zeroed room ahead of its writes.
//
// A write into room that is already zeroed on disk changes no metadata, so its sync is short. Room
// is made in steps by a thread of its own; a write that outruns it is right all the same, only
// slower.
//
// Threads: `keep` by its own thread; everything else from log threads, of a file and its shard from
// one alone. One lock between all of them.
// Invariants
//  1. While a file is `busy` its room is being made and nobody writes beyond `room`.
//  2. While a write beyond `room` is going on (`writing`) no room is made in that file.
//  3. A sync that failed in either thread marks the file failed for good.
#ifndef FRESHET_AGENT_LOG_FILES_H_
#define FRESHET_AGENT_LOG_FILES_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "native/core/disk_space.h"
#include "native/core/status.h"
#include "native/core/types.h"
#include "native/io/file.h"

namespace freshet {

struct LogFile {
  ShardId shard = 0;
  uint64_t segment = 0;
  std::unique_ptr<File> file;
  bool name_synced = false;
  bool touched = false;  // written since its last sync; its log thread only

  // Under LogFiles' lock.
  uint64_t room = 0;
  bool busy = false;
  bool queued = false;
  bool writing = false;
  bool failed = false;
};

class LogFiles {
 public:
  LogFiles(FileSystem& files, std::string data, uint64_t step);
  ~LogFiles();

  void start_thread();
  void stop_thread();
  void keep_once();  // in place of the thread: makes all the room that was asked for

  // The file of a segment, made if need be.
  Status open(ShardId shard, uint64_t segment, std::shared_ptr<LogFile>& out);
  // Before and after bytes are written up to `end`.
  Status begin_write(LogFile& file, uint64_t end);
  void end_write(LogFile& file);
  // Lets go of every file of the shard that was made ahead, and makes no more; waits for one that
  // is being made.
  void forget(ShardId shard);
  // Asks for room after `end`, and for the next segment's file once this one is half full.
  void ask_room(const std::shared_ptr<LogFile>& file, uint64_t end);

  void look_at_space();
  DiskSpace space() const { return make_disk_space(free_.load(std::memory_order_relaxed)); }

 private:
  Status make(ShardId shard, uint64_t segment, std::shared_ptr<LogFile>& out);
  void run();
  void make_room(const std::shared_ptr<LogFile>& file, std::unique_lock<std::mutex>& lock);
  void prepare_next(ShardId shard, uint64_t segment, std::unique_lock<std::mutex>& lock);

  struct Job {
    std::shared_ptr<LogFile> file;  // null: make the file of `segment`
    ShardId shard;
    uint64_t segment;
  };

  FileSystem& files_;
  const std::string data_;
  const uint64_t step_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<std::shared_ptr<LogFile>> prepared_;  // next segments' files
  std::optional<ShardId> making_;                   // room, in a file of this shard
  bool stopping_ = false;
  std::thread thread_;
  std::atomic<uint64_t> free_{UINT64_MAX};
};

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_FILES_H_
