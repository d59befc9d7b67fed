// What a segment's file holds: which bytes of it are a sound record, and reading it as a whole.
//
// Thread: any that may block.
#ifndef FRESHET_AGENT_LOG_SEGMENT_H_
#define FRESHET_AGENT_LOG_SEGMENT_H_

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "native/core/record.h"
#include "native/core/status.h"
#include "native/core/types.h"
#include "native/io/file.h"

namespace freshet {

// More than any segment takes; read into memory as a whole.
inline constexpr uint64_t kSegmentFileMax = 2 * kRecordSizeMax;

struct LogPlace {
  uint64_t segment = 0;
  uint64_t offset = 0;
  friend auto operator<=>(const LogPlace&, const LogPlace&) = default;
};

inline LogPosition position_of(const RecordHeader& header) {
  return {header.epoch, header.sequence};
}

bool is_zero(Bytes bytes);

// Is there a whole record of a log at `offset`, with both checksums, zeros behind it, and, if it is
// a mark, at the place that it names? `bytes` begin with the segment's first byte.
bool is_sound_at(Bytes bytes, uint64_t offset, ShardId shard, uint64_t segment);
// The same of bytes that begin with the one at `offset`.
bool is_sound_from(Bytes bytes, uint64_t offset, ShardId shard, uint64_t segment);
// The sound records, up to `count_max`, that such bytes begin with. An index or a mark is alone.
void find_sound_run(Bytes bytes, uint64_t offset, ShardId shard, uint64_t segment, size_t count_max,
                    std::vector<RecordView>& run);

// Is a record sound whose bytes come piece by piece, header and padding too?
class PieceCheck {
 public:
  // Of one whose header is well formed.
  explicit PieceCheck(const RecordHeader& header) : header_(header) {}
  void add(Bytes piece);
  bool is_sound() const;

 private:
  const RecordHeader header_;
  uint64_t seen_ = 0;
  uint32_t crc_ = 0;
  bool is_padded_ = true;
};

// Is it one that a log of this shard holds, with checksums, and too long to be looked at as a
// whole?
bool is_long_record(const RecordHeader& header, ShardId shard);

// The place up to which a mark says that the log was synced; none: {0, 0}.
LogPlace claim_of(const RecordHeader& mark);

// The whole file. kLogCorrupt: larger than any segment; kNotFound, kDiskFailed.
Status load_segment(FileSystem& files, const std::string& folder, uint64_t segment,
                    std::vector<std::byte>& out);

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_SEGMENT_H_
