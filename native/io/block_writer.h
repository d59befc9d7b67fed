// Writes to a file in whole blocks past the system's cache (O_DIRECT): what is written lies in the
// writer's memory already, and a second copy would only take pages from others. A block that a
// write begins or ends within is put together here, of what the file has there and what is new.
//
// Thread: one at a time, which alone writes to the blocks that it writes to.
#ifndef FRESHET_IO_BLOCK_WRITER_H_
#define FRESHET_IO_BLOCK_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "native/core/types.h"

namespace freshet {

class BlockWriter {
 public:
  static constexpr size_t kBlock = 4096;

  // `direct`: the file of `descriptor`, opened with O_DIRECT; this closes it. From `size` on the
  // file holds zeros, or ends.
  BlockWriter(int descriptor, int direct, uint64_t size)
      : descriptor_(descriptor), direct_(direct), zeros_from_(size) {}
  ~BlockWriter();
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  // What it did with a write.
  struct Written {
    size_t bytes = 0;
    // The rest of the bytes, which may be all of them, is to be written through the cache, and so
    // many zeros behind it, so that the file ends with a block: memory does not lie in pages as the
    // file does in blocks, or the system took no more.
    size_t padding = 0;
    int error = 0;  // of the system; there is nothing to be tried again
  };
  Written write(uint64_t offset, Bytes bytes);

 private:
  using Block = std::array<std::byte, kBlock>;

  bool load(uint64_t at, Block& out);
  Written write_blocks(uint64_t offset, Bytes bytes);

  const int descriptor_;
  int direct_;           // -1: the system does not take such writes
  uint64_t zeros_from_;  // in whole blocks once anything was written
  uint64_t kept_at_ = UINT64_MAX;
  alignas(kBlock) Block first_{};
  alignas(kBlock) Block kept_{};  // as the last write left it at kept_at_
};

}  // namespace freshet

#endif  // FRESHET_IO_BLOCK_WRITER_H_
