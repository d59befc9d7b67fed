// clocks, shiftClock.
#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

constexpr size_t kClockWidth = 3;  // clockColumns in platform/bridge/native-columns.ts

napi_value clocks(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "clocks");
  std::span<double> out;
  if (handle == nullptr || !read_float64s(env, arguments[1], "clocks: out", kClockWidth, out))
    return nullptr;
  const Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  const Member::Clocks now = member->clocks();
  out[0] = static_cast<double>(now.wall);
  out[1] = static_cast<double>(now.machine);
  out[2] = static_cast<double>(now.newest);
  return make_status(env, Status::kOk);
}

napi_value shift_clock(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "shiftClock");
  Micros by;
  bool anew;
  if (handle == nullptr || !read_time(env, arguments[1], "shiftClock: byUs", by) ||
      !read_boolean(env, arguments[2], "shiftClock: anew", anew))
    return nullptr;
  constexpr auto kMax = static_cast<Micros>(kSafeIntegerMax);
  if (by > kMax || by < -kMax) return make_status(env, Status::kInvalidArgument);
  return run(env, handle, [&](Member& member) { return member.shift_clock(by, anew); });
}

}  // namespace

void init_clock(napi_env env, napi_value exports) {
  add_function(env, exports, "clocks", clocks);
  add_function(env, exports, "shiftClock", shift_clock);
}

}  // namespace freshet::binding
