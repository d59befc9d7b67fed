// The log threads: take batches of all shards of a member to disk. Each has some of the shards
// (log_lane.h), so that none waits for the sync of another's file; a disk syncs several at once in
// hardly more time than one. One more keeps zeroed room ahead of the writes (log_files.h).
//
//   <data>/shard-<id>/<number>.log      one file per segment; see log_format.h
//
// Threads: submit, collect and the getters from the agent thread only; start and stop from whoever
// owns it, before the first and after the last of those.
// Invariants
//  1. A batch is reported kOk only after its bytes, all before it, and the file's name are on disk.
//  2. After a write or sync of a shard failed nothing more of that shard is written (kDiskFailed)
//     before forget(): what the file holds is unknown (Rebello et al., "Can applications recover
//     from fsync failures?", ATC 2020).
//  3. Reports of one shard come in the order of its batches.
#ifndef FRESHET_AGENT_LOG_WRITER_H_
#define FRESHET_AGENT_LOG_WRITER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "native/core/disk_space.h"
#include "native/core/status.h"
#include "native/core/store/store.h"
#include "native/core/types.h"
#include "native/io/file.h"

namespace freshet {

struct LogWriterConfig {
  std::string data;  // folder of this member
  uint64_t cluster = 0;
  uint64_t disk = 0;                          // identity of the data folder (see DataFolder)
  uint64_t prepare_step = uint64_t{2} << 20;  // bytes zeroed ahead at once
  bool threads = true;  // false: no thread is made, the owner calls do_work() (simulation)
};

struct LogReport {
  LogBatch batch;               // as submitted; its bytes are on disk if status is kOk. Without
                                // bytes: the shard's files were let go
  Status status = Status::kOk;  // or kDiskFailed
};

class LogWriter {
 public:
  // `wake` is called on the log threads after reports were queued; it must not block.
  LogWriter(FileSystem& files, LogWriterConfig config, std::function<void()> wake);
  ~LogWriter();  // as stop()

  Status start();
  // Writes and syncs what was submitted, then ends the threads. Idempotent.
  void stop();

  // Hands over a batch; false: kLogQueueMax wait where it has to, try again in the next pass (keep
  // the batch).
  bool submit(const LogBatch& batch);
  // Lets go of a shard's files, none of whose batches wait, so that they may be cut or removed; a
  // failure of them is forgotten, too. Reported behind what was submitted before. As submit().
  bool forget(ShardId shard);
  // The next report; false: none. The agent calls Store::on_batch_synced(report.batch) and, once
  // all batches of a shard are reported, may take everything delivered as synced.
  bool collect(LogReport& report);

  // One turn, for an owner that configured no threads. Returns batches done.
  int do_work();
  bool has_work() const;

  // As last seen, at most half a second ago.
  DiskSpace space();

  struct Stats {
    uint64_t turns = 0;
    uint64_t batches = 0;
    uint64_t bytes = 0;
    uint64_t syncs = 0;
  };
  Stats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_WRITER_H_
