// Reads that take time: scans, listings, cold records. They run on the query thread over a store
// that goes on changing; the cut of a scan is a version, so what it shows does not change.
//
// A result is packed: records as native/core/record.h lays them out, back to back; without their
// value header.length ends after meta and header.sequence holds the value's size. A scan appends
// its resume bytes, their u32 length (0: complete) and the u32 number of records.
//
// Thread: the query thread's.
// Invariants
//  1. A reader's guard is held for one slice at a time, never while reading from disk.
//  2. A scan that goes on from its resume bytes gives what one scan would have given.
#ifndef FRESHET_AGENT_QUERY_H_
#define FRESHET_AGENT_QUERY_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "native/agent/log_reader.h"
#include "native/agent/shard_view.h"
#include "native/core/filter_program.h"

namespace freshet {

struct ScanRequest {
  enum class Kind : uint8_t { kVersions, kObjects, kKeys };
  ShardId shard = 0;
  Kind kind = Kind::kVersions;
  std::string prefix;
  Version from_version = 0;
  Version to_version = UINT64_MAX;
  bool stable = false;  // nothing above what every member has (on disk, if persistent)
  Micros from_time = INT64_MIN;
  Micros to_time = INT64_MAX;
  bool reverse = false;
  uint64_t limit = UINT64_MAX;
  bool want_values = true;
  bool want_removed = false;
  bool has_program = false;
  std::vector<std::byte> program;
  size_t batch_bytes = size_t{1} << 20;
  std::vector<std::byte> resume;
};

// batch_bytes is at most this: the longest record that is given as a whole fits
inline constexpr size_t kScanBytesMax = padded(kWholeRecordMax);
// Of one reading of a log: the last record of a volatile shard goes with the end of its sessions.
inline constexpr size_t kLogBytesMax = kScanBytesMax + kSessionsSizeMin;
inline constexpr size_t kPieceBytesMax = size_t{1} << 20;  // of a longer record
inline constexpr size_t kScanKeysMax = size_t{1} << 20;    // of one listing in reverse order

class QueryRunner {
 public:
  using Stop = std::function<bool()>;

  // `stop` is asked now and then by long scans.
  QueryRunner(FileSystem* files, std::string data, Stop stop);

  // kNotAMember, kInvalidQuery (program, resume), kOverloaded (readers), kClosed.
  Status scan(const ShardView& view, const ScanRequest& request, std::vector<std::byte>& out);
  Status read_cold(ShardId shard, uint64_t segment, uint64_t offset, uint32_t length,
                   std::vector<std::byte>& out);
  // Bytes of the version's record, from `from` on up to `size_max`; none at its end. From disk they
  // are checked only where they are all of it. As Store::get_version.
  Status read_version(const ShardView& view, Version version, uint64_t from, uint64_t size_max,
                      std::vector<std::byte>& out);
  Status read_log(ShardId shard, LogPosition after, size_t size_max, std::vector<std::byte>& out);
  // As Store::read_piece; `out` has the size that it may take.
  Status read_piece(ShardId shard, LogPosition after, uint64_t from, std::vector<std::byte>& out);
  // Where the last call for the shard that answered kLogCorrupt found it.
  LogPlace damage(ShardId shard) const;
  // A segment of which the calls since this was asked have read records from disk.
  std::optional<uint64_t> take_segment(ShardId shard);
  // Lets go of a shard's files: they are about to be cut, and others may get their names.
  void forget(ShardId shard) { logs_.erase(shard); }
  std::optional<Store::DurableAt> place_of(const ShardView& view, Version version);

 private:
  LogReader* reader_of(ShardId shard);

  FileSystem* const files_;  // null: no persistent shards
  const std::string data_;
  const Stop stop_;
  ShardReaders readers_;
  std::unordered_map<ShardId, std::unique_ptr<LogReader>> logs_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_QUERY_H_
