// shareVersion, sharedAt, openShared, isSharedSound: large records that many read at a time.
#include "native/binding/shard_read.h"

namespace freshet::binding {
namespace {

// A buffer that holds the copy for as long as it is reachable.
napi_value make_shared(napi_env env, const SharedRecords::Held& record) {
  auto* held = new SharedRecords::Held(record);
  const auto free = [](napi_env, void*, void* hint) {
    delete static_cast<SharedRecords::Held*>(hint);
  };
  napi_value result = nullptr;
  if (napi_create_external_buffer(env, record->size(), record->data(), free, held, &result) ==
      napi_ok)
    return result;
  // A runtime that allows no external memory.
  delete held;
  return make_null(env);
}

napi_value share_version(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "shareVersion");
  uint64_t shard, version;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "shareVersion: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "shareVersion: version", kSafeIntegerMax, version))
    return nullptr;
  Member* member = handle->owned();
  const ReadTarget target = find_target(*handle, member, shard);
  if (!is_ok(target.status)) return make_null(env);
  // Named after an earlier store than it is of, it is not found again.
  const SharedRecord::Source source{static_cast<ShardId>(shard), target.generation, version};
  SharedRecords& shared = member->shared_records();
  SharedRecords::Held record = shared.find(source);
  if (record == nullptr) {
    const Store::ReadGuard guard(*target.access.reader);
    const Found found = target.access.store->get_version(version);
    if (!is_ok(found.status) || found.record == nullptr) return make_null(env);
    const RecordView view(found.record);
    if (view.size() < kSharedRecordMin) return make_null(env);
    record = shared.add(source, view);
    handle->count_copied(record->size());
  }
  return make_shared(env, record);
}

napi_value shared_at(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "sharedAt");
  Bytes bytes;
  if (handle == nullptr || !read_bytes(env, arguments[1], "sharedAt: bytes", bytes)) return nullptr;
  Member* member = handle->owned();
  const uint64_t number = member == nullptr ? 0 : member->shared_records().number_at(bytes.data());
  return make_number(env, static_cast<double>(number));
}

// The copy that two arguments name; null after a TypeError, or if there is none.
SharedRecords::Held find_shared(napi_env env, napi_callback_info info, const char* function,
                                bool& refused) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], function);
  uint64_t number;
  refused =
      handle == nullptr ||
      !read_integer(env, arguments[1], std::string(function) + ": number", kSafeIntegerMax, number);
  if (refused) return nullptr;
  const ReadScope scope(*handle);
  return scope.member() == nullptr ? nullptr : scope.member()->shared_records().find(number);
}

napi_value open_shared(napi_env env, napi_callback_info info) {
  bool refused;
  const SharedRecords::Held record = find_shared(env, info, "openShared", refused);
  if (refused) return nullptr;
  return record == nullptr ? make_null(env) : make_shared(env, record);
}

napi_value is_shared_sound(napi_env env, napi_callback_info info) {
  bool refused;
  const SharedRecords::Held record = find_shared(env, info, "isSharedSound", refused);
  return refused ? nullptr : make_boolean(env, record != nullptr && record->is_sound());
}

}  // namespace

void init_shared(napi_env env, napi_value exports) {
  add_function(env, exports, "shareVersion", share_version);
  add_function(env, exports, "sharedAt", shared_at);
  add_function(env, exports, "openShared", open_shared);
  add_function(env, exports, "isSharedSound", is_shared_sound);
}

}  // namespace freshet::binding
