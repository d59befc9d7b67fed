#include "native/agent/shard_view.h"

namespace freshet {

std::shared_ptr<Store> ShardView::store() const {
  const std::lock_guard lock(mutex_);
  return store_;
}

std::optional<Version> ShardView::stable_version() const {
  const EpochView* started = epoch();
  if (started == nullptr) return std::nullopt;
  const Frontiers& frontiers = started->frontiers;
  return persistent_ ? frontiers.persisted_version.load(std::memory_order_acquire)
                     : frontiers.delivered_version.load(std::memory_order_acquire);
}

void ShardView::set_store(std::shared_ptr<Store> store) {
  const std::lock_guard lock(mutex_);
  store_ = std::move(store);
  generation_.fetch_add(1, std::memory_order_release);
}

void ShardView::begin_epoch(Epoch epoch, const Frontiers& frontiers) {
  epochs_.push_back(std::make_unique<EpochView>());
  EpochView& next = *epochs_.back();
  next.epoch = epoch;
  mirror(frontiers);
  epoch_.store(&next, std::memory_order_release);
}

void ShardView::mirror(const Frontiers& from) {
  Frontiers& to = epochs_.back()->frontiers;
  const auto copy = [](const auto& source, auto& target) {
    target.store(source.load(std::memory_order_relaxed), std::memory_order_release);
  };
  copy(from.wedged, to.wedged);
  copy(from.changes, to.changes);
  copy(from.received, to.received);
  copy(from.delivered_version, to.delivered_version);
  copy(from.delivered, to.delivered);
  copy(from.persisted_version, to.persisted_version);
  copy(from.persisted, to.persisted);
  copy(from.ended, to.ended);
  copy(from.stopped, to.stopped);
}

ShardView* ShardDirectory::find(ShardId id) const {
  for (size_t at = slot_of(id);; at = (at + 1) % kSlots) {
    ShardView* view = slots_[at].load(std::memory_order_acquire);
    if (view == nullptr || view->id() == id) return view;
  }
}

ShardView* ShardDirectory::add(ShardId id, bool persistent) {
  if (views_.size() == kShardsMax) return nullptr;
  size_t at = slot_of(id);
  while (slots_[at].load(std::memory_order_relaxed) != nullptr) at = (at + 1) % kSlots;
  views_.push_back(std::make_unique<ShardView>(id, persistent));
  slots_[at].store(views_.back().get(), std::memory_order_release);
  return views_.back().get();
}

ShardReaders::Access ShardReaders::access(const ShardView& view) {
  Entry& entry = entries_[view.id()];
  const uint64_t generation = view.store_generation();
  if (entry.generation != generation) [[unlikely]] {
    entry.reader.reset();
    entry.store = view.store();
    entry.generation = generation;
    if (entry.store != nullptr) {
      entry.reader = std::make_unique<Store::Reader>(*entry.store);
      if (!entry.reader->valid()) {
        entry.reader.reset();
        entry.generation = 0;  // asked again next time
      }
    }
  }
  return {entry.store.get(), entry.reader.get()};
}

}  // namespace freshet
