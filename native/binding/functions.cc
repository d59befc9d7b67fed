#include "native/binding/handle.h"

namespace freshet::binding {

void add_function(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value) == napi_ok)
    napi_set_named_property(env, exports, name, value);
}

void add_functions(napi_env env, napi_value exports) {
  init_constants(env, exports);
  init_member(env, exports);
  init_peers(env, exports);
  init_view(env, exports);
  init_clock(env, exports);
  init_shard(env, exports);
  init_log(env, exports);
  init_put(env, exports);
  init_read(env, exports);
  init_shared(env, exports);
  init_query(env, exports);
  init_subscription(env, exports);
  init_hash(env, exports);
  init_fabric(env, exports);
  init_socket(env, exports);
}

}  // namespace freshet::binding
