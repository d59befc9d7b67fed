#include "native/io/tcp/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "native/core/check.h"
#include "native/core/work_meter.h"

namespace freshet::tcp {

FrameReader::FrameReader(FrameSink& sink)
    : sink_(sink), buffer_(std::make_unique_for_overwrite<std::byte[]>(kReadBufferSize)) {}

int FrameReader::targets(iovec (&out)[2]) {
  make_room();
  int count = 0;
  if (target_left_ > 0 && target_ != nullptr) out[count++] = {target_, target_left_};
  // What is in the buffer may be a frame that has to come whole.
  const size_t room = kReadBufferSize - end_;
  const bool only_head = large_ahead_ > 0 && begin_ == end_;
  out[count++] = {buffer_.get() + end_, only_head ? std::min(room, kHeadRead) : room};
  return count;
}

void FrameReader::make_room() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0) {
    // What is left is less than one small frame.
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  FRESHET_CHECK_VALUES(end_ < kReadBufferSize, end_, kReadBufferSize);
}

bool FrameReader::received(size_t size) {
  if (target_left_ > 0 && target_ != nullptr) {
    const size_t direct = std::min(size, target_left_);
    target_ += direct;
    target_left_ -= direct;
    size -= direct;
  }
  end_ += size;
  FRESHET_CHECK_VALUES(end_ <= kReadBufferSize, end_, kReadBufferSize);
  for (;;) {
    switch (take_frame()) {
      case Step::kGoOn:
        break;
      case Step::kNeedMore:
        return true;
      case Step::kBroken:
        return false;
    }
  }
}

FrameReader::Step FrameReader::take_frame() {
  if (target_left_ > 0) {
    const size_t taken = std::min(end_ - begin_, target_left_);
    // With memory at hand the rest comes straight there; only what is dropped comes this way.
    FRESHET_CHECK(target_ == nullptr || taken == 0);
    begin_ += taken;
    target_left_ -= taken;
    if (target_left_ > 0) return Step::kNeedMore;
  }
  if (end_ - begin_ < kPrefixSize) return Step::kNeedMore;
  Prefix prefix;
  std::memcpy(&prefix, buffer_.get() + begin_, sizeof prefix);
  if (prefix.flags != 0) return Step::kBroken;
  return prefix.type == FrameType::kWrite ? take_write(prefix) : take_other(prefix);
}

FrameReader::Step FrameReader::take_other(const Prefix& prefix) {
  if (prefix.length > kHandshakeBodyMax) return Step::kBroken;
  if (end_ - begin_ < kPrefixSize + prefix.length) return Step::kNeedMore;
  const Bytes body{buffer_.get() + begin_ + kPrefixSize, prefix.length};
  begin_ += kPrefixSize + prefix.length;
  return sink_.on_frame(prefix.type, body) ? Step::kGoOn : Step::kBroken;
}

FrameReader::Step FrameReader::take_write(const Prefix& prefix) {
  if (!sink_.is_proven()) return Step::kBroken;
  if (prefix.length < kWriteHeadSize || prefix.length > kWriteHeadSize + kPayloadMax)
    return Step::kBroken;
  const size_t size = prefix.length - kWriteHeadSize;
  const size_t there = end_ - begin_;
  constexpr size_t kHead = kPrefixSize + kWriteHeadSize;
  if (there < kHead || (size <= kWholeMax && there < kHead + size)) return Step::kNeedMore;

  if (size > kWholeMax) {
    large_ahead_ = kSmallInARow;
  } else if (large_ahead_ > 0) {
    large_ahead_--;
  }
  const std::byte* at = buffer_.get() + begin_ + kPrefixSize;
  RegionId id;
  uint64_t offset;
  std::memcpy(&id, at, sizeof id);
  std::memcpy(&offset, at + sizeof id, sizeof offset);
  const MutableBytes memory = size > 0 ? sink_.find(id, offset, size) : MutableBytes{};
  FRESHET_CHECK(memory.empty() || memory.size() == size);
  const size_t taken = std::min(size, there - kHead);
  if (!memory.empty()) copy_metered(memory.data(), at + kWriteHeadSize, taken);
  begin_ += kHead + taken;
  target_id_ = id;
  target_ = memory.empty() ? nullptr : memory.data() + taken;
  target_left_ = size - taken;
  return Step::kGoOn;
}

void FrameReader::revoke(const RegionId& id) {
  if (target_left_ > 0 && target_id_ == id) target_ = nullptr;
}

}  // namespace freshet::tcp
