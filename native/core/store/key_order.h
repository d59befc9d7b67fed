// The keys in byte order: a skip list that only grows (Pugh, "Skip lists", CACM 33(6), 1990). An
// entry's height comes from its hash, so that all members build the same list.
//
// Threads: the writer inserts; readers seek and walk.
// Invariant: a published entry's links lead to entries with greater keys only.
#ifndef FRESHET_CORE_STORE_KEY_ORDER_H_
#define FRESHET_CORE_STORE_KEY_ORDER_H_

#include <atomic>
#include <string_view>

#include "native/core/store/key_entry.h"

namespace freshet {

class KeyOrder {
 public:
  static constexpr uint8_t kHeightMax = 14;  // 4^14 keys

  static uint8_t height_of(uint64_t hash);

  void insert(KeyEntry* entry);
  // The first entry whose key is >= `key` (> `key` if `after`); null: none.
  const KeyEntry* seek(std::string_view key, bool after) const;
  static const KeyEntry* next(const KeyEntry* entry) {
    return entry->next[0].load(std::memory_order_acquire);
  }

 private:
  const std::atomic<KeyEntry*>* links_of(const KeyEntry* entry) const {
    return entry == nullptr ? head_ : entry->next;
  }

  std::atomic<KeyEntry*> head_[kHeightMax] = {};
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_KEY_ORDER_H_
