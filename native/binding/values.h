// Reading JavaScript values and making them, with errors that name what was wrong and where.
//
// Every reader returns false after having thrown a TypeError; the caller then returns at once.
//
// Thread: that of the environment.
#ifndef FRESHET_BINDING_VALUES_H_
#define FRESHET_BINDING_VALUES_H_

#include <node_api.h>

#include <string>
#include <vector>

#include "native/core/status.h"
#include "native/core/types.h"

namespace freshet::binding {

inline constexpr uint64_t kSafeIntegerMax = (uint64_t{1} << 53) - 1;

// Throws `TypeError: <path> must be <what>`; returns false.
bool throw_type_error(napi_env env, const std::string& path, const char* what);
// Throws `Error: <STATUS>: <text>`; returns null.
napi_value throw_status(napi_env env, Status status, const std::string& text);

bool read_integer(napi_env env, napi_value value, const std::string& path, uint64_t max,
                  uint64_t& out);
// As read_integer, with Infinity as `infinity`.
bool read_bound(napi_env env, napi_value value, const std::string& path, uint64_t infinity,
                uint64_t& out);
// A time in µs: a whole number, or -Infinity / Infinity as the ends of Micros.
bool read_time(napi_env env, napi_value value, const std::string& path, Micros& out);
bool read_boolean(napi_env env, napi_value value, const std::string& path, bool& out);
bool read_string(napi_env env, napi_value value, const std::string& path, std::string& out);
bool read_bytes(napi_env env, napi_value value, const std::string& path, Bytes& out);
bool read_bytes_or_null(napi_env env, napi_value value, const std::string& path, Bytes& out);
// The memory of a Float64Array of at least `length_min`.
bool read_float64s(napi_env env, napi_value value, const std::string& path, size_t length_min,
                   std::span<double>& out);
bool read_integers(napi_env env, napi_value value, const std::string& path, uint64_t max,
                   std::vector<uint32_t>& out);
bool is_null(napi_env env, napi_value value);

// A property of an options object; `path` becomes options' path and its name.
class Options {
 public:
  Options(napi_env env, napi_value object, std::string path)
      : env_(env), object_(object), path_(std::move(path)) {}

  bool check() const;  // is it an object?
  napi_value get(const char* name) const;
  std::string path(const char* name) const { return path_ + "." + name; }

  bool integer(const char* name, uint64_t max, uint64_t& out) const;
  bool bound(const char* name, uint64_t infinity, uint64_t& out) const;
  bool time(const char* name, Micros& out) const;
  bool boolean(const char* name, bool& out) const;
  bool string(const char* name, std::string& out) const;
  bool string_or_null(const char* name, std::string& out) const;
  bool bytes(const char* name, Bytes& out) const;
  bool bytes_or_null(const char* name, Bytes& out) const;
  bool integers(const char* name, uint64_t max, std::vector<uint32_t>& out) const;
  napi_env env() const { return env_; }

 private:
  napi_env env_;
  napi_value object_;
  std::string path_;
};

napi_value make_number(napi_env env, double number);
napi_value make_boolean(napi_env env, bool value);
napi_value make_null(napi_env env);
// 0, or the negated code.
napi_value make_status(napi_env env, Status status);
napi_value make_buffer(napi_env env, Bytes bytes);
// Takes the bytes over; large ones are not copied.
napi_value make_buffer(napi_env env, std::vector<std::byte>&& bytes);

// The arguments of a call; those that were not given are undefined.
template <size_t Count>
struct Arguments {
  napi_value values[Count];

  Arguments(napi_env env, napi_callback_info info) {
    size_t count = Count;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  napi_value operator[](size_t index) const { return values[index]; }
};

}  // namespace freshet::binding

#endif  // FRESHET_BINDING_VALUES_H_
