// Cuts the bytes of one connection into frames and lays writes down where they belong.
//
// Small frames are applied whole, out of one buffer; of a large write the payload is received
// straight into its region. Nothing that arrives can make it read or write outside of what find()
// names: lengths are checked before they are used.
//
// Thread: the transport's.
// Invariants
//  1. A cell (at most 8 bytes in a frame of at most kWholeMax) appears whole or not at all.
//  2. Frames take effect in the order of their bytes.
//  3. Memory of a revoked region is not touched after revoke() returned.
#ifndef FRESHET_IO_TCP_FRAME_READER_H_
#define FRESHET_IO_TCP_FRAME_READER_H_

#include <sys/uio.h>

#include <memory>

#include "native/io/tcp/frame.h"

namespace freshet::tcp {

// Where frames go.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // A frame other than a write. False: the connection is not to be read any further.
  virtual bool on_frame(FrameType type, Bytes body) = 0;
  // The memory of a write, exactly `length` bytes; empty: drop it.
  virtual MutableBytes find(const RegionId& id, uint64_t offset, size_t length) = 0;
  // Are writes allowed yet?
  virtual bool is_proven() const = 0;
};

class FrameReader {
 public:
  explicit FrameReader(FrameSink& sink);

  // Where the next bytes are to be put: one or two pieces, in order. Returns their number.
  int targets(iovec (&out)[2]);
  // `size` bytes were put there. False: they are no frames, or the sink wants no more.
  bool received(size_t size);
  void revoke(const RegionId& id);

 private:
  enum class Step { kGoOn, kNeedMore, kBroken };
  Step take_frame();
  Step take_write(const Prefix& prefix);
  Step take_other(const Prefix& prefix);
  void make_room();

  FrameSink& sink_;
  std::unique_ptr<std::byte[]> buffer_;
  size_t begin_ = 0;  // of what was not looked at yet
  size_t end_ = 0;
  int large_ahead_ = 0;  // small frames to come before large ones are no longer expected
  // The rest of a large write: to memory, or nowhere (nullptr) if it was dropped.
  RegionId target_id_ = {};
  std::byte* target_ = nullptr;
  size_t target_left_ = 0;
};

}  // namespace freshet::tcp

#endif  // FRESHET_IO_TCP_FRAME_READER_H_
