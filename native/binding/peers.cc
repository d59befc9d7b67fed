// addPeer, forgetPeer, sendMessage, takeMessage.
#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

bool read_node(napi_env env, napi_value value, const char* path, NodeId& out) {
  uint64_t node;
  if (!read_integer(env, value, path, UINT32_MAX, node)) return false;
  out = static_cast<NodeId>(node);
  return true;
}

napi_value add_peer(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "addPeer");
  PeerAddress address;
  uint64_t port;
  if (handle == nullptr || !read_node(env, arguments[1], "addPeer: nodeId", address.node) ||
      !read_string(env, arguments[2], "addPeer: host", address.host) ||
      !read_integer(env, arguments[3], "addPeer: port", UINT16_MAX, port))
    return nullptr;
  address.port = static_cast<uint16_t>(port);
  Member* member = handle->owned();
  return make_status(env, member == nullptr ? Status::kClosed : member->add_peer(address));
}

napi_value forget_peer(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "forgetPeer");
  NodeId node;
  if (handle == nullptr || !read_node(env, arguments[1], "forgetPeer: nodeId", node))
    return nullptr;
  Member* member = handle->owned();
  return make_status(env, member == nullptr ? Status::kClosed : member->forget_peer(node));
}

napi_value send_message(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "sendMessage");
  NodeId node;
  Bytes bytes;
  if (handle == nullptr || !read_node(env, arguments[1], "sendMessage: nodeId", node) ||
      !read_bytes(env, arguments[2], "sendMessage: bytes", bytes))
    return nullptr;
  Member* member = handle->owned();
  return make_status(env, member == nullptr ? Status::kClosed : member->send_message(node, bytes));
}

napi_value take_message(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "takeMessage");
  if (handle == nullptr) return nullptr;
  Member* member = handle->owned();
  std::optional<MemberMessage> message;
  if (member != nullptr) message = member->take_message();
  return message.has_value() ? make_buffer(env, std::move(message->bytes)) : make_null(env);
}

}  // namespace

void init_peers(napi_env env, napi_value exports) {
  add_function(env, exports, "addPeer", add_peer);
  add_function(env, exports, "forgetPeer", forget_peer);
  add_function(env, exports, "sendMessage", send_message);
  add_function(env, exports, "takeMessage", take_message);
}

}  // namespace freshet::binding
