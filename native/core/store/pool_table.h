// The rules of the pools in a shard, as its control records made them.
//
// Threads: the writer; by_event_time() from readers too.
#ifndef FRESHET_CORE_STORE_POOL_TABLE_H_
#define FRESHET_CORE_STORE_POOL_TABLE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "native/core/limits.h"
#include "native/core/record.h"
#include "native/core/status.h"
#include "native/core/store/mapped_memory.h"
#include "native/core/store/store.h"

namespace freshet {

class PoolTable {
 public:
  PoolTable() : axes_(kPoolsMax) {}

  // Null: the shard does not know the pool, or it was closed.
  const PoolRules* find(PoolId pool) const {
    const PoolRules* rules = known(pool);
    return rules != nullptr && rules->closed == 0 ? rules : nullptr;
  }
  // Of a closed one too.
  const PoolRules* known(PoolId pool) const {
    if (pool == 0 || pool >= rules_.size()) return nullptr;
    return rules_[pool].pool == pool ? &rules_[pool] : nullptr;
  }
  // Would this control record of key "pool/<id>" be taken?
  static Status check(const RecordView& control, PoolRules& rules);
  // False: it was closed, and stays so, whatever comes late.
  bool set(const PoolRules& rules);
  void forget(PoolId pool) { rules_[pool] = {}; }

  bool by_event_time(PoolId pool) const {
    return pool < kPoolsMax && axes_[pool].load(std::memory_order_acquire) != 0;
  }

 private:
  std::vector<PoolRules> rules_;
  LazyArray<std::atomic<uint8_t>> axes_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_STORE_POOL_TABLE_H_
