// scan, readCold, readVersion: on the query thread.
#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

bool read_kind(const Options& options, ScanRequest::Kind& out) {
  std::string kind;
  if (!options.string("kind", kind)) return false;
  if (kind == "versions") {
    out = ScanRequest::Kind::kVersions;
  } else if (kind == "objects") {
    out = ScanRequest::Kind::kObjects;
  } else if (kind == "keys") {
    out = ScanRequest::Kind::kKeys;
  } else {
    return throw_type_error(options.env(), options.path("kind"), "'versions', 'objects' or 'keys'");
  }
  return true;
}

bool read_request(const Options& options, ScanRequest& out) {
  uint64_t shard, floor, batch_bytes;
  Bytes program, resume;
  if (!options.check() || !options.integer("shard", UINT32_MAX, shard) ||
      !read_kind(options, out.kind) || !options.string("prefix", out.prefix) ||
      !options.bound("fromVersion", UINT64_MAX, out.from_version) ||
      !options.bound("toVersion", UINT64_MAX, out.to_version) ||
      !options.integer("floor", 1, floor) || !options.time("fromTime", out.from_time) ||
      !options.time("toTime", out.to_time) || !options.boolean("reverse", out.reverse) ||
      !options.bound("limit", UINT64_MAX, out.limit) ||
      !options.boolean("wantValues", out.want_values) ||
      !options.boolean("wantRemoved", out.want_removed) ||
      !options.bytes_or_null("program", program) ||
      !options.integer("batchBytes", kSafeIntegerMax, batch_bytes) ||
      !options.bytes_or_null("resume", resume))
    return false;
  out.shard = static_cast<ShardId>(shard);
  out.stable = floor == 1;
  out.batch_bytes = batch_bytes;
  out.program.assign(program.begin(), program.end());
  out.has_program = !is_null(options.env(), options.get("program"));
  out.resume.assign(resume.begin(), resume.end());
  return true;
}

napi_value scan(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "scan");
  ScanRequest request;
  uint64_t token;
  if (handle == nullptr || !read_request({env, arguments[1], "scan: options"}, request) ||
      !read_integer(env, arguments[2], "scan: token", kSafeIntegerMax, token))
    return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  const Status status = member->scan(std::move(request), token);
  handle->hold_loop();
  return make_status(env, status);
}

napi_value read_cold(napi_env env, napi_callback_info info) {
  const Arguments<6> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "readCold");
  uint64_t shard, segment, offset, length, token;
  if (handle == nullptr || !read_integer(env, arguments[1], "readCold: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "readCold: segment", kSafeIntegerMax, segment) ||
      !read_integer(env, arguments[3], "readCold: offset", kSafeIntegerMax, offset) ||
      !read_integer(env, arguments[4], "readCold: length", UINT32_MAX, length) ||
      !read_integer(env, arguments[5], "readCold: token", kSafeIntegerMax, token))
    return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  const Status status = member->read_cold(static_cast<ShardId>(shard), segment, offset,
                                          static_cast<uint32_t>(length), token);
  handle->hold_loop();
  return make_status(env, status);
}

napi_value read_version(napi_env env, napi_callback_info info) {
  const Arguments<6> arguments(env, info);
  uint64_t shard, version, from, size_max, token;
  Handle* handle = Handle::read(env, arguments[0], "readVersion");
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "readVersion: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "readVersion: version", kSafeIntegerMax, version) ||
      !read_integer(env, arguments[3], "readVersion: from", kSafeIntegerMax, from) ||
      !read_integer(env, arguments[4], "readVersion: maxBytes", kSafeIntegerMax, size_max) ||
      !read_integer(env, arguments[5], "readVersion: token", kSafeIntegerMax, token))
    return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  const Status status =
      member->read_version(static_cast<ShardId>(shard), version, from, size_max, token);
  handle->hold_loop();
  return make_status(env, status);
}

}  // namespace

void init_query(napi_env env, napi_value exports) {
  add_function(env, exports, "scan", scan);
  add_function(env, exports, "readCold", read_cold);
  add_function(env, exports, "readVersion", read_version);
}

}  // namespace freshet::binding
