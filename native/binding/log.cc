// surveyLog, repairLog, scrubLog, readSound, checkpoints, reopenLog.
#include <optional>

#include "native/binding/shard_call.h"

namespace freshet::binding {
namespace {

// A segment and an offset, at `first` and the place after it.
bool read_place(napi_env env, const napi_value* values, size_t first, const std::string& name,
                LogPlace& out) {
  return read_integer(env, values[first], name + ": segment", kSafeIntegerMax, out.segment) &&
         read_integer(env, values[first + 1], name + ": offset", kSafeIntegerMax, out.offset);
}

napi_value survey_log(napi_env env, napi_callback_info info) {
  const Arguments<6> arguments(env, info);
  ShardCall call;
  LogPlace claimed;
  std::optional<uint64_t> segment;
  uint64_t number = 0;
  if (!read_shard_call(env, arguments.values, 5, "surveyLog", call)) return nullptr;
  if (!is_null(env, arguments[2])) {
    if (!read_integer(env, arguments[2], "surveyLog: segment", kSafeIntegerMax, number))
      return nullptr;
    segment = number;
  }
  if (!read_place(env, arguments.values, 3, "surveyLog: claimed", claimed)) return nullptr;
  return run_call(env, call, &Member::survey_log, segment, claimed);
}

napi_value repair_log(napi_env env, napi_callback_info info) {
  const Arguments<8> arguments(env, info);
  ShardCall call;
  LogPlace hole, claimed;
  Bytes records;
  if (!read_shard_call(env, arguments.values, 7, "repairLog", call) ||
      !read_place(env, arguments.values, 2, "repairLog: hole", hole) ||
      !read_place(env, arguments.values, 4, "repairLog: claimed", claimed) ||
      !read_bytes(env, arguments[6], "repairLog: records", records))
    return nullptr;
  return run_call(env, call, &Member::repair_log, hole, claimed, records);
}

napi_value scrub_log(napi_env env, napi_callback_info info) {
  const Arguments<6> arguments(env, info);
  ShardCall call;
  LogPlace from;
  uint64_t size_max;
  if (!read_shard_call(env, arguments.values, 5, "scrubLog", call) ||
      !read_place(env, arguments.values, 2, "scrubLog: from", from) ||
      !read_integer(env, arguments[4], "scrubLog: maxBytes", kSafeIntegerMax, size_max))
    return nullptr;
  return run_call(env, call, &Member::scrub_log, from, size_max);
}

napi_value read_sound(napi_env env, napi_callback_info info) {
  const Arguments<7> arguments(env, info);
  ShardCall call;
  LogPosition after;
  uint64_t from, size_max;
  if (!read_shard_call(env, arguments.values, 6, "readSound", call) ||
      !read_position(env, arguments.values, 2, "readSound", after) ||
      !read_integer(env, arguments[4], "readSound: from", kSafeIntegerMax, from) ||
      !read_integer(env, arguments[5], "readSound: maxBytes", kSafeIntegerMax, size_max))
    return nullptr;
  return run_call(env, call, &Member::read_sound, after, from, size_max);
}

napi_value checkpoints(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  ShardCall call;
  if (!read_shard_call(env, arguments.values, 2, "checkpoints", call)) return nullptr;
  return run_call(env, call, &Member::checkpoints);
}

napi_value reopen_log(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  ShardCall call;
  if (!read_shard_call(env, arguments.values, 2, "reopenLog", call)) return nullptr;
  return run_call(env, call, &Member::reopen_log);
}

}  // namespace

void init_log(napi_env env, napi_value exports) {
  add_function(env, exports, "surveyLog", survey_log);
  add_function(env, exports, "repairLog", repair_log);
  add_function(env, exports, "scrubLog", scrub_log);
  add_function(env, exports, "readSound", read_sound);
  add_function(env, exports, "checkpoints", checkpoints);
  add_function(env, exports, "reopenLog", reopen_log);
}

}  // namespace freshet::binding
