// What waits to be sent to one peer, in its order: writes and frames.
//
// Thread: the agent's.
// Invariant: size() is exactly the number of bytes pushed and not yet dropped.
#ifndef FRESHET_IO_FABRIC_OUTBOX_H_
#define FRESHET_IO_FABRIC_OUTBOX_H_

#include <vector>

#include "native/io/fabric/message.h"

namespace freshet::fabric {

class Outbox {
 public:
  // Where a write goes: for the hardware by address and key, else by region.
  struct Target {
    RegionId region;
    uint64_t offset;  // within the region, or the address
    uint64_t key;
  };
  struct Front {
    FrameType type;
    Target target;  // of kWrite
    Bytes bytes;    // of a write, or a frame's body
  };

  void push_write(const Target& target, Bytes bytes, bool stable);
  void push_frame(FrameType type, Bytes body);

  bool empty() const { return begin_ == items_.size(); }
  size_t size() const { return size_; }
  size_t copied_size() const { return copied_.size() - copied_begin_; }
  // Of the oldest one, what is left of it.
  Front front() const;
  // The first bytes of the oldest one were sent (of a frame: all of it).
  void drop(size_t size);

 private:
  struct Item {
    FrameType type;
    Target target;
    Bytes stable;   // or
    size_t copied;  // bytes at the begin of copied_
  };
  void copy(Bytes bytes);

  std::vector<Item> items_;  // as a queue: what was dropped stays in front for a while
  size_t begin_ = 0;
  std::vector<std::byte> copied_;
  size_t copied_begin_ = 0;
  size_t size_ = 0;
};

}  // namespace freshet::fabric

#endif  // FRESHET_IO_FABRIC_OUTBOX_H_
