#include "native/agent/door/door_connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "native/core/work_meter.h"

namespace freshet::door {
namespace {

constexpr Nanos kNever = INT64_MAX;
constexpr size_t kHandshakeFrameMax = sizeof(HelloFrame);

}  // namespace

DoorConnection::DoorConnection(tcp::FileDescriptor fd, Nanos deadline, size_t& large_bytes)
    : stream_(std::move(fd), nullptr),
      deadline_(deadline),
      large_bytes_(large_bytes),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(kReadBufferSize)) {}

DoorConnection::~DoorConnection() { close(); }

bool DoorConnection::wants_receive() const {
  if (!stream_.may_receive()) return false;
  return large_.memory != nullptr ? large_.filled < large_.size : end_ < kReadBufferSize;
}

size_t DoorConnection::receive() {
  iovec target = {buffer_.get() + end_, kReadBufferSize - end_};
  if (is_large())
    target = {large_.memory.get() + large_.filled,
              std::min(large_.size - large_.filled, kBytesPerPass)};
  const size_t size = stream_.receive(std::span(&target, 1));
  if (stream_.is_over()) close();
  if (size == 0 || state_ == State::kRefusing) return size;
  if (!is_large()) {
    end_ += size;
  } else {
    large_.filled += size;
    if (large_.filled == large_.size) deadline_ = kNever;
  }
  return size;
}

size_t DoorConnection::send() {
  const size_t size = stream_.send();
  if (stream_.is_over()) close();
  return size;
}

// Bytes of the frame at the front of the buffer, once its head is there.
std::optional<size_t> DoorConnection::front_size() const {
  if (end_ - begin_ < sizeof(FrameHead)) return std::nullopt;
  uint32_t size;
  std::memcpy(&size, buffer_.get() + begin_, sizeof size);
  return size_t{size} + sizeof size;
}

std::optional<Bytes> DoorConnection::front(Nanos now) {
  if (is_dead() || state_ == State::kRefusing) return std::nullopt;
  if (is_large()) {
    if (large_.filled < large_.size) return std::nullopt;
    return Bytes{large_.memory.get(), large_.size};
  }
  const std::optional<size_t> whole = front_size();
  if (!whole) {
    make_room(sizeof(FrameHead));
    return std::nullopt;
  }
  const size_t size_max = is_open() ? kFrameSizeMax : kHandshakeFrameMax;
  if (*whole < sizeof(FrameHead) || *whole > size_max) {
    close();
    return std::nullopt;
  }
  if (*whole <= end_ - begin_) return Bytes{buffer_.get() + begin_, *whole};
  if (*whole > kLargeFrame) {
    begin_large(*whole, now);  // without memory it is tried again in a later pass
  } else {
    make_room(*whole);
  }
  return std::nullopt;
}

void DoorConnection::begin_large(size_t whole, Nanos now) {
  if (large_bytes_ > 0 && large_bytes_ + whole > kLargeBytesMax) return;
  large_bytes_ += whole;
  large_ = {std::make_unique_for_overwrite<std::byte[]>(whole), whole, end_ - begin_};
  copy_metered(large_.memory.get(), buffer_.get() + begin_, end_ - begin_);
  begin_ = end_ = 0;
  deadline_ = now + kLargeFrameTimeout;
}

void DoorConnection::make_room(size_t whole) {
  if (begin_ + whole <= kReadBufferSize && end_ < kReadBufferSize) return;
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

void DoorConnection::pop() {
  if (is_large()) {
    large_bytes_ -= large_.size;
    large_ = {};
    return;
  }
  begin_ += *front_size();
  if (begin_ == end_) begin_ = end_ = 0;
}

std::unique_ptr<std::byte[]> DoorConnection::take_large() {
  large_.size = large_.filled = 0;
  return std::move(large_.memory);
}

void DoorConnection::open(uint16_t rights) {
  state_ = State::kOpen;
  rights_ = rights;
  deadline_ = kNever;
}

void DoorConnection::refuse(Status reason, Nanos deadline) {
  if (is_dead() || state_ == State::kRefusing) return;
  state_ = State::kRefusing;
  deadline_ = deadline;
  begin_ = end_ = 0;
  push_frame(make_head(FrameType::kRefused, sizeof(FrameHead), static_cast<uint8_t>(reason)));
  stream_.end_sending();
}

void DoorConnection::close() {
  if (large_.memory != nullptr) large_bytes_ -= large_.size;
  large_ = {};
  state_ = State::kDead;
  stream_.close();
}

}  // namespace freshet::door
