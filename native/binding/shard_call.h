// What calls about one shard share: member first, shard second, token last; the answer is a row.
//
// Thread: that of the environment.
#ifndef FRESHET_BINDING_SHARD_CALL_H_
#define FRESHET_BINDING_SHARD_CALL_H_

#include <cmath>
#include <string>
#include <utility>

#include "native/binding/handle.h"

namespace freshet::binding {

struct ShardCall {
  Handle* handle = nullptr;
  uint64_t shard = 0;
  uint64_t token = 0;
};

// `last`: which argument the token is.
inline bool read_shard_call(napi_env env, const napi_value* values, size_t last,
                            const std::string& name, ShardCall& out) {
  out.handle = Handle::read(env, values[0], name.c_str());
  return out.handle != nullptr &&
         read_integer(env, values[1], name + ": shard", UINT32_MAX, out.shard) &&
         read_integer(env, values[last], name + ": token", kSafeIntegerMax, out.token);
}

// An epoch at `first`, a sequence behind it.
inline bool read_position(napi_env env, const napi_value* values, size_t first,
                          const std::string& name, LogPosition& out) {
  uint64_t epoch;
  double sequence;
  if (!read_integer(env, values[first], name + ": epoch", UINT32_MAX, epoch)) return false;
  if (napi_get_value_double(env, values[first + 1], &sequence) != napi_ok || !(sequence >= -1) ||
      sequence > static_cast<double>(kSafeIntegerMax) || std::trunc(sequence) != sequence)
    return throw_type_error(env, name + ": sequence", "a whole number from -1");
  out = {static_cast<Epoch>(epoch), static_cast<Sequence>(sequence)};
  return true;
}

// A call of the owner's about its shard, which is answered under the token.
template <typename... Wanted, typename... Given>
napi_value run_call(napi_env env, const ShardCall& call,
                    Status (Member::*method)(ShardId, Wanted...), Given&&... given) {
  return run(env, call.handle, [&](Member& member) {
    return (member.*method)(static_cast<ShardId>(call.shard), std::forward<Given>(given)...,
                            call.token);
  });
}

}  // namespace freshet::binding

#endif  // FRESHET_BINDING_SHARD_CALL_H_
