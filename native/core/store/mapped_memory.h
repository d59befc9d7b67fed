// Zeroed anonymous memory from the system, and arrays in it that cost only the pages they touch.
//
// Thread: any; no state but what the caller holds.
#ifndef FRESHET_CORE_STORE_MAPPED_MEMORY_H_
#define FRESHET_CORE_STORE_MAPPED_MEMORY_H_

#include <cstddef>
#include <type_traits>
#include <utility>

namespace freshet {

enum class PageUse { kPlain, kHuge };

// `size` zero bytes, aligned to a page, without swap reservation. Dies when the system refuses.
std::byte* map_memory(size_t size, PageUse use);
void unmap_memory(std::byte* memory, size_t size);

// A block of it with one owner.
class MappedBlock {
 public:
  MappedBlock() = default;
  MappedBlock(size_t size, PageUse use) : memory_(map_memory(size, use)), size_(size) {}
  MappedBlock(std::byte* memory, size_t size) : memory_(memory), size_(size) {}  // of map_memory()
  ~MappedBlock() {
    if (memory_ != nullptr) unmap_memory(memory_, size_);
  }
  MappedBlock(MappedBlock&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedBlock& operator=(MappedBlock&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::byte* data() const { return memory_; }
  size_t size() const { return size_; }
  std::byte* release() { return std::exchange(memory_, nullptr); }  // the caller's to unmap

 private:
  std::byte* memory_ = nullptr;
  size_t size_ = 0;
};

// An array whose untouched parts take no memory. Elements start as zero bytes, which must be a
// valid state of T; no constructor or destructor runs.
template <typename T>
class LazyArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit LazyArray(size_t count)
      : count_(count),
        data_(reinterpret_cast<T*>(map_memory(count * sizeof(T), PageUse::kPlain))) {}
  ~LazyArray() { unmap_memory(reinterpret_cast<std::byte*>(data_), count_ * sizeof(T)); }
  LazyArray(const LazyArray&) = delete;
  LazyArray& operator=(const LazyArray&) = delete;

  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }
  size_t count() const { return count_; }

 private:
  size_t count_;
  T* data_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_MAPPED_MEMORY_H_
