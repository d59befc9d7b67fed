// dial.
#include "native/io/tcp/socket.h"

#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

napi_value dial(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  std::string host;
  uint64_t port;
  if (!read_string(env, arguments[0], "dial: host", host) ||
      !read_integer(env, arguments[1], "dial: port", UINT16_MAX, port))
    return nullptr;
  tcp::SocketAddress address;
  tcp::FileDescriptor fd;
  if (!is_ok(tcp::numeric_address(host, static_cast<uint16_t>(port), address)) ||
      !is_ok(tcp::begin_connect(address, fd)))
    return make_number(env, -1);
  return make_number(env, fd.release());
}

}  // namespace

void init_socket(napi_env env, napi_value exports) { add_function(env, exports, "dial", dial); }

}  // namespace freshet::binding
