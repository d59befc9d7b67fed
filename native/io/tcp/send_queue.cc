#include "native/io/tcp/send_queue.h"

#include <algorithm>
#include <cstring>

#include "native/core/check.h"
#include "native/core/work_meter.h"

namespace freshet::tcp {
namespace {

// Vectors are used as queues: what was taken stays at their front until it is worth moving.
constexpr size_t kTakenMax = 1024;

template <typename T>
void compact(std::vector<T>& queue, size_t& begin) {
  if (begin == queue.size()) {
    queue.clear();
    begin = 0;
  } else if (begin >= kTakenMax) {
    queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(begin));
    begin = 0;
  }
}

}  // namespace

void SendQueue::push_write(const RegionId& id, uint64_t offset, Bytes payload, bool stable) {
  FRESHET_CHECK_VALUES(payload.size() <= kPayloadMax, payload.size(), kPayloadMax);
  std::byte head[kPrefixSize + kWriteHeadSize];
  const Prefix prefix{static_cast<uint32_t>(kWriteHeadSize + payload.size()), FrameType::kWrite, 0};
  std::memcpy(head, &prefix, sizeof prefix);
  std::memcpy(head + kPrefixSize, &id, sizeof id);
  std::memcpy(head + kPrefixSize + sizeof id, &offset, sizeof offset);
  copy(head);
  if (stable && payload.size() >= kReferenceMin) {
    items_.back().referenced = payload;
    size_ += payload.size();
  } else {
    copy(payload);
  }
}

void SendQueue::push_frame(FrameType type, Bytes body) {
  FRESHET_CHECK_VALUES(body.size() <= kHandshakeBodyMax, body.size(), kHandshakeBodyMax);
  const Prefix prefix{static_cast<uint32_t>(body.size()), type, 0};
  copy(std::as_bytes(std::span(&prefix, 1)));
  copy(body);
}

void SendQueue::copy(Bytes bytes) {
  if (bytes.empty()) return;
  if (items_begin_ == items_.size() || !items_.back().referenced.empty()) items_.emplace_back();
  items_.back().copied += bytes.size();
  size_ += bytes.size();
  copied_size_ += bytes.size();
  while (!bytes.empty()) {
    if (blocks_begin_ == blocks_.size() || blocks_.back().end == kBlockSize) {
      if (free_.empty()) free_.push_back(std::make_unique_for_overwrite<std::byte[]>(kBlockSize));
      blocks_.push_back({std::move(free_.back()), 0, 0});
      free_.pop_back();
    }
    Block& block = blocks_.back();
    const size_t taken = std::min(bytes.size(), kBlockSize - block.end);
    copy_metered(block.memory.get() + block.end, bytes.data(), taken);
    block.end += taken;
    bytes = bytes.subspan(taken);
  }
}

int SendQueue::gather(iovec (&pieces)[kPiecesMax]) const {
  size_t count = 0;
  size_t block = blocks_begin_;
  size_t used = 0;  // of that block, beyond its begin
  for (size_t i = items_begin_; i < items_.size() && count < kPiecesMax; i++) {
    size_t copied = items_[i].copied;
    while (copied > 0 && count < kPiecesMax) {
      const Block& from = blocks_[block];
      const size_t taken = std::min(copied, from.end - from.begin - used);
      pieces[count++] = {from.memory.get() + from.begin + used, taken};
      copied -= taken;
      used += taken;
      if (from.begin + used == from.end) {
        block++;
        used = 0;
      }
    }
    if (copied > 0 || count == kPiecesMax) break;
    const Bytes referenced = items_[i].referenced;
    if (!referenced.empty())
      pieces[count++] = {const_cast<std::byte*>(referenced.data()), referenced.size()};
  }
  return static_cast<int>(count);
}

void SendQueue::sent(size_t size) {
  FRESHET_CHECK_VALUES(size <= size_, size, size_);
  size_ -= size;
  while (size > 0) {
    Item& item = items_[items_begin_];
    const size_t copied = std::min(size, item.copied);
    drop_copied(copied);
    item.copied -= copied;
    size -= copied;
    const size_t referenced = std::min(size, item.referenced.size());
    item.referenced = item.referenced.subspan(referenced);
    size -= referenced;
    if (item.copied == 0 && item.referenced.empty()) items_begin_++;
  }
  compact(items_, items_begin_);
  compact(blocks_, blocks_begin_);
}

void SendQueue::drop_copied(size_t size) {
  copied_size_ -= size;
  while (size > 0) {
    Block& block = blocks_[blocks_begin_];
    const size_t taken = std::min(size, block.end - block.begin);
    block.begin += taken;
    size -= taken;
    if (block.begin < block.end) return;
    if (free_.size() < kFreeBlocksMax) free_.push_back(std::move(block.memory));
    block.memory.reset();
    blocks_begin_++;
  }
}

void SendQueue::clear() {
  items_.clear();
  blocks_.clear();
  items_begin_ = blocks_begin_ = 0;
  size_ = copied_size_ = 0;
}

}  // namespace freshet::tcp
