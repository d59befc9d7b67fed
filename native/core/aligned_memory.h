// A block of zeroed, aligned memory that is touched only where it is used.
//
// Thread: none; the owner's.
#ifndef FRESHET_CORE_ALIGNED_MEMORY_H_
#define FRESHET_CORE_ALIGNED_MEMORY_H_

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "native/core/check.h"
#include "native/core/limits.h"
#include "native/core/store/mapped_memory.h"
#include "native/core/types.h"

namespace freshet {

// Large blocks come from the system, which zeroes a page at its first touch, so that a large ring
// that is never filled costs no memory. calloc would give some of them out of what was freed before
// and write zeroes to all of it; it aligns to 16 only, hence the slack.
class AlignedMemory {
 public:
  AlignedMemory() = default;
  explicit AlignedMemory(size_t size) : size_(size) {
    if (size >= kMappedMin) {
      start_ = map_memory(size, PageUse::kPlain);
      return;
    }
    block_ = std::calloc(1, size + kRecordAlignment);
    FRESHET_CHECK_VALUES(block_ != nullptr, size, 0);
    const auto address = reinterpret_cast<uintptr_t>(block_);
    start_ = reinterpret_cast<std::byte*>((address + kRecordAlignment - 1) &
                                          ~uintptr_t{kRecordAlignment - 1});
  }
  ~AlignedMemory() {
    if (block_ == nullptr && start_ != nullptr) {
      unmap_memory(start_, size_);
    } else {
      std::free(block_);
    }
  }
  AlignedMemory(AlignedMemory&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        start_(std::exchange(other.start_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  AlignedMemory& operator=(AlignedMemory&& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(start_, other.start_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::byte* data() const { return start_; }
  size_t size() const { return size_; }
  MutableBytes bytes() const { return {start_, size_}; }

 private:
  static constexpr size_t kMappedMin = size_t{256} << 10;

  void* block_ = nullptr;  // of calloc; null: mapped
  std::byte* start_ = nullptr;
  size_t size_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_ALIGNED_MEMORY_H_
