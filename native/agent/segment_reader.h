// Reads a segment's file from its beginning on, a piece at a time: what is looked at first lies in
// the processor's cache, and nothing is read twice.
//
// Thread: any that may block.
// Invariant: what read() gave is valid until the next read(), in a room for good.
#ifndef FRESHET_AGENT_SEGMENT_READER_H_
#define FRESHET_AGENT_SEGMENT_READER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "native/core/status.h"
#include "native/core/types.h"
#include "native/io/file.h"

namespace freshet {

class SegmentReader {
 public:
  // kLogCorrupt: larger than any segment; kNotFound, kDiskFailed.
  Status open(FileSystem& files, const std::string& folder, uint64_t segment);
  uint64_t size() const { return size_; }

  // Before anything is read: the file's bytes go to `room`, which holds all of it, each at its
  // offset.
  void use_room(MutableBytes room);

  // All bytes from `offset` on that are in memory: at least `size_min` of them, or up to the file's
  // end. Offsets do not go back, and are multiples of kRecordAlignment.
  Status read(uint64_t offset, uint64_t size_min, Bytes& out);

  // Shows `size` bytes from `offset` on to `see`, a piece at a time; fewer where the file ends.
  // Then nothing before their end is read any more.
  Status pass(uint64_t offset, uint64_t size, const std::function<void(Bytes)>& see);

 private:
  Status load(uint64_t end);
  void move_on_to(uint64_t offset, uint64_t size_min);

  std::unique_ptr<File> file_;
  uint64_t size_ = 0;
  std::vector<std::byte> own_;
  MutableBytes memory_;  // holds the file's bytes from base_ on ...
  uint64_t base_ = 0;
  uint64_t loaded_ = 0;  // ... up to this offset
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SEGMENT_READER_H_
