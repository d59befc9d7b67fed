// The simulated world over the product's build.
#include "test/native/simulation/world_functions.h"

NAPI_MODULE_INIT() {
  freshet::binding::add_world_functions(env, exports);
  return exports;
}
