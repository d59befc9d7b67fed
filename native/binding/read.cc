// get, glance, isCurrent, storeGeneration, getVersions, epochAt, frontiers, versionAtTime: on the
// calling thread, from memory.
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "native/agent/scan.h"
#include "native/binding/shard_read.h"

namespace freshet::binding {
namespace {

constexpr size_t kHeadWidth = 12;     // headColumns in platform/bridge/native-columns.ts
constexpr size_t kFrontierWidth = 9;  // frontierColumns
constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

void fill_head(const Found& found, double* head) {
  const bool shown = is_ok(found.status) || found.status == Status::kCold;
  head[0] = static_cast<double>(found.status);
  head[1] = found.removed ? 1 : 0;
  head[2] = found.epoch;
  head[3] = static_cast<double>(found.version);
  head[4] = static_cast<double>(found.previous_version_of_key);
  head[5] = static_cast<double>(found.time);
  head[6] = found.event_time == kNoTime ? kNoNumber : static_cast<double>(found.event_time);
  head[7] = shown ? found.value_size : 0;
  head[8] = static_cast<double>(found.cold_segment);
  head[9] = static_cast<double>(found.cold_offset);
  head[10] = found.cold_length;
  head[11] = 0;
}

// True: what was visible anywhere before this moment is shown here.
bool shows_all(const Member& member, const ShardView& view, bool persisted) {
  const EpochView* epoch = view.epoch();
  if (epoch == nullptr) return false;
  const Frontiers& frontiers = epoch->frontiers;
  // Received first: what was visible anywhere before this moment is at or below it.
  const Sequence received = frontiers.changes.load(std::memory_order_seq_cst);
  const Sequence applied = persisted && view.persistent()
                               ? frontiers.persisted.load(std::memory_order_acquire)
                               : frontiers.delivered.load(std::memory_order_acquire);
  if (!member.holds_lease()) return false;
  const bool runs = frontiers.stopped.load(std::memory_order_acquire) == 0 &&
                    !frontiers.wedged.load(std::memory_order_acquire);
  return runs && applied >= received;
}

bool read_point(napi_env env, napi_value kind, napi_value value, ReadPoint& out) {
  uint64_t number;
  if (!read_integer(env, kind, "get: point", 3, number)) return false;
  out.kind = static_cast<ReadPoint::Kind>(number);
  if (out.kind == ReadPoint::Kind::kNewest) return true;
  if (out.kind == ReadPoint::Kind::kAtTime) {
    Micros time;
    if (!read_time(env, value, "get: value", time)) return false;
    out.value = time < 0 ? 0 : static_cast<uint64_t>(time);
    return true;
  }
  return read_bound(env, value, "get: value", UINT64_MAX, out.value);
}

// What a read of one key begins with: member first, shard second, key third.
struct KeyCall {
  Handle* handle = nullptr;
  uint64_t shard = 0;
  size_t key_size = 0;
  char room[kKeySizeMax + 8];  // to see that a key is too long, even by one wide character

  bool is_too_long() const { return key_size > kKeySizeMax; }
  std::string_view key() const { return {room, key_size}; }
};

bool read_key_call(napi_env env, const napi_value* values, const std::string& name, KeyCall& out) {
  out.handle = Handle::read(env, values[0], name.c_str());
  if (out.handle == nullptr ||
      !read_integer(env, values[1], name + ": shard", UINT32_MAX, out.shard))
    return false;
  return napi_get_value_string_utf8(env, values[2], out.room, sizeof out.room, &out.key_size) ==
             napi_ok ||
         throw_type_error(env, name + ": key", "a string");
}

napi_value get(napi_env env, napi_callback_info info) {
  const Arguments<8> arguments(env, info);
  KeyCall call;
  uint64_t floor;
  bool want_value;
  ReadPoint point;
  std::span<double> head;
  if (!read_key_call(env, arguments.values, "get", call) ||
      !read_point(env, arguments[3], arguments[4], point) ||
      !read_integer(env, arguments[5], "get: floor", 1, floor) ||
      !read_boolean(env, arguments[6], "get: wantValue", want_value) ||
      !read_float64s(env, arguments[7], "get: head", kHeadWidth, head))
    return nullptr;
  const ReadScope scope(*call.handle);
  const ReadTarget target = find_target(*call.handle, scope.member(), call.shard);
  Found found;
  found.status = call.is_too_long() ? Status::kNotFound : target.status;
  if (!is_ok(found.status)) {
    fill_head(found, head.data());
    return make_null(env);
  }
  if (floor == 1) {
    const std::optional<Version> stable = target.view->stable_version();
    if (!stable) {
      found.status = Status::kNotCurrent;
      fill_head(found, head.data());
      return make_null(env);
    }
    point.newest_max = *stable;
  }
  const Store::ReadGuard guard(*target.access.reader);
  found = target.access.store->get(call.key(), point);
  fill_head(found, head.data());
  if (!is_ok(found.status) || found.removed || !want_value || found.record == nullptr)
    return make_null(env);
  const Bytes value = RecordView(found.record).value();
  call.handle->count_copied(value.size());
  return make_buffer(env, value);
}

// What `glance` answers in place of a length.
constexpr double kAskOtherwise = -1;
constexpr double kNoRoom = -2;

double glance_at(const KeyCall& call, bool linearizable, MutableBytes out, double* head) {
  const ReadScope scope(*call.handle);
  const ReadTarget target = find_target(*call.handle, scope.member(), call.shard);
  if (!is_ok(target.status) || call.is_too_long()) return kAskOtherwise;
  ReadPoint point;
  if (linearizable) {
    if (!shows_all(*scope.member(), *target.view, true)) return kAskOtherwise;
    const std::optional<Version> stable = target.view->stable_version();
    if (target.view->persistent() && !stable) return kAskOtherwise;
    if (target.view->persistent()) point.newest_max = *stable;
  }
  const Store::ReadGuard guard(*target.access.reader);
  const Found found = target.access.store->get(call.key(), point);
  if (!is_ok(found.status) || found.removed || found.record == nullptr) return kAskOtherwise;
  const RecordView record(found.record);
  const Bytes meta = record.meta();
  const Bytes value = record.value();
  fill_head(found, head);
  head[11] = static_cast<double>(meta.size());
  if (meta.size() + value.size() > out.size()) return kNoRoom;
  std::memcpy(out.data(), meta.data(), meta.size());
  std::memcpy(out.data() + meta.size(), value.data(), value.size());
  // Another store may have taken its place since it was found.
  if (target.view->store_generation() != target.generation) return kAskOtherwise;
  call.handle->count_copied(meta.size() + value.size());
  return static_cast<double>(meta.size() + value.size());
}

napi_value glance(napi_env env, napi_callback_info info) {
  const Arguments<6> arguments(env, info);
  KeyCall call;
  uint64_t at;
  bool linearizable;
  Bytes out;
  if (!read_key_call(env, arguments.values, "glance", call) ||
      !read_boolean(env, arguments[3], "glance: linearizable", linearizable) ||
      !read_bytes(env, arguments[4], "glance: out", out) ||
      !read_integer(env, arguments[5], "glance: at", out.size(), at))
    return nullptr;
  auto* head = reinterpret_cast<double*>(const_cast<std::byte*>(out.data()));
  if (at < kHeadWidth * sizeof *head || reinterpret_cast<uintptr_t>(head) % alignof(double) != 0) {
    throw_type_error(env, "glance: at", "behind an aligned head");
    return nullptr;
  }
  const MutableBytes room(const_cast<std::byte*>(out.data()) + at, out.size() - at);
  return make_number(env, glance_at(call, linearizable, room, head));
}

napi_value is_current(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "isCurrent");
  uint64_t shard;
  bool persisted;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "isCurrent: shard", UINT32_MAX, shard) ||
      !read_boolean(env, arguments[2], "isCurrent: persisted", persisted))
    return nullptr;
  const ReadScope scope(*handle);
  if (scope.member() == nullptr) return make_boolean(env, false);
  const ShardView* view = scope.member()->find_shard(static_cast<ShardId>(shard));
  return make_boolean(env, view != nullptr && shows_all(*scope.member(), *view, persisted));
}

napi_value store_generation(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "storeGeneration");
  uint64_t shard;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "storeGeneration: shard", UINT32_MAX, shard))
    return nullptr;
  const ReadScope scope(*handle);
  const ShardView* view =
      scope.member() == nullptr ? nullptr : scope.member()->find_shard(static_cast<ShardId>(shard));
  return make_number(env, view == nullptr ? 0 : static_cast<double>(view->store_generation()));
}

napi_value get_versions(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "getVersions");
  uint64_t shard, count, size_max;
  std::span<double> versions;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "getVersions: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[3], "getVersions: count", UINT32_MAX, count) ||
      !read_float64s(env, arguments[2], "getVersions: versions", count, versions) ||
      !read_bound(env, arguments[4], "getVersions: sizeMax", UINT64_MAX, size_max))
    return nullptr;
  const ReadScope scope(*handle);
  const ReadTarget target = find_target(*handle, scope.member(), shard);
  std::vector<std::byte> out;
  if (is_ok(target.status)) {
    const Store::ReadGuard guard(*target.access.reader);
    for (size_t i = 0; i < count && out.size() < kScanBytesMax; i++) {
      if (!(versions[i] >= 1) || versions[i] > static_cast<double>(kSafeIntegerMax)) continue;
      const Found found = target.access.store->get_version(static_cast<Version>(versions[i]));
      if (!is_ok(found.status) || found.record == nullptr) continue;
      const RecordView record(found.record);
      if (record.size() > size_max) continue;
      if (record.size() > kScanBytesMax) {
        append_head(record, out);
      } else {
        out.insert(out.end(), record.start(), record.start() + record.size());
      }
    }
    handle->count_copied(out.size());
  }
  return make_buffer(env, std::move(out));
}

napi_value frontiers(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "frontiers");
  uint64_t shard;
  std::span<double> out;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "frontiers: shard", UINT32_MAX, shard) ||
      !read_float64s(env, arguments[2], "frontiers: out", kFrontierWidth, out))
    return nullptr;
  const ReadScope scope(*handle);
  const ReadTarget target = find_target(*handle, scope.member(), shard);
  if (target.status == Status::kClosed || target.status == Status::kNotAMember)
    return make_status(env, target.status);
  const EpochView* epoch = target.view->epoch();
  const EpochView none;
  const Frontiers& from = epoch == nullptr ? none.frontiers : epoch->frontiers;
  out[0] = static_cast<double>(from.received.load(std::memory_order_acquire));
  out[1] = static_cast<double>(from.delivered.load(std::memory_order_acquire));
  out[2] = static_cast<double>(from.persisted.load(std::memory_order_acquire));
  out[3] = static_cast<double>(from.delivered_version.load(std::memory_order_acquire));
  out[4] = static_cast<double>(from.persisted_version.load(std::memory_order_acquire));
  out[5] = from.stopped.load(std::memory_order_acquire);
  out[6] = epoch == nullptr ? 0 : epoch->epoch;
  out[7] = static_cast<double>(target.access.store->newest_time());
  out[8] = from.ended.load(std::memory_order_acquire) ? 1 : 0;
  return make_status(env, Status::kOk);
}

napi_value epoch_at(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "epochAt");
  uint64_t shard, version;
  if (handle == nullptr || !read_integer(env, arguments[1], "epochAt: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "epochAt: version", kSafeIntegerMax, version))
    return nullptr;
  const ReadScope scope(*handle);
  const ReadTarget target = find_target(*handle, scope.member(), shard);
  if (!is_ok(target.status)) return make_number(env, 0);
  const Store::ReadGuard guard(*target.access.reader);
  return make_number(env, target.access.store->epoch_of(version));
}

napi_value version_at_time(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "versionAtTime");
  uint64_t shard;
  Micros time;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "versionAtTime: shard", UINT32_MAX, shard) ||
      !read_time(env, arguments[2], "versionAtTime: time", time))
    return nullptr;
  const ReadScope scope(*handle);
  const ReadTarget target = find_target(*handle, scope.member(), shard);
  if (!is_ok(target.status)) return make_status(env, target.status);
  const Store::ReadGuard guard(*target.access.reader);
  return make_number(env, static_cast<double>(target.access.store->version_at_time(time)));
}

}  // namespace

void init_read(napi_env env, napi_value exports) {
  add_function(env, exports, "get", get);
  add_function(env, exports, "glance", glance);
  add_function(env, exports, "isCurrent", is_current);
  add_function(env, exports, "storeGeneration", store_generation);
  add_function(env, exports, "getVersions", get_versions);
  add_function(env, exports, "epochAt", epoch_at);
  add_function(env, exports, "frontiers", frontiers);
  add_function(env, exports, "versionAtTime", version_at_time);
}

}  // namespace freshet::binding
