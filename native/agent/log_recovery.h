// Opening a shard's log at start: checks, reads and repairs its tail, and gives every record to
// the store.
//
// The newest mark says up to where the log was synced: damage below that is corruption and is
// reported, never cut; what is torn above it was acknowledged to no one and is cut
// (core/README.md).
//
// Thread: any that may block, before the agent takes the shard.
#ifndef FRESHET_AGENT_LOG_RECOVERY_H_
#define FRESHET_AGENT_LOG_RECOVERY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "native/core/status.h"
#include "native/core/store/store.h"
#include "native/core/types.h"
#include "native/io/file.h"

namespace freshet {

// A member's data folder, locked against a second process while this lives.
//   kDataInUse       another process has it
//   kWrongCluster    it belongs to another cluster
//   kNewerFormat     a newer program wrote it
// A new folder gets `disk_if_new` as its identity.
class DataFolder {
 public:
  static Status open(FileSystem& files, const std::string& path, uint64_t cluster,
                     uint64_t disk_if_new, std::unique_ptr<DataFolder>& out);
  uint64_t disk() const { return disk_; }

 private:
  DataFolder() = default;
  std::unique_ptr<FileLock> lock_;
  uint64_t disk_ = 0;
};

struct RecoveryConfig {
  std::string data;
  uint64_t cluster = 0;
  uint64_t disk = 0;
  // Drop what comes after, damaged or not: a tail that the group did not keep.
  std::optional<LogPosition> cut_after;
  // Drop what lies from here on: its sync failed, so what is read of it may not be on disk. What
  // lies below was synced: a log that ends before it is damaged.
  std::optional<Store::DurableAt> cut_at = {};
  // Of the log's end so many bytes are kept in memory, at most what the store may have.
  uint64_t resident_max = UINT64_MAX;
};

struct RecoveryResult {
  Status status = Status::kOk;  // kLogCorrupt, kNewerFormat, kWrongCluster, kDiskFailed
  uint64_t segment = 0;         // where, with kLogCorrupt
  uint64_t offset = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint64_t cut_bytes = 0;  // torn, or after cut_after
  LogPosition last;
};

// Rebuilds `store` (fresh, persistent) from its shard's folder. A folder that is not there is
// empty.
RecoveryResult recover_log(FileSystem& files, const RecoveryConfig& config, Store& store);

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_RECOVERY_H_
