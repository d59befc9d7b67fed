// openMember, attachMember, memberKey, listenPort, doorPort, nameDoorPool, answerTrigger,
// closeMember, drain, takeResult, counters.
#include <cstring>
#include <mutex>

#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

// The members of this process, for attachMember. Process-wide, since worker threads have
// environments of their own.
struct Registry {
  std::mutex mutex;  // guards the rest
  uint32_t next_key = 1;
  std::unordered_map<uint32_t, std::weak_ptr<Member>> members;

  uint32_t add(const std::shared_ptr<Member>& member) {
    const std::lock_guard lock(mutex);
    std::erase_if(members, [](const auto& item) { return item.second.expired(); });
    members.emplace(next_key, member);
    return next_key++;
  }
  std::shared_ptr<Member> find(uint32_t key) {
    const std::lock_guard lock(mutex);
    const auto found = members.find(key);
    return found == members.end() ? nullptr : found->second.lock();
  }
};

Registry& registry() {
  static Registry all;
  return all;
}

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kHour = 3'600'000;  // ms

// Null: the member has no native door.
bool read_door(const Options& options, std::optional<MemberConfig::Door>& out) {
  const napi_value given = options.get("door");
  if (is_null(options.env(), given)) return true;
  const Options door(options.env(), given, options.path("door"));
  uint64_t port;
  out.emplace();
  if (!door.check() || !door.string("host", out->host) || !door.integer("port", UINT16_MAX, port))
    return false;
  out->port = static_cast<uint16_t>(port);
  return true;
}

bool read_config(const Options& options, MemberConfig& config) {
  Bytes cluster, secret;
  uint64_t node, port, transport, spin, heartbeat, silence;
  if (!options.check() || !options.bytes("clusterId", cluster) ||
      !options.bytes("secret", secret) || !options.integer("nodeId", UINT32_MAX, node) ||
      !options.string("listenHost", config.host) ||
      !options.integer("listenPort", UINT16_MAX, port) ||
      !options.integer("transport", kTransportKindMax, transport) ||
      !options.string_or_null("dataFolder", config.data_folder) ||
      !read_door(options, config.door) || !options.integer("spinMicros", 1000, spin) ||
      !options.integer("heartbeatMs", kHour, heartbeat) ||
      !options.integer("silenceMs", kHour, silence))
    return false;
  if (cluster.size() != config.cluster.size())
    return throw_type_error(options.env(), options.path("clusterId"), "16 bytes long");
  if (secret.size() != config.secret.size())
    return throw_type_error(options.env(), options.path("secret"), "32 bytes long");
  if (node == 0) return throw_type_error(options.env(), options.path("nodeId"), "above 0");
  std::memcpy(config.cluster.data(), cluster.data(), cluster.size());
  std::memcpy(config.secret.data(), secret.data(), secret.size());
  config.node = static_cast<NodeId>(node);
  config.port = static_cast<uint16_t>(port);
  config.transport = static_cast<TransportKind>(transport);
  config.spin = static_cast<Nanos>(spin * 1000);
  config.heartbeat = static_cast<Nanos>(heartbeat * kMillisecond);
  config.silence = static_cast<Nanos>(silence * kMillisecond);
  return true;
}

const char* reason_of(Status status) {
  switch (status) {
    case Status::kAddressInUse:
      return "a listening address is taken";
    case Status::kDataInUse:
      return "another process uses the data folder";
    case Status::kWrongCluster:
      return "the data folder belongs to another cluster";
    case Status::kNewerFormat:
      return "the data folder was written by a newer program";
    case Status::kNoFabric:
      return "libfabric, or its provider for this transport, is not here";
    case Status::kUnorderedFabric:
      return "libfabric's provider for this transport does not keep writes in their order";
    case Status::kMemlockTooLow:
      return "the transport locks memory in place, of which this process may have too little";
    case Status::kInvalidArgument:
      return "listenHost or door.host is no numeric address of this host, or silenceMs is not at "
             "least twice "
             "heartbeatMs, which is above 0";
    default:
      return "the member could not be started";
  }
}

// On the event loop; `env` is null while the environment ends.
void on_wake(napi_env env, napi_value callback, void*, void*) {
  if (env == nullptr || callback == nullptr) return;
  napi_value receiver;
  napi_get_undefined(env, &receiver);
  if (napi_call_function(env, receiver, callback, 0, nullptr, nullptr) != napi_pending_exception)
    return;
  // The runtime makes a warning of what leaves this function; it is as uncaught as anywhere else.
  // An end of the environment is no exception to tell of.
  napi_value thrown = nullptr;
  if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok && !is_null(env, thrown))
    napi_fatal_exception(env, thrown);
}

napi_threadsafe_function make_wake(napi_env env, napi_value callback) {
  napi_value name;
  napi_create_string_utf8(env, "freshet", NAPI_AUTO_LENGTH, &name);
  napi_threadsafe_function wake = nullptr;
  napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                  on_wake, &wake);
  if (wake != nullptr) napi_unref_threadsafe_function(env, wake);
  return wake;
}

napi_value open_member(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  MemberConfig config;
  if (!read_config({env, arguments[0], "openMember: options"}, config)) return nullptr;
  napi_valuetype type;
  napi_typeof(env, arguments[1], &type);
  if (type != napi_function) {
    throw_type_error(env, "openMember: onWake", "a function");
    return nullptr;
  }
  napi_threadsafe_function wake = make_wake(env, arguments[1]);
  if (wake == nullptr) return throw_status(env, Status::kOverloaded, "no wake could be made");
  std::shared_ptr<Member> member;
  const Status status = Member::open(
      config, [wake] { napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking); },
      member);
  if (!is_ok(status)) {
    napi_release_threadsafe_function(wake, napi_tsfn_abort);
    const std::string place =
        config.host + ":" + std::to_string(config.port) +
        (config.data_folder.empty() ? "" : ", data folder " + config.data_folder);
    return throw_status(env, status, std::string(reason_of(status)) + " (" + place + ")");
  }
  const uint32_t key = registry().add(member);
  auto handle = std::make_unique<Handle>(env, std::move(member), key, true);
  handle->set_wake(wake);
  return Handle::make(env, std::move(handle));
}

napi_value attach_member(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint64_t key;
  if (!read_integer(env, arguments[0], "attachMember: key", UINT32_MAX, key)) return nullptr;
  std::shared_ptr<Member> member = registry().find(static_cast<uint32_t>(key));
  if (member == nullptr || member->is_closed())
    return throw_status(env, Status::kClosed, "no open member of this process has this key");
  return Handle::make(
      env, std::make_unique<Handle>(env, std::move(member), static_cast<uint32_t>(key), false));
}

napi_value member_key(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Handle* handle = Handle::read(env, arguments[0], "memberKey");
  return handle == nullptr ? nullptr : make_number(env, handle->key());
}

napi_value listen_port(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Handle* handle = Handle::read(env, arguments[0], "listenPort");
  if (handle == nullptr) return nullptr;
  const Member* member = handle->member();
  return member == nullptr ? make_status(env, Status::kClosed) : make_number(env, member->port());
}

napi_value door_port(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Handle* handle = Handle::read(env, arguments[0], "doorPort");
  if (handle == nullptr) return nullptr;
  const Member* member = handle->member();
  return member == nullptr ? make_status(env, Status::kClosed)
                           : make_number(env, member->door_port());
}

napi_value name_door_pool(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "nameDoorPool");
  uint64_t pool;
  std::string name;
  if (handle == nullptr || !read_integer(env, arguments[1], "nameDoorPool: pool", UINT32_MAX, pool))
    return nullptr;
  if (!is_null(env, arguments[2]) && !read_string(env, arguments[2], "nameDoorPool: name", name))
    return nullptr;
  return run(env, handle, [&](Member& member) {
    return member.name_door_pool(static_cast<PoolId>(pool), std::move(name));
  });
}

napi_value answer_trigger(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "answerTrigger");
  uint64_t call, status, time;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "answerTrigger: call", kSafeIntegerMax, call) ||
      !read_integer(env, arguments[2], "answerTrigger: status", UINT8_MAX, status) ||
      !read_integer(env, arguments[3], "answerTrigger: time", kSafeIntegerMax, time))
    return nullptr;
  return run(env, handle, [&](Member& member) {
    return member.answer_trigger(call, static_cast<Status>(status), static_cast<Micros>(time));
  });
}

napi_value close_member(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "closeMember");
  if (handle != nullptr) handle->close();
  return nullptr;
}

napi_value drain(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "drain");
  std::span<double> rows;
  if (handle == nullptr || !read_float64s(env, arguments[1], "drain: rows", kRowWidth, rows))
    return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  const size_t count = member->drain(rows.data(), rows.size() / kRowWidth);
  if (handle->borrows()) {
    for (size_t i = 0; i < count; i++) {
      if (static_cast<RowKind>(rows[i * kRowWidth]) == RowKind::kReleased)
        handle->release(static_cast<Token>(rows[i * kRowWidth + 1]));
    }
  }
  handle->hold_loop();
  return make_number(env, static_cast<double>(count));
}

napi_value take_result(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "takeResult");
  uint64_t token;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "takeResult: token", kSafeIntegerMax, token))
    return nullptr;
  Member* member = handle->owned();
  std::optional<ResultBytes> bytes;
  if (member != nullptr) bytes = member->take_result(token);
  return bytes.has_value() ? make_buffer(env, std::move(*bytes)) : make_null(env);
}

napi_value counters(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "counters");
  if (handle == nullptr) return nullptr;
  napi_value result;
  napi_create_object(env, &result);
  const ReadScope scope(*handle);
  if (scope.member() == nullptr) return result;
  const AgentCounters& from = scope.member()->counters();
#define FRESHET_SHOW_COUNTER(name)            \
  napi_set_named_property(env, result, #name, \
                          make_number(env, static_cast<double>(from.name.load())));
  FRESHET_AGENT_COUNTERS(FRESHET_SHOW_COUNTER)
  FRESHET_COPY_COUNTERS(FRESHET_SHOW_COUNTER)
#undef FRESHET_SHOW_COUNTER
  return result;
}

}  // namespace

void init_member(napi_env env, napi_value exports) {
  add_function(env, exports, "openMember", open_member);
  add_function(env, exports, "attachMember", attach_member);
  add_function(env, exports, "memberKey", member_key);
  add_function(env, exports, "listenPort", listen_port);
  add_function(env, exports, "doorPort", door_port);
  add_function(env, exports, "nameDoorPool", name_door_pool);
  add_function(env, exports, "answerTrigger", answer_trigger);
  add_function(env, exports, "closeMember", close_member);
  add_function(env, exports, "drain", drain);
  add_function(env, exports, "takeResult", take_result);
  add_function(env, exports, "counters", counters);
}

}  // namespace freshet::binding
