#include "native/core/store/reclaimer.h"

#include "native/core/check.h"

namespace freshet {
namespace {

// Orders a reader's entry before its loads, and the writer's unlinking before its look at the
// entries (the two sides of Dekker's algorithm).
void full_fence(std::atomic<uint64_t>& anchor) {
#if defined(__SANITIZE_THREAD__)
  anchor.fetch_add(0, std::memory_order_seq_cst);  // the sanitizer does not model fences
#else
  (void)anchor;
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace

Reclaimer::~Reclaimer() { FRESHET_CHECK(retired_.empty()); }

void Reclaimer::collect_all() {
  FRESHET_CHECK(!has_readers_inside());
  for (const Retired& item : retired_) item.free(item.owner, item.object);
  retired_.clear();
}

int Reclaimer::open_reader() {
  for (size_t i = 0; i < readers_.size(); i++) {
    bool open = false;
    if (readers_[i].open.compare_exchange_strong(open, true, std::memory_order_acq_rel))
      return static_cast<int>(i);
  }
  return -1;
}

void Reclaimer::close_reader(int slot) {
  FRESHET_CHECK(readers_[static_cast<size_t>(slot)].period.load(std::memory_order_relaxed) == 0);
  readers_[static_cast<size_t>(slot)].open.store(false, std::memory_order_release);
}

void Reclaimer::enter(int slot) {
  ReaderSlot& reader = readers_[static_cast<size_t>(slot)];
  reader.period.store(period_.load(std::memory_order_acquire), std::memory_order_release);
  full_fence(reader.period);
}

void Reclaimer::leave(int slot) {
  readers_[static_cast<size_t>(slot)].period.store(0, std::memory_order_release);
}

void Reclaimer::retire(Free free, void* owner, void* object) {
  const uint64_t period = period_.load(std::memory_order_relaxed);
  retired_.push_back({period, free, owner, object});
  period_.store(period + 1, std::memory_order_release);
}

void Reclaimer::collect() {
  if (retired_.empty()) return;
  full_fence(period_);
  uint64_t oldest = UINT64_MAX;
  for (const ReaderSlot& reader : readers_) {
    const uint64_t period = reader.period.load(std::memory_order_acquire);
    if (period != 0 && period < oldest) oldest = period;
  }
  size_t freed = 0;
  while (freed < retired_.size() && retired_[freed].period < oldest) {
    const Retired item = retired_[freed++];
    item.free(item.owner, item.object);
  }
  retired_.erase(retired_.begin(), retired_.begin() + static_cast<ptrdiff_t>(freed));
}

bool Reclaimer::has_readers_inside() const {
  for (const ReaderSlot& reader : readers_) {
    if (reader.period.load(std::memory_order_acquire) != 0) return true;
  }
  return false;
}

}  // namespace freshet
