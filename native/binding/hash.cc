// xxh3, keyPlace, crc32c.
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

napi_value key_place(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  char key[kKeySizeMax + 4];
  size_t size = 0;
  if (napi_get_value_string_utf8(env, arguments[0], key, sizeof key, &size) != napi_ok ||
      size > kKeySizeMax) {
    throw_type_error(env, "keyPlace: key", "a string of at most 1024 bytes");
    return nullptr;
  }
  uint64_t count;
  if (!read_integer(env, arguments[1], "keyPlace: count", UINT32_MAX, count)) return nullptr;
  if (count == 0) {
    throw_type_error(env, "keyPlace: count", "above 0");
    return nullptr;
  }
  const uint64_t hash = xxh3_64(reinterpret_cast<const std::byte*>(key), size);
  return make_number(env, static_cast<double>(hash % count));
}

napi_value crc(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Bytes bytes;
  uint64_t before;
  if (!read_bytes(env, arguments[0], "crc32c: bytes", bytes) ||
      !read_integer(env, arguments[1], "crc32c: before", UINT32_MAX, before))
    return nullptr;
  return make_number(env, crc32c(bytes.data(), bytes.size(), static_cast<uint32_t>(before)));
}

}  // namespace

void init_hash(napi_env env, napi_value exports) {
  add_function(env, exports, "xxh3", xxh3);
  add_function(env, exports, "keyPlace", key_place);
  add_function(env, exports, "crc32c", crc);
}

}  // namespace freshet::binding
