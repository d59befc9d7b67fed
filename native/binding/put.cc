// submit, submitMany, waitCurrent, setDispatched: the hot way in.
#include <cmath>
#include <cstring>

#include "native/binding/handle.h"

namespace freshet::binding {
namespace {

// Columns of `extra`; see extraColumns in platform/bridge/native-columns.ts.
constexpr size_t kExtraWidth = 7;

bool read_count(double number, uint64_t& out) {
  if (!(number >= 0) || number > static_cast<double>(kSafeIntegerMax)) return false;
  out = static_cast<uint64_t>(number);
  return true;
}

bool read_expected(double number, uint64_t& out) {
  if (number == -1) return true;  // stays kAny
  return read_count(number, out);
}

bool read_extra(const double* columns, Change& change) {
  if (!std::isnan(columns[0])) {
    if (!(std::fabs(columns[0]) <= static_cast<double>(kSafeIntegerMax))) return false;
    change.event_time = static_cast<Micros>(columns[0]);
  }
  return read_expected(columns[1], change.condition.version) &&
         read_expected(columns[2], change.condition.version_of_key) &&
         read_expected(columns[3], change.condition.epoch) &&
         read_count(columns[4], change.session.session) &&
         read_count(columns[5], change.session.request) &&
         read_count(columns[6], change.session.lowest_unanswered);
}

bool read_flags(uint64_t flags, Change& change, Ack& ack) {
  const uint64_t kind = flags & 15;
  const uint64_t acknowledge = flags >> 4;
  if (kind < 1 || kind > 4 || acknowledge > 2) return false;
  change.kind = static_cast<RecordKind>(kind);
  ack = static_cast<Ack>(acknowledge);
  return true;
}

// The key goes to `room`; its true length comes back, which may be more than fits.
bool read_key(napi_env env, napi_value value, char* room, size_t room_size, Change& change) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, room, room_size, &size) != napi_ok)
    return throw_type_error(env, "submit: key", "a string");
  change.key = {reinterpret_cast<const std::byte*>(room), size};
  return true;
}

napi_value submit(napi_env env, napi_callback_info info) {
  const Arguments<9> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "submit");
  uint64_t shard, flags, pool, token;
  Change change;
  Ack ack;
  char key[kKeySizeMax + 8];  // room to see that a key is too long, even by one wide character
  if (handle == nullptr || !read_integer(env, arguments[1], "submit: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "submit: flags", 63, flags) ||
      !read_integer(env, arguments[3], "submit: pool", UINT32_MAX, pool) ||
      !read_integer(env, arguments[4], "submit: token", kSafeIntegerMax, token) ||
      !read_key(env, arguments[5], key, sizeof key, change) ||
      !read_bytes_or_null(env, arguments[6], "submit: value", change.value) ||
      !read_bytes_or_null(env, arguments[7], "submit: meta", change.meta))
    return nullptr;
  if (!is_null(env, arguments[8])) {
    std::span<double> extra;
    if (!read_float64s(env, arguments[8], "submit: extra", kExtraWidth, extra)) return nullptr;
    if (!read_extra(extra.data(), change)) return make_status(env, Status::kInvalidArgument);
  }
  if (!read_flags(flags, change, ack)) return make_status(env, Status::kInvalidArgument);
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  change.pool = static_cast<PoolId>(pool);
  const Status status = member->submit(static_cast<ShardId>(shard), change, ack, token);
  if (is_ok(status) && change.value.size() > kBorrowThreshold) handle->borrow(token, arguments[6]);
  handle->hold_loop();
  return make_status(env, status);
}

// One entry of submitMany, as native.ts lays it out.
struct PackedHead {
  uint32_t shard;
  uint32_t flags;
  uint32_t pool;
  uint32_t key_length;
  uint32_t meta_length;
  uint32_t value_length;
  double token;
  double extra[kExtraWidth];
};
static_assert(sizeof(PackedHead) == 88);

// kInvalidArgument: the entry at the front of `packed` is not whole or not possible.
Status submit_packed(Member& member, Bytes& packed) {
  PackedHead head;
  if (packed.size() < sizeof head) return Status::kInvalidArgument;
  std::memcpy(&head, packed.data(), sizeof head);
  const size_t size = size_t{head.key_length} + head.meta_length + head.value_length;
  const size_t whole = sizeof head + ((size + 7) & ~size_t{7});
  if (packed.size() < whole) return Status::kInvalidArgument;
  const std::byte* at = packed.data() + sizeof head;
  Change change;
  Ack ack;
  uint64_t token;
  change.pool = head.pool;
  change.key = {at, head.key_length};
  change.meta = {at + head.key_length, head.meta_length};
  change.value = {at + head.key_length + head.meta_length, head.value_length};
  if (change.value.size() > kBorrowThreshold || !read_flags(head.flags, change, ack) ||
      !read_count(head.token, token) || !read_extra(head.extra, change))
    return Status::kInvalidArgument;
  const Status status = member.submit(head.shard, change, ack, token);
  if (is_ok(status)) packed = packed.subspan(whole);
  return status;
}

napi_value submit_many(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "submitMany");
  Bytes packed;
  uint64_t count;
  if (handle == nullptr || !read_bytes(env, arguments[1], "submitMany: packed", packed) ||
      !read_integer(env, arguments[2], "submitMany: count", UINT32_MAX, count))
    return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  uint64_t queued = 0;
  Status status = Status::kOk;
  while (queued < count && is_ok(status = submit_packed(*member, packed))) queued++;
  handle->hold_loop();
  // What stands behind a bad entry is not looked at; a first bad one is said.
  if (queued == 0 && !is_ok(status) && status != Status::kOverloaded)
    return make_status(env, status);
  return make_number(env, static_cast<double>(queued));
}

napi_value wait_current(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "waitCurrent");
  uint64_t shard, token;
  bool persisted;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "waitCurrent: shard", UINT32_MAX, shard) ||
      !read_boolean(env, arguments[2], "waitCurrent: persisted", persisted) ||
      !read_integer(env, arguments[3], "waitCurrent: token", kSafeIntegerMax, token))
    return nullptr;
  Member* member = handle->owned();
  if (member == nullptr) return make_status(env, Status::kClosed);
  const Status status = member->wait_current(static_cast<ShardId>(shard), persisted, token);
  handle->hold_loop();
  return make_status(env, status);
}

napi_value set_dispatched(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "setDispatched");
  uint64_t shard, version;
  if (handle == nullptr ||
      !read_integer(env, arguments[1], "setDispatched: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[2], "setDispatched: version", kSafeIntegerMax, version))
    return nullptr;
  Member* member = handle->owned();
  return make_status(env, member == nullptr
                              ? Status::kClosed
                              : member->set_dispatched(static_cast<ShardId>(shard), version));
}

}  // namespace

void init_put(napi_env env, napi_value exports) {
  add_function(env, exports, "submit", submit);
  add_function(env, exports, "submitMany", submit_many);
  add_function(env, exports, "waitCurrent", wait_current);
  add_function(env, exports, "setDispatched", set_dispatched);
}

}  // namespace freshet::binding
