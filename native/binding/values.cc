#include "native/binding/values.h"

#include <cmath>

namespace freshet::binding {
namespace {

// Below this a copy is cheaper than a finalizer.
constexpr size_t kExternalMin = size_t{64} << 10;

bool read_double(napi_env env, napi_value value, double& out) {
  return napi_get_value_double(env, value, &out) == napi_ok;
}

bool is_whole(double number) { return std::trunc(number) == number; }

}  // namespace

bool throw_type_error(napi_env env, const std::string& path, const char* what) {
  const std::string text = path + " must be " + what;
  napi_throw_type_error(env, nullptr, text.c_str());
  return false;
}

napi_value throw_status(napi_env env, Status status, const std::string& text) {
  const std::string message = std::string(status_name(status)) + ": " + text;
  napi_throw_error(env, status_name(status), message.c_str());
  return nullptr;
}

bool read_integer(napi_env env, napi_value value, const std::string& path, uint64_t max,
                  uint64_t& out) {
  double number;
  if (!read_double(env, value, number) || !is_whole(number) || number < 0 ||
      number > static_cast<double>(max)) {
    const std::string what = "a whole number from 0 to " + std::to_string(max);
    return throw_type_error(env, path, what.c_str());
  }
  out = static_cast<uint64_t>(number);
  return true;
}

bool read_bound(napi_env env, napi_value value, const std::string& path, uint64_t infinity,
                uint64_t& out) {
  double number;
  if (read_double(env, value, number) && number == HUGE_VAL) {
    out = infinity;
    return true;
  }
  if (!read_double(env, value, number) || !is_whole(number) || number < 0 ||
      number > static_cast<double>(kSafeIntegerMax))
    return throw_type_error(env, path, "a whole number from 0, or Infinity");
  out = static_cast<uint64_t>(number);
  return true;
}

bool read_time(napi_env env, napi_value value, const std::string& path, Micros& out) {
  double number;
  if (!read_double(env, value, number) || std::isnan(number) || !is_whole(number))
    return throw_type_error(env, path, "a whole number of microseconds, or infinite");
  const auto bound = static_cast<double>(kSafeIntegerMax);
  out = number > bound ? INT64_MAX : number < -bound ? INT64_MIN : static_cast<Micros>(number);
  return true;
}

bool read_boolean(napi_env env, napi_value value, const std::string& path, bool& out) {
  if (napi_get_value_bool(env, value, &out) == napi_ok) return true;
  return throw_type_error(env, path, "a boolean");
}

bool read_string(napi_env env, napi_value value, const std::string& path, std::string& out) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok)
    return throw_type_error(env, path, "a string");
  out.resize(size);
  napi_get_value_string_utf8(env, value, out.data(), size + 1, &size);
  return true;
}

bool read_bytes(napi_env env, napi_value value, const std::string& path, Bytes& out) {
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array)
    return throw_type_error(env, path, "a Uint8Array");
  napi_typedarray_type type;
  size_t length;
  void* data;
  napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
  if (type != napi_uint8_array) return throw_type_error(env, path, "a Uint8Array");
  out = {static_cast<const std::byte*>(data), length};
  return true;
}

bool is_null(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_null;
}

bool read_bytes_or_null(napi_env env, napi_value value, const std::string& path, Bytes& out) {
  out = {};
  if (is_null(env, value)) return true;
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array)
    return throw_type_error(env, path, "a Uint8Array or null");
  return read_bytes(env, value, path, out);
}

bool read_float64s(napi_env env, napi_value value, const std::string& path, size_t length_min,
                   std::span<double>& out) {
  bool is_array = false;
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_is_typedarray(env, value, &is_array) == napi_ok && is_array)
    napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
  if (type != napi_float64_array || length < length_min) {
    const std::string what = "a Float64Array of at least " + std::to_string(length_min);
    return throw_type_error(env, path, what.c_str());
  }
  out = {static_cast<double*>(data), length};
  return true;
}

bool read_integers(napi_env env, napi_value value, const std::string& path, uint64_t max,
                   std::vector<uint32_t>& out) {
  bool is_array = false;
  if (napi_is_array(env, value, &is_array) != napi_ok || !is_array)
    return throw_type_error(env, path, "an array");
  uint32_t length = 0;
  napi_get_array_length(env, value, &length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value item;
    uint64_t number;
    napi_get_element(env, value, i, &item);
    if (!read_integer(env, item, path + "[" + std::to_string(i) + "]", max, number)) return false;
    out.push_back(static_cast<uint32_t>(number));
  }
  return true;
}

bool Options::check() const {
  napi_valuetype type;
  if (napi_typeof(env_, object_, &type) == napi_ok && type == napi_object) return true;
  return throw_type_error(env_, path_, "an object");
}

napi_value Options::get(const char* name) const {
  napi_value value;
  if (napi_get_named_property(env_, object_, name, &value) != napi_ok)
    napi_get_undefined(env_, &value);
  return value;
}

bool Options::integer(const char* name, uint64_t max, uint64_t& out) const {
  return read_integer(env_, get(name), path(name), max, out);
}
bool Options::bound(const char* name, uint64_t infinity, uint64_t& out) const {
  return read_bound(env_, get(name), path(name), infinity, out);
}
bool Options::time(const char* name, Micros& out) const {
  return read_time(env_, get(name), path(name), out);
}
bool Options::boolean(const char* name, bool& out) const {
  return read_boolean(env_, get(name), path(name), out);
}
bool Options::string(const char* name, std::string& out) const {
  return read_string(env_, get(name), path(name), out);
}
bool Options::string_or_null(const char* name, std::string& out) const {
  const napi_value value = get(name);
  if (is_null(env_, value)) return true;
  size_t size;
  if (napi_get_value_string_utf8(env_, value, nullptr, 0, &size) != napi_ok)
    return throw_type_error(env_, path(name), "a string or null");
  return read_string(env_, value, path(name), out);
}
bool Options::bytes(const char* name, Bytes& out) const {
  return read_bytes(env_, get(name), path(name), out);
}
bool Options::bytes_or_null(const char* name, Bytes& out) const {
  return read_bytes_or_null(env_, get(name), path(name), out);
}
bool Options::integers(const char* name, uint64_t max, std::vector<uint32_t>& out) const {
  return read_integers(env_, get(name), path(name), max, out);
}

napi_value make_number(napi_env env, double number) {
  napi_value result;
  napi_create_double(env, number, &result);
  return result;
}

napi_value make_boolean(napi_env env, bool value) {
  napi_value result;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value make_null(napi_env env) {
  napi_value result;
  napi_get_null(env, &result);
  return result;
}

napi_value make_status(napi_env env, Status status) {
  napi_value result;
  napi_create_int32(env, -static_cast<int32_t>(status), &result);
  return result;
}

napi_value make_buffer(napi_env env, Bytes bytes) {
  napi_value result = nullptr;
  napi_create_buffer_copy(env, bytes.size(), bytes.data(), nullptr, &result);
  return result;
}

napi_value make_buffer(napi_env env, std::vector<std::byte>&& bytes) {
  if (bytes.size() < kExternalMin) return make_buffer(env, Bytes(bytes));
  auto* owned = new std::vector<std::byte>(std::move(bytes));
  const auto free = [](napi_env, void*, void* hint) {
    delete static_cast<std::vector<std::byte>*>(hint);
  };
  napi_value result = nullptr;
  if (napi_create_external_buffer(env, owned->size(), owned->data(), free, owned, &result) ==
      napi_ok)
    return result;
  // A runtime that allows no external memory.
  result = make_buffer(env, Bytes(*owned));
  delete owned;
  return result;
}

}  // namespace freshet::binding
