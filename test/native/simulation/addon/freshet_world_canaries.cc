// The simulated world over a core in which a rule of the membership can be broken.
#include "native/binding/handle.h"
#include "native/core/canary.h"
#include "test/native/simulation/world_functions.h"

namespace freshet::binding {
namespace {

napi_value break_rule(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  constexpr auto kLast = static_cast<uint64_t>(CoreCanary::kOpenPools);
  uint64_t rule;
  if (read_integer(env, arguments[0], "breakRule: rule", kLast, rule))
    broken_rule = static_cast<CoreCanary>(rule);
  return nullptr;
}

}  // namespace
}  // namespace freshet::binding

NAPI_MODULE_INIT() {
  using namespace freshet::binding;
  add_world_functions(env, exports);
  add_function(env, exports, "breakRule", break_rule);
  return exports;
}
