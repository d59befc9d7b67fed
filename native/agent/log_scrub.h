// Reads a shard's log again, a bounded step at a time, and looks at every checksum.
//
// Thread: the query thread's, a step a job; the log is written meanwhile, above `end`.
#ifndef FRESHET_AGENT_LOG_SCRUB_H_
#define FRESHET_AGENT_LOG_SCRUB_H_

#include <string>

#include "native/agent/log_segment.h"

namespace freshet {

struct LogScrub {
  std::string folder;
  uint64_t cluster = 0;
  ShardId shard = 0;
  LogPlace end;  // up to where the log is synced: what lies below never changes
};

struct ScrubStep {
  LogPlace next;  // where to go on; `end`: that was all
  uint64_t bytes = 0;
  // kLogCorrupt: no sound record at `damage`; the step after it goes on in the next segment.
  Status status = Status::kOk;
  LogPlace damage;
};

// From `from` ({0, 0}: the beginning) about `size_max` bytes, at least one record. Of one over
// kWholeRecordMax no more than a piece is in memory.
ScrubStep scrub_log(FileSystem& files, const LogScrub& scrub, LogPlace from, size_t size_max);

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_SCRUB_H_
