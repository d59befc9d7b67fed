// What the addons of the simulated world have in common.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_FUNCTIONS_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_FUNCTIONS_H_

#include <node_api.h>

namespace freshet::binding {

// Those of the product's binding, and those that step a world.
void add_world_functions(napi_env env, napi_value exports);

}  // namespace freshet::binding

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_FUNCTIONS_H_
