// Key to entry: a hash table that grows a little with every new key.
//
// Open addressing, insert only. While it grows, a view of two tables is published: keys not found
// in the new one are looked up in the old one, which stays as it is.
//
// Threads: the writer; find() from readers too.
// Invariants
//  1. Every key inserted before a view was published is in one of the view's tables.
//  2. A table is at most 3/4 full.
#ifndef FRESHET_CORE_STORE_KEY_INDEX_H_
#define FRESHET_CORE_STORE_KEY_INDEX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
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
  // For the writer, before a find(): brings near where it looks first, and says what is there, of
  // this key or another (null: nothing).
  void prefetch(uint64_t hash) const;
  const KeyEntry* peek(uint64_t hash) const;
  void insert(KeyEntry* entry);  // its key is not there yet

 private:
  struct Table;
  struct View {
    Table* current;
    Table* previous;  // null: not growing
  };

  static KeyEntry* find_in(const Table& table, std::string_view key, uint64_t hash);
  static void put(Table& table, KeyEntry* entry);
  void grow();
  void migrate();
  void publish(View view);

  static constexpr size_t kSizeMin = 1024;
  static constexpr size_t kMigrateStep = 16;

  Reclaimer& reclaimer_;
  std::atomic<View*> view_;
  size_t count_ = 0;
  size_t migrated_ = 0;  // slots of `previous` already copied
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_KEY_INDEX_H_
