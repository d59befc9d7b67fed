// subscribe, unsubscribe.
#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

napi_value subscribe(napi_env env, napi_callback_info info) {
  const Arguments<9> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "subscribe");
  uint64_t shard, id, from, frontier, rank, size, token;
  std::string prefix;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "subscribe: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "subscribe: subscription", kSafeIntegerMax, id) ||
      !read_string(env, arguments[3], "subscribe: prefix", prefix) ||
      !read_integer(env, arguments[4], "subscribe: from", kSafeIntegerMax, from) ||
      !read_integer(env, arguments[5], "subscribe: frontier", 2, frontier) ||
      !read_integer(env, arguments[6], "subscribe: rank", UINT32_MAX, rank) ||
      !read_integer(env, arguments[7], "subscribe: size", UINT32_MAX, size) ||
      !read_integer(env, arguments[8], "subscribe: token", kSafeIntegerMax, token))
    return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  if (frontier == static_cast<uint64_t>(Ack::kNone))
    return make_status(env, Status::kInvalidArgument);
  const auto kind = frontier == static_cast<uint64_t>(Ack::kPersisted)
                        ? Store::SubscriptionFrontier::kPersisted
                        : Store::SubscriptionFrontier::kDelivered;
  const EventShare share{static_cast<uint32_t>(rank), static_cast<uint32_t>(size)};
  const Status status = member->subscribe(static_cast<ShardId>(shard), id, std::move(prefix), from,
                                          kind, share, token);
  handle->hold_loop();
  return make_status(env, status);
}

napi_value unsubscribe(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "unsubscribe");
  uint64_t shard, id;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "unsubscribe: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "unsubscribe: subscription", kSafeIntegerMax, id))
    return nullptr;
  Member* member = handle->owned();
  return make_status(env, member == nullptr ? Status::kClosed
                                            : member->unsubscribe(static_cast<ShardId>(shard), id));
}

}  // namespace

void init_subscription(napi_env env, napi_value exports) {
  add_function(env, exports, "subscribe", subscribe);
  add_function(env, exports, "unsubscribe", unsubscribe);
}

}  // namespace freshet::binding
