// A persistent shard's way to the log thread: closes batches, takes reports, tells who waits.
//
// Thread: the agent's.
// Invariants
//  1. Batches go to the writer in the order in which the store closed them.
//  2. The replica is told of a sequence only after everything up to it was reported as synced.
#ifndef FRESHET_AGENT_SHARD_LOG_H_
#define FRESHET_AGENT_SHARD_LOG_H_

#include <deque>
#include <utility>

#include "native/agent/log_writer.h"
#include "native/agent/shard_host.h"

namespace freshet {

// Batches of one shard at the writer. One is being synced, the others wait and are taken together.
inline constexpr size_t kBatchesInFlightMax = 8;

class ShardLog {
 public:
  ShardLog(ShardHost& host, LogWriter& writer) : host_(host), writer_(writer) {}

  // Closes what is new, if the writer has room; `idle`: also the mark of what was synced last.
  // With `all` it goes on until nothing is left. Returns how many batches it handed over.
  int close(bool idle, bool all = false);
  // Called at intervals: is nothing closed since the last call? Then the mark is due; before, it
  // would be one more write and sync of a disk from which the next batch may want one.
  bool rests() { return std::exchange(closed_before_, closed_) == closed_; }
  // Is more applied than was closed? False may be wrong only while batches are in flight.
  bool is_settled() const { return in_flight_ == 0 && !has_held_ && !has_more_; }

  // Takes a report of this shard's; kDiskFailed ends its epoch (the caller sees to that).
  Status on_report(const LogReport& report);
  // `token` is due once everything closed up to now is synced.
  void await_synced(Token token) { waiting_.push_back({token, closed_}); }
  // Also once the log has failed: then what waits is not on disk.
  bool take_synced(Token& token);
  Status failed() const { return failed_; }

 private:
  struct Waiting {
    Token token;
    uint64_t batch;
  };

  ShardHost& host_;
  LogWriter& writer_;
  LogBatch held_ = {};  // closed, but the writer's queue was full
  bool has_held_ = false;
  bool has_more_ = false;
  size_t in_flight_ = 0;
  uint64_t closed_ = 0;  // batches
  uint64_t closed_before_ = 0;
  uint64_t reported_ = 0;
  Status failed_ = Status::kOk;
  std::deque<Waiting> waiting_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SHARD_LOG_H_
