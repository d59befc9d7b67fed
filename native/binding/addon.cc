// The addon's entry. The files follow the sections of platform/bridge/native.ts, in its order.
#include "native/binding/handle.h"

NAPI_MODULE_INIT() {
  freshet::binding::add_functions(env, exports);
  return exports;
}
