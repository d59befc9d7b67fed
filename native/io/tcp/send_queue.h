// What waits to be sent to one peer: copied bytes in blocks of its own, and references to memory
// that stays as it is. Gathered into few large sends.
//
// Thread: the transport's.
// Invariant: size() is exactly the number of bytes pushed and not yet sent.
#ifndef FRESHET_IO_TCP_SEND_QUEUE_H_
#define FRESHET_IO_TCP_SEND_QUEUE_H_

#include <sys/uio.h>

#include <memory>
#include <vector>

#include "native/io/tcp/frame.h"

namespace freshet::tcp {

class SendQueue {
 public:
  void push_write(const RegionId& id, uint64_t offset, Bytes payload, bool stable);
  void push_frame(FrameType type, Bytes body);
  // Bytes as they are.
  void push(Bytes bytes) { copy(bytes); }

  size_t size() const { return size_; }
  size_t copied_size() const { return copied_size_; }
  // Fills at most kPiecesMax pieces from the front; returns their number.
  int gather(iovec (&pieces)[kPiecesMax]) const;
  void sent(size_t size);
  void clear();

 private:
  // `copied` bytes out of the blocks, then the referenced ones.
  struct Item {
    size_t copied = 0;
    Bytes referenced;
  };
  struct Block {
    std::unique_ptr<std::byte[]> memory;
    size_t begin = 0;
    size_t end = 0;
  };

  void copy(Bytes bytes);
  void drop_copied(size_t size);

  std::vector<Item> items_;
  size_t items_begin_ = 0;
  std::vector<Block> blocks_;
  size_t blocks_begin_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> free_;
  size_t size_ = 0;
  size_t copied_size_ = 0;
};

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_SEND_QUEUE_H_
