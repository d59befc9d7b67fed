// beginView, proposeView, accuseMember, watchLag, viewFilled, caughtUp, leaveView, renew, view,
// incarnation.
#include <charconv>
#include <cstdio>

#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

// 64 bits do not fit a number of JavaScript: they cross as 16 hexadecimal digits.
napi_value make_hex(napi_env env, uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  napi_value result;
  napi_create_string_utf8(env, text, 16, &result);
  return result;
}

bool read_hex(napi_env env, napi_value value, const char* path, uint64_t& out) {
  std::string text;
  if (!read_string(env, value, path, text)) return false;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out, 16);
  if (text.size() != 16 || at != end || error != std::errc())
    return throw_type_error(env, path, "16 hexadecimal digits");
  return true;
}

napi_value begin_view(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "beginView");
  Bytes encoded;
  uint64_t ring_size, token;
  if (handle == nullptr || !read_bytes(env, arguments[1], "beginView: view", encoded) ||
      !read_integer(env, arguments[2], "beginView: ringSize", kSafeIntegerMax, ring_size) ||
      !read_integer(env, arguments[3], "beginView: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle,
             [&](Member& member) { return member.begin_view(encoded, ring_size, token); });
}

napi_value propose_view(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "proposeView");
  Bytes encoded;
  uint64_t token;
  if (handle == nullptr || !read_bytes(env, arguments[1], "proposeView: view", encoded) ||
      !read_integer(env, arguments[2], "proposeView: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle, [&](Member& member) { return member.propose_view(encoded, token); });
}

napi_value accuse_member(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "accuseMember");
  uint64_t node, token;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "accuseMember: nodeId", UINT32_MAX, node) ||
      !read_integer(env, arguments[2], "accuseMember: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle, [&](Member& member) {
    return member.accuse_member(static_cast<NodeId>(node), token);
  });
}

napi_value watch_lag(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "watchLag");
  uint64_t shard, patience_ms;
  if (handle == nullptr || !read_integer(env, arguments[1], "watchLag: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "watchLag: afterMs", UINT32_MAX, patience_ms))
    return nullptr;
  return run(env, handle, [&](Member& member) {
    return member.watch_lag(static_cast<ShardId>(shard),
                            static_cast<Nanos>(patience_ms) * 1'000'000);
  });
}

napi_value view_filled(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "viewFilled");
  uint64_t vote = 0;
  uint64_t ring_size;
  if (handle == nullptr || !read_hex(env, arguments[1], "viewFilled: vote", vote) ||
      !read_integer(env, arguments[2], "viewFilled: ringSize", kSafeIntegerMax, ring_size))
    return nullptr;
  return run(env, handle, [&](Member& member) { return member.view_filled(vote, ring_size); });
}

napi_value caught_up(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "caughtUp");
  uint64_t shard, epoch, token;
  if (handle == nullptr || !read_integer(env, arguments[1], "caughtUp: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "caughtUp: epoch", UINT32_MAX, epoch) ||
      !read_integer(env, arguments[3], "caughtUp: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle, [&](Member& member) {
    return member.caught_up(static_cast<ShardId>(shard), static_cast<Epoch>(epoch), token);
  });
}

napi_value leave_view(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "leaveView");
  if (handle == nullptr) return nullptr;
  return run(env, handle, [](Member& member) { return member.leave_view(); });
}

napi_value renew(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "renew");
  uint64_t token;
  if (handle == nullptr || !read_integer(env, arguments[1], "renew: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle, [&](Member& member) { return member.renew(token); });
}

napi_value view(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "view");
  if (handle == nullptr) return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_null(env);
  const std::shared_ptr<const ViewSnapshot> snapshot = member->view();
  const auto bytes = [env](const std::vector<std::byte>& from) {
    return from.empty() ? make_null(env) : make_buffer(env, Bytes(from));
  };
  napi_value result;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "installed", bytes(snapshot->installed));
  napi_set_named_property(env, result, "proposal", bytes(snapshot->proposal));
  napi_set_named_property(env, result, "vote", make_hex(env, snapshot->vote));
  napi_set_named_property(env, result, "attempt",
                          make_number(env, static_cast<double>(snapshot->attempt)));
  napi_set_named_property(env, result, "suspects", make_number(env, snapshot->suspects));
  napi_set_named_property(env, result, "leads", make_boolean(env, snapshot->leads));
  napi_set_named_property(env, result, "stuck", make_boolean(env, snapshot->stuck));
  napi_value behind;
  napi_create_array(env, &behind);
  for (uint32_t i = 0; i < snapshot->behind.size(); i++)
    napi_set_element(env, behind, i, make_number(env, snapshot->behind[i]));
  napi_set_named_property(env, result, "behind", behind);
  return result;
}

napi_value incarnation(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "incarnation");
  if (handle == nullptr) return nullptr;
  Member* member = handle->owned();
  return make_hex(env, member == nullptr ? 0 : member->incarnation());
}

}  // namespace

void init_view(napi_env env, napi_value exports) {
  add_function(env, exports, "beginView", begin_view);
  add_function(env, exports, "proposeView", propose_view);
  add_function(env, exports, "accuseMember", accuse_member);
  add_function(env, exports, "watchLag", watch_lag);
  add_function(env, exports, "viewFilled", view_filled);
  add_function(env, exports, "caughtUp", caught_up);
  add_function(env, exports, "leaveView", leave_view);
  add_function(env, exports, "renew", renew);
  add_function(env, exports, "view", view);
  add_function(env, exports, "incarnation", incarnation);
}

}  // namespace freshet::binding
