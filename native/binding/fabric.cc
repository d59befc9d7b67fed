// inspectFabric.
#include "native/io/fabric/fabric.h"

#include <cmath>

#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

napi_value make_text(napi_env env, const std::string& text) {
  napi_value value;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

napi_value inspect(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  uint64_t kind;
  std::string host;
  if (!read_integer(env, arguments[0], "inspectFabric: kind", kTransportKindMax, kind) ||
      !read_string(env, arguments[1], "inspectFabric: host", host))
    return nullptr;
  if (kind == 0) {
    throw_type_error(env, "inspectFabric: kind", "one of fabric");
    return nullptr;
  }
  const FabricReport report = inspect_fabric(static_cast<TransportKind>(kind), host);
  const double memlock =
      report.memlock == UINT64_MAX ? INFINITY : static_cast<double>(report.memlock);
  napi_value result;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "compiled", make_boolean(env, report.compiled));
  napi_set_named_property(env, result, "library", make_text(env, report.library));
  napi_set_named_property(env, result, "status", make_status(env, report.status));
  napi_set_named_property(env, result, "domain", make_text(env, report.domain));
  napi_set_named_property(env, result, "ordered", make_boolean(env, report.ordered));
  napi_set_named_property(env, result, "pins", make_boolean(env, report.pins));
  napi_set_named_property(env, result, "memlock", make_number(env, memlock));
  return result;
}

}  // namespace

void init_fabric(napi_env env, napi_value exports) {
  add_function(env, exports, "inspectFabric", inspect);
}

}  // namespace freshet::binding
