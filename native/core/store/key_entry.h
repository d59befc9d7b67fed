// What the store knows of one key. Made with the key's first version, never freed while the store
// lives.
//
// Threads: fields without "writer only" may be read by readers once the entry is published.
#ifndef FRESHET_CORE_STORE_KEY_ENTRY_H_
#define FRESHET_CORE_STORE_KEY_ENTRY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "native/core/store/mapped_memory.h"
#include "native/core/types.h"

namespace freshet {

struct KeyEntry {
  std::atomic<Version> newest;
  uint64_t hash;
  Version first;  // the key's first version ever, and its time
  Micros first_time;
  Version oldest;             // writer only: oldest version not pruned by history
  uint32_t retained;          // writer only: versions from `oldest` to `newest`
  uint32_t match_generation;  // writer only: of the subscriptions that `match` was made with
  uint32_t match;             // writer only: the longest subscribed prefix
  std::atomic<PoolId> pool;
  uint16_t key_length;
  uint8_t height;
  std::atomic<KeyEntry*> next[1];  // really `height` links; then the key's bytes

  std::string_view key() const {
    return {reinterpret_cast<const char*>(next + height), key_length};
  }
};

// Memory for entries, given in pieces, taken back at once.
class KeyArena {
 public:
  KeyArena() = default;
  ~KeyArena() {
    for (const Chunk& chunk : chunks_) unmap_memory(chunk.memory, kChunkSize);
  }
  KeyArena(const KeyArena&) = delete;
  KeyArena& operator=(const KeyArena&) = delete;

  std::byte* take(size_t size) {
    const size_t needed = (size + 7) & ~size_t{7};
    if (chunks_.empty() || chunks_.back().used + needed > kChunkSize)
      chunks_.push_back({map_memory(kChunkSize, PageUse::kPlain), 0});
    std::byte* at = chunks_.back().memory + chunks_.back().used;
    chunks_.back().used += needed;
    return at;
  }
  uint64_t bytes() const { return chunks_.size() * kChunkSize; }

 private:
  static constexpr size_t kChunkSize = size_t{1} << 20;
  struct Chunk {
    std::byte* memory;
    size_t used;
  };
  std::vector<Chunk> chunks_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_KEY_ENTRY_H_
