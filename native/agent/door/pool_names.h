// The pools that there are, by id, as the member's catalog has them: a key lies in the pool whose
// name is a path above it.
//
// Thread: the agent's.
#ifndef FRESHET_AGENT_DOOR_POOL_NAMES_H_
#define FRESHET_AGENT_DOOR_POOL_NAMES_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/core/check.h"
#include "native/core/limits.h"
#include "native/core/types.h"

namespace freshet::door {

class PoolNames {
 public:
  // An empty name: there is no such pool any more.
  void set(PoolId pool, std::string name) {
    FRESHET_CHECK_VALUES(pool < kPoolsMax, pool, kPoolsMax);
    if (pool >= names_.size()) names_.resize(pool + 1);
    names_[pool] = std::move(name);
  }
  bool holds(PoolId pool, std::string_view key) const {
    if (pool >= names_.size() || names_[pool].empty()) return false;
    const std::string& name = names_[pool];
    return key.size() > name.size() && key[name.size()] == '/' && key.starts_with(name);
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace freshet::door

#endif  // FRESHET_AGENT_DOOR_POOL_NAMES_H_
