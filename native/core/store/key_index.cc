#include "native/core/store/key_index.h"

#include <cstring>

#include "native/core/check.h"
#include "native/core/store/mapped_memory.h"

namespace freshet {
namespace {

// A table's cell: the hash's top 16 bits beside a pointer of 48, so that most probes that miss
// touch no entry.
constexpr uint64_t kPointerMask = (uint64_t{1} << 48) - 1;

uint64_t make_cell(const KeyEntry* entry) {
  const auto pointer = reinterpret_cast<uint64_t>(entry);
  FRESHET_CHECK((pointer & ~kPointerMask) == 0);
  return pointer | (entry->hash & ~kPointerMask);
}

KeyEntry* entry_of(uint64_t cell) { return reinterpret_cast<KeyEntry*>(cell & kPointerMask); }

uint64_t word_at(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Most keys are of a few words, whose halves may overlap: no call is worth it.
bool are_alike(std::string_view a, std::string_view b) {
  const size_t size = a.size();
  if (size != b.size()) return false;
  if (size < 8 || size > 32) return a == b;
  const size_t tail = size - 8;
  if (word_at(a.data()) != word_at(b.data())) return false;
  if (word_at(a.data() + tail) != word_at(b.data() + tail)) return false;
  if (size <= 16) return true;
  const size_t middle = size - 16;
  return word_at(a.data() + 8) == word_at(b.data() + 8) &&
         word_at(a.data() + middle) == word_at(b.data() + middle);
}

}  // namespace

struct KeyIndex::Table {
  size_t mask;
  LazyArray<std::atomic<uint64_t>> cells;
  explicit Table(size_t size) : mask(size - 1), cells(size) {}
};

KeyIndex::KeyIndex(Reclaimer& reclaimer)
    : reclaimer_(reclaimer), view_(new View{new Table(kSizeMin), nullptr}) {}

KeyIndex::~KeyIndex() {
  View* view = view_.load(std::memory_order_relaxed);
  delete view->current;
  delete view->previous;
  delete view;
}

inline KeyEntry* KeyIndex::find_in(const Table& table, std::string_view key, uint64_t hash) {
  for (size_t i = hash & table.mask;; i = (i + 1) & table.mask) {
    const uint64_t cell = table.cells[i].load(std::memory_order_acquire);
    if (cell == 0) return nullptr;
    if (((cell ^ hash) & ~kPointerMask) != 0) continue;
    KeyEntry* entry = entry_of(cell);
    if (entry->hash == hash && are_alike(entry->key(), key)) return entry;
  }
}

inline KeyEntry* KeyIndex::find_in(const View& view, std::string_view key, uint64_t hash) {
  KeyEntry* entry = find_in(*view.current, key, hash);
  if (entry == nullptr && view.previous != nullptr) entry = find_in(*view.previous, key, hash);
  return entry;
}

KeyEntry* KeyIndex::find(std::string_view key, uint64_t hash) const {
  return find_in(*view_.load(std::memory_order_acquire), key, hash);
}

void KeyIndex::find_all(std::span<Sought> keys) const {
  if (count_ > kNearMax) {
    for (const Sought& key : keys) fetch_cell(key.hash);
    for (const Sought& key : keys) fetch_entry(key.hash);
  }
  const View* view = view_.load(std::memory_order_acquire);
  for (Sought& key : keys) key.entry = find_in(*view, key.key, key.hash);
}

void KeyIndex::fetch_cell(uint64_t hash) const {
  const Table& table = *view_.load(std::memory_order_relaxed)->current;
  __builtin_prefetch(&table.cells[hash & table.mask]);
}

void KeyIndex::fetch_entry(uint64_t hash) const {
  const KeyEntry* entry = likely(hash);
  if (entry == nullptr) return;
  __builtin_prefetch(entry);
  __builtin_prefetch(entry->next);
}

const KeyEntry* KeyIndex::likely(uint64_t hash) const {
  const Table& table = *view_.load(std::memory_order_relaxed)->current;
  const uint64_t cell = table.cells[hash & table.mask].load(std::memory_order_relaxed);
  return ((cell ^ hash) & ~kPointerMask) == 0 ? entry_of(cell) : nullptr;
}

void KeyIndex::put(Table& table, KeyEntry* entry) {
  size_t i = entry->hash & table.mask;
  while (table.cells[i].load(std::memory_order_relaxed) != 0) i = (i + 1) & table.mask;
  table.cells[i].store(make_cell(entry), std::memory_order_release);
}

void KeyIndex::insert(KeyEntry* entry) {
  const View* view = view_.load(std::memory_order_relaxed);
  if (view->previous != nullptr) {
    migrate();
  } else if ((count_ + 1) * 2 > view->current->mask + 1) {
    grow();
  }
  put(*view_.load(std::memory_order_relaxed)->current, entry);
  count_++;
}

void KeyIndex::publish(View next) {
  View* old = view_.exchange(new View(next), std::memory_order_acq_rel);
  reclaimer_.retire([](void*, void* object) { delete static_cast<View*>(object); }, nullptr, old);
}

void KeyIndex::grow() {
  Table* old = view_.load(std::memory_order_relaxed)->current;
  migrated_ = 0;
  publish({new Table((old->mask + 1) * 2), old});
}

// The new table is twice as large, so the old one is copied long before it fills up.
void KeyIndex::migrate() {
  const View* view = view_.load(std::memory_order_relaxed);
  Table* current = view->current;
  Table* previous = view->previous;
  const size_t size = previous->mask + 1;
  for (size_t n = 0; n < kMigrateStep && migrated_ < size; n++) {
    const uint64_t cell = previous->cells[migrated_++].load(std::memory_order_relaxed);
    if (cell != 0) put(*current, entry_of(cell));
  }
  if (migrated_ < size) return;
  publish({current, nullptr});
  reclaimer_.retire([](void*, void* object) { delete static_cast<Table*>(object); }, nullptr,
                    previous);
}

}  // namespace freshet
