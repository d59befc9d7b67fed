// Key to entry: a hash table that grows a little with every new key.
//
// Open addressing, insert only. While it grows, a view of two tables is published: keys not found
// in the new one are looked up in the old one, which stays as it is.
//
// Threads: the writer; find() from readers too.
// Invariants
//  1. Every key inserted before a view was published is in one of the view's tables.
//  2. A table is at most half full: most look-ups end where they begin.
#ifndef FRESHET_CORE_STORE_KEY_INDEX_H_
#define FRESHET_CORE_STORE_KEY_INDEX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "native/core/store/key_entry.h"
#include "native/core/store/reclaimer.h"

namespace freshet {

class KeyIndex {
 public:
  explicit KeyIndex(Reclaimer& reclaimer);
  ~KeyIndex();
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  KeyEntry* find(std::string_view key, uint64_t hash) const;
  // One of many keys that are looked for together, which is faster than one after the other.
  struct Sought {
    std::string_view key;
    uint64_t hash;
    KeyEntry* entry;  // null: not there
  };
  void find_all(std::span<Sought> keys) const;  // sets their entries; writer only
  void insert(KeyEntry* entry);                 // its key is not there yet

  // For keys that are looked for soon, writer only: to bring near where a look-up begins, then what
  // lies there, then what that is: of the key or of another, null if of none.
  void fetch_cell(uint64_t hash) const;
  void fetch_entry(uint64_t hash) const;
  const KeyEntry* likely(uint64_t hash) const;

 private:
  struct Table;
  struct View {
    Table* current;
    Table* previous;  // null: not growing
  };

  static KeyEntry* find_in(const View& view, std::string_view key, uint64_t hash);
  static KeyEntry* find_in(const Table& table, std::string_view key, uint64_t hash);
  static void put(Table& table, KeyEntry* entry);
  void grow();
  void migrate();
  void publish(View view);

  static constexpr size_t kSizeMin = 1024;
  static constexpr size_t kMigrateStep = 16;
  static constexpr size_t kNearMax = 4096;  // keys that a processor's cache holds

  Reclaimer& reclaimer_;
  std::atomic<View*> view_;
  size_t count_ = 0;
  size_t migrated_ = 0;  // slots of `previous` already copied
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_KEY_INDEX_H_
