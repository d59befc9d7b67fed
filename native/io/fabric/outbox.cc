#include "native/io/fabric/outbox.h"

#include "native/core/check.h"

namespace freshet::fabric {
namespace {

constexpr size_t kDroppedItemsMax = 1024;
constexpr size_t kDroppedBytesMax = size_t{64} << 10;

// Moves what is left to the front once that is worth it.
template <typename T>
void compact(std::vector<T>& queue, size_t& begin, size_t dropped_max) {
  if (begin == queue.size()) {
    queue.clear();
    begin = 0;
  } else if (begin >= dropped_max && begin >= queue.size() / 2) {
    queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(begin));
    begin = 0;
  }
}

}  // namespace

void Outbox::copy(Bytes bytes) { copied_.insert(copied_.end(), bytes.begin(), bytes.end()); }

void Outbox::push_write(const Target& target, Bytes bytes, bool stable) {
  items_.push_back(
      {FrameType::kWrite, target, stable ? bytes : Bytes{}, stable ? 0 : bytes.size()});
  if (!stable) copy(bytes);
  size_ += bytes.size();
}

void Outbox::push_frame(FrameType type, Bytes body) {
  items_.push_back({type, {}, {}, body.size()});
  copy(body);
  size_ += body.size();
}

Outbox::Front Outbox::front() const {
  const Item& item = items_[begin_];
  const Bytes bytes =
      item.copied == 0 ? item.stable : Bytes(copied_).subspan(copied_begin_, item.copied);
  return {item.type, item.target, bytes};
}

void Outbox::drop(size_t size) {
  Item& item = items_[begin_];
  const size_t left = item.copied + item.stable.size();
  FRESHET_CHECK_VALUES(size <= left, size, left);
  size_ -= size;
  item.target.offset += size;
  if (item.copied > 0) {
    copied_begin_ += size;
    item.copied -= size;
    compact(copied_, copied_begin_, kDroppedBytesMax);
  } else {
    item.stable = item.stable.subspan(size);
  }
  if (size < left) return;
  begin_++;
  compact(items_, begin_, kDroppedItemsMax);
}

}  // namespace freshet::fabric
