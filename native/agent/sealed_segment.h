// Reading a segment that is on disk alone back into memory, for a store that has room again.
//
// Thread: any that may block.
#ifndef FRESHET_AGENT_SEALED_SEGMENT_H_
#define FRESHET_AGENT_SEALED_SEGMENT_H_

#include <cstdint>
#include <string>

#include "native/agent/log_segment.h"
#include "native/core/store/mapped_memory.h"
#include "native/io/file.h"

namespace freshet {

struct SealedSegment {
  MappedBlock block;    // the file's bytes, each at its offset
  uint64_t used = 0;    // where it ends, behind its index and closing mark
  uint64_t offset = 0;  // with kLogCorrupt: of what is damaged
};

// Every record is checked. kLogCorrupt: one is damaged, or the segment is not sealed; kNotFound,
// kDiskFailed.
Status read_sealed(FileSystem& files, const std::string& folder, uint64_t cluster, ShardId shard,
                   uint64_t segment, SealedSegment& out);

}  // namespace freshet

#endif  // FRESHET_AGENT_SEALED_SEGMENT_H_
