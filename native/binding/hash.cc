// xxh3, crc32c.
#include "native/binding/handle.h"
#include "native/core/checksum.h"
#include "native/core/xxh3.h"

namespace freshet::binding {
namespace {

napi_value xxh3(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Bytes bytes;
  if (!read_bytes(env, arguments[0], "xxh3: bytes", bytes)) return nullptr;
  napi_value result;
  napi_create_bigint_uint64(env, xxh3_64(bytes.data(), bytes.size()), &result);
  return result;
}

napi_value crc(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Bytes bytes;
  if (!read_bytes(env, arguments[0], "crc32c: bytes", bytes)) return nullptr;
  return make_number(env, crc32c(bytes.data(), bytes.size()));
}

}  // namespace

void init_hash(napi_env env, napi_value exports) {
  add_function(env, exports, "xxh3", xxh3);
  add_function(env, exports, "crc32c", crc);
}

}  // namespace freshet::binding
