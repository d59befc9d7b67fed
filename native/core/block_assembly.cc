#include "native/core/block_assembly.h"

#include <cstring>

#include "native/core/check.h"
#include "native/core/work_meter.h"

namespace freshet {

RingFault BlockAssembly::deliver(Store& store, Rank sender, const std::byte* block, Epoch epoch,
                                 Sequence sequence, bool& done, Applied& applied) {
  RecordHeader header;
  std::memcpy(&header, block, sizeof header);
  const size_t piece = header.length - sizeof header;
  if (header.flags & kFirstBlock) {
    if (length_ != 0 || header.version < sizeof header || header.version > kRecordSizeMax)
      return RingFault::kBlock;
    length_ = header.version;
    filled_ = 0;
    room_ = store.reserve_large(sender, length_);
    FRESHET_CHECK_VALUES(room_.empty() || room_.size() >= length_, room_.size(), length_);
  }
  const bool last = (header.flags & kLastBlock) != 0;
  if (length_ == 0 || filled_ + piece > length_) return RingFault::kBlock;
  if (last != (filled_ + piece == length_)) return RingFault::kBlock;
  if (!room_.empty()) copy_metered(room_.data() + filled_, block + sizeof header, piece);
  filled_ += piece;
  done = last;
  if (!last) return RingFault::kNone;

  if (!room_.empty()) {
    auto& whole = *reinterpret_cast<RecordHeader*>(room_.data());
    whole.payload_crc = header.payload_crc;
    if (whole.length != length_ || !is_change(whole.kind) || !parts_fit(whole))
      return RingFault::kBlock;
  }
  length_ = 0;
  applied = store.apply_large(sender, epoch, sequence);
  return RingFault::kNone;
}

void BlockAssembly::abandon(Store& store, Rank sender) {
  if (length_ != 0) store.abandon_large(sender);
  length_ = 0;
}

}  // namespace freshet
