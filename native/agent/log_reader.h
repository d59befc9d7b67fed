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

  // The record at (segment, offset), which takes `length` bytes as in Found::cold_length: a long
  // one up to that. kLogCorrupt: its checksums do not match.
  Status read(uint64_t segment, uint64_t offset, uint32_t length, std::vector<std::byte>& out);

  // Bytes of it, from its byte `from` on up to `size_max`, which are not checked; none at its end.
  Status read_part(uint64_t segment, uint64_t offset, uint64_t from, uint64_t size_max,
                   std::vector<std::byte>& out);
  // The same up to where its value begins.
  Status read_head(uint64_t segment, uint64_t offset, std::vector<std::byte>& out);

  // As Store::read_log, from disk. Reads synced segments only: call it where the store said kCold.
  // kLogCorrupt: damaged, or nothing follows after all.
  Status read_log(LogPosition after, MutableBytes out, size_t& used, LogPosition& last);

  // As Store::read_piece, from disk. What is read is not checked: who has all of it does that.
  Status read_piece(LogPosition after, uint64_t from, MutableBytes out, size_t& used);

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
  // Where a walk over the log stands.
  struct Place {
    uint64_t segment = 0;
    uint64_t offset = 0;
    bool sealed = false;   // the segment's index and last mark were read
    bool indexed = false;  // its index was
  };
  // The first record after `after`, from `place` on, with its header; kNotFound: none.
  Status find_next(LogPosition after, Place& place, RecordHeader& header, File*& file);
  Status find_start(LogPosition after, Place& place);
  Status read_header(File& file, uint64_t offset, RecordHeader& header);
  Status find_segment(LogPosition after, uint64_t& out);
  Status first_position(uint64_t segment, LogPosition& out);

  FileSystem& files_;
  std::string folder_;
  ShardId shard_;
  std::list<OpenFile> open_;  // the one used last is in front
  LogPlace damage_;
  std::optional<uint64_t> segment_;
  LogPosition hint_;
  Place hint_place_;  // offset 0: none
};

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_READER_H_
