#include "native/core/store/pool_table.h"

#include <charconv>
#include <cstring>

namespace freshet {

Status PoolTable::check(const RecordView& control, PoolRules& rules) {
  constexpr std::string_view kPrefix = "pool/";
  const std::string_view key = control.key();
  const Bytes value = control.value();
  if (!key.starts_with(kPrefix) || value.size() != sizeof rules) return Status::kInvalidArgument;
  PoolId id = 0;
  const char* end = key.data() + key.size();
  const auto [stop, error] = std::from_chars(key.data() + kPrefix.size(), end, id);
  if (error != std::errc{} || stop != end) return Status::kInvalidArgument;
  std::memcpy(&rules, value.data(), sizeof rules);
  if (id == 0 || id >= kPoolsMax || rules.pool != id) return Status::kInvalidArgument;
  return Status::kOk;
}

bool PoolTable::set(const PoolRules& rules) {
  if (rules.pool >= rules_.size()) rules_.resize(rules.pool + 1);
  PoolRules& held = rules_[rules.pool];
  if (held.closed != 0 && rules.closed == 0) return false;
  held = rules;
  axes_[rules.pool].store(rules.event_axis, std::memory_order_release);
  return true;
}

}  // namespace freshet
