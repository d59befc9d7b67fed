// Chains of versions per key, and which of them are kept.
#include <algorithm>

#include "native/core/check.h"
#include "native/core/store/store_impl.h"

namespace freshet {

// The version of the key that follows `version`.
Version Store::Impl::next_of_key(const KeyEntry& entry, Version version) const {
  if (const Version next = slots.next_of(version); next != 0) return next;
  Version at = entry.newest.load(std::memory_order_relaxed);
  for (;;) {
    const VersionSlot* later = slots.find(at);
    if (later->previous() == version) return at;
    at = later->jump() > version ? later->jump() : later->previous();
  }
}

void Store::Impl::keep_history(KeyEntry& entry, uint32_t history) {
  while (entry.retained > history) {
    const Version pruned = entry.oldest;
    entry.oldest = next_of_key(entry, pruned);
    entry.retained--;
    logical_bytes_ -= slots.read(*slots.find(pruned)).size();
    hide(pruned);
  }
}

// Bytes that leave the history of a key with the next put of it.
uint64_t Store::Impl::pruned_by_put(const KeyEntry* entry, const PoolRules& rules) const {
  if (entry == nullptr || rules.history == 0 || entry->retained < rules.history) return 0;
  Version at = entry->oldest;
  uint64_t bytes = slots.read(*slots.find(at)).size();
  for (uint32_t left = entry->retained - rules.history; left > 0; left--) {
    at = next_of_key(*entry, at);
    bytes += slots.read(*slots.find(at)).size();
  }
  return bytes;
}

// No longer part of its key's history; consumers that are behind may still ask for it by version.
void Store::Impl::hide(Version version) {
  if (!has_consumer_ || version <= released_) {
    drop(version);
    return;
  }
  VersionSlot* slot = slots.find(version);
  slot->location.store(slots.read(*slot).as_hidden().bits(), std::memory_order_release);
  hold_transient(version);
}

void Store::Impl::hold_transient(Version version) {
  const size_t size = slots.read(*slots.find(version)).size();
  const size_t bytes_max = config.memory_max / 4;
  while (transients_.full() || (!transients_.empty() && transient_bytes_ + size > bytes_max)) {
    const Version oldest = transients_.pop();
    transient_bytes_ -= slots.read(*slots.find(oldest)).size();
    drop(oldest);
  }
  transients_.push(version);
  transient_bytes_ += size;
}

void Store::Impl::drop(Version version) {
  VersionSlot* slot = slots.find(version);
  const Location location = slots.read(*slot);
  FRESHET_CHECK(location.has_record());
  slot->location.store(location.as_pruned().bits(), std::memory_order_release);
  Segment& segment = segments_.at(location.segment());
  segment.live -= location.size();
  if (segment.alone) segments_.release(segment);
  count_live(-static_cast<int64_t>(location.size()));
  retained_.store(retained_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  // A persistent store's slots stay: history there is bounded by the disk.
  if (is_volatile()) slots.release(version);
}

void Store::Impl::release_up_to(Version version) {
  has_consumer_ = true;
  released_ = std::max(released_, version);
}

void Store::Impl::release_some(size_t count) {
  for (; count > 0 && has_releasable(); count--) {
    const Version version = transients_.pop();
    transient_bytes_ -= slots.read(*slots.find(version)).size();
    drop(version);
  }
}

}  // namespace freshet
