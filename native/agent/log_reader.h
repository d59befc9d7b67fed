// Reads records that are no longer in memory from their segments' files.
//
// Thread: the query thread's only.
#ifndef FRESHET_AGENT_LOG_READER_H_
#define FRESHET_AGENT_LOG_READER_H_

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "native/agent/log_segment.h"
#include "native/core/record.h"
#include "native/core/status.h"
#include "native/core/types.h"
#include "native/io/file.h"

namespace freshet {

class LogReader {
 public:
  static constexpr size_t kOpenFilesMax = 64;

  LogReader(FileSystem& files, std::string data, ShardId shard);
  ~LogReader();

  // The record at (segment, offset), of `length` bytes as in Found::cold_length. kLogCorrupt: its
  // checksums do not match.
  Status read(uint64_t segment, uint64_t offset, uint32_t length, std::vector<std::byte>& out);

  // As Store::read_log, from disk. Reads synced segments only: call it where the store said kCold.
  // kLogCorrupt: damaged, or nothing follows after all.
  Status read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last);

  // Where the last call that answered kLogCorrupt found it.
  LogPlace damage() const { return damage_; }
  // The segment of the last record that read() gave since this was asked; none: it gave none.
  std::optional<uint64_t> take_segment() { return std::exchange(segment_, std::nullopt); }

 private:
  struct OpenFile {
    uint64_t segment;
    std::unique_ptr<File> file;
  };
  Status file_of(uint64_t segment, File*& out);
  Status corrupt(uint64_t segment, uint64_t offset) {
    damage_ = {segment, offset};
    return Status::kLogCorrupt;
  }
  Status find_segment(LogPosition after, uint64_t& out);
  Status first_position(uint64_t segment, LogPosition& out);

  FileSystem& files_;
  std::string folder_;
  ShardId shard_;
  std::list<OpenFile> open_;  // the one used last is in front
  LogPlace damage_;
  std::optional<uint64_t> segment_;
  LogPosition hint_;
  uint64_t hint_segment_ = 0;
  uint64_t hint_offset_ = 0;
  bool hint_sealed_ = false;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_READER_H_
