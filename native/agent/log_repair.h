// Writes into a hole of a log what belongs there, as another member has it.
//
// The bytes around a hole are never touched, what is written is synced and read again, and until
// then the hole stays one: after a crash in between the repair begins anew.
//
// Thread: any that may block. The log thread may write other bytes of the same file meanwhile.
#ifndef FRESHET_AGENT_LOG_REPAIR_H_
#define FRESHET_AGENT_LOG_REPAIR_H_

#include <functional>
#include <string>

#include "native/agent/log_survey.h"
#include "native/core/store/store.h"

namespace freshet {

struct LogRepair {
  std::string folder;
  uint64_t cluster = 0;
  uint64_t disk = 0;
  ShardId shard = 0;
  size_t segment_size = kSegmentSize;
  // Where the store has a version, if it is open: the records have to go to the very places that
  // it names. Empty: their order is all that counts.
  std::function<std::optional<Store::DurableAt>(Version)> place_of;
};

// Fills `hole` with `records`: whole history records in order, from `hole.before` to `hole.behind`
// (each where it is there), which have to be the same as here; one of these two over
// kWholeRecordMax comes as its header alone. Where a segment's end is gone they may end earlier, as
// long as there are more than it takes. What more room there is gets marks that claim nothing. A
// header (begin 0) is made from what follows it and takes no records.
//   kInvalidArgument  `records` are no records of this shard, or not in order
//   kConditionFailed  they are of another history, or do not fill the hole
//   kLogCorrupt       what was written does not read as it should, or a header's segment is damaged
//   kDiskFailed, kDiskFull
Status fill_hole(FileSystem& files, const LogRepair& repair, const LogHole& hole, Bytes records);

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_REPAIR_H_
