#include "native/core/store/key_order.h"

#include <bit>

namespace freshet {

uint8_t KeyOrder::height_of(uint64_t hash) {
  // The low bits choose the hash table's cell; two high bits make one level.
  const int levels = std::countl_zero(hash | 1) / 2 + 1;
  return static_cast<uint8_t>(levels < kHeightMax ? levels : kHeightMax);
}

void KeyOrder::insert(KeyEntry* entry) {
  const std::string_view key = entry->key();
  std::atomic<KeyEntry*>* places[kHeightMax];  // the link that will lead to the entry, per level
  std::atomic<KeyEntry*>* links = head_;
  for (int level = kHeightMax - 1; level >= 0; level--) {
    KeyEntry* follower = links[level].load(std::memory_order_relaxed);
    while (follower != nullptr && follower->key() < key) {
      links = follower->next;
      follower = links[level].load(std::memory_order_relaxed);
    }
    places[level] = &links[level];
    if (level < entry->height) entry->next[level].store(follower, std::memory_order_relaxed);
  }
  // All links of the entry are set before any leads to it.
  for (int level = 0; level < entry->height; level++)
    places[level]->store(entry, std::memory_order_release);
}

const KeyEntry* KeyOrder::seek(std::string_view key, bool after) const {
  const KeyEntry* before = nullptr;
  const KeyEntry* follower = nullptr;
  for (int level = kHeightMax - 1; level >= 0; level--) {
    follower = links_of(before)[level].load(std::memory_order_acquire);
    while (follower != nullptr && (follower->key() < key || (after && follower->key() == key))) {
      before = follower;
      follower = before->next[level].load(std::memory_order_acquire);
    }
  }
  return follower;
}

}  // namespace freshet
