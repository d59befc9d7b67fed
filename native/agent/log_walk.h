// Goes through a shard's segment files in order and finds where the log ends, or is damaged.
//
// Thread: any that may block.
#ifndef FRESHET_AGENT_LOG_WALK_H_
#define FRESHET_AGENT_LOG_WALK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "native/agent/log_segment.h"
#include "native/agent/segment_reader.h"
#include "native/core/record.h"
#include "native/core/status.h"
#include "native/core/types.h"
#include "native/io/file.h"

namespace freshet {

// Who is given what a log holds.
class LogTaker {
 public:
  enum class Verdict : uint8_t { kGoOn, kStop, kDamaged };

  virtual ~LogTaker() = default;
  // Room for a segment's file that is about to be read; empty: its bytes need not stay.
  virtual MutableBytes room(uint64_t segment, uint64_t file_size) = 0;
  // Takes the records of `run`, which lie one behind the other from `offset` on, up to one that is
  // not to be taken, or cannot be. Moves `offset` behind the last that was. An index or a mark is a
  // run of its own, and so is a record over kWholeRecordMax: outside a room, of that one nothing is
  // in memory but what lies before its value.
  virtual Verdict take(std::span<const RecordView> run, uint64_t segment, uint64_t& offset) = 0;
};

class LogWalk {
 public:
  LogWalk(FileSystem& files, std::string folder, uint64_t cluster, ShardId shard);

  // kNotFound: there is no such folder. kLogCorrupt: a segment is missing.
  Status open();
  // Gives every sound record in order to `taker`, marks and indexes too, until the end or kStop.
  // kLogCorrupt: damage at (segment(), offset()): below what a mark says was synced, or refused by
  // the taker.
  // kNewerFormat, kWrongCluster: as a segment's header says.
  Status run(LogTaker& taker);
  // Syncs the segments that a crash may have left in the cache.
  Status sync_last();

  const std::vector<uint64_t>& segments() const { return segments_; }
  // Where the log ends, or is damaged. An offset below kDiskHeaderSize: the segment is not begun.
  uint64_t segment() const { return segment_; }
  uint64_t offset() const { return offset_; }
  bool has_tail() const { return has_tail_; }  // bytes other than zeros, or files, after the end

 private:
  enum class End : uint8_t { kSealed, kOpen, kStopped, kDamaged };

  Status open_segment(uint64_t segment);
  Status gather();
  Status gather_long();
  std::optional<End> take_run(LogTaker& taker);
  Status walk_segment(LogTaker& taker, End& end);
  void note_claim(const RecordHeader& mark);
  Status look_behind(uint64_t offset);
  Status settle(size_t index, bool stopped);

  FileSystem& files_;
  const std::string folder_;
  const uint64_t cluster_;
  const ShardId shard_;
  std::vector<uint64_t> segments_;
  SegmentReader reader_;         // of the segment at hand
  Bytes ahead_;                  // what is read of it from offset_ on
  std::vector<RecordView> run_;  // the sound records that it begins with
  std::vector<std::byte> head_;  // of a long one, which is not in memory
  bool ending_ = false;          // the segment's index was taken
  bool has_room_ = false;        // its bytes stay in memory
  uint64_t segment_ = 0;
  uint64_t offset_ = 0;
  bool has_tail_ = false;
  LogPlace claimed_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_WALK_H_
