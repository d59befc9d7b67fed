// openShard, openShardCut, setShardRules, traceBlocks, closeShard, shardState, readLog, appendLog,
// readPiece, appendPiece, dropPieces, cutBack, prepareEpoch, startEpoch, stopEpoch.
#include "native/binding/shard_call.h"

namespace freshet::binding {
namespace {

struct OpenOptions {
  uint64_t shard = 0;
  bool persistent = false;
  uint64_t memory_max = 0;
};

bool read_open(const Options& options, OpenOptions& out) {
  return options.check() && options.integer("shard", UINT32_MAX, out.shard) &&
         options.boolean("persistent", out.persistent) &&
         options.integer("memoryMax", kSafeIntegerMax, out.memory_max);
}

napi_value open_shard(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "openShard");
  OpenOptions options;
  uint64_t token;
  if (handle == nullptr || !read_open({env, arguments[1], "openShard: options"}, options) ||
      !read_integer(env, arguments[2], "openShard: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle, [&](Member& member) {
    return member.open_shard(static_cast<ShardId>(options.shard), options.persistent,
                             options.memory_max, token);
  });
}

napi_value open_shard_cut(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "openShardCut");
  OpenOptions options;
  LogPosition position;
  uint64_t token;
  if (handle == nullptr || !read_open({env, arguments[1], "openShardCut: options"}, options) ||
      !read_position(env, arguments.values, 2, "openShardCut", position) ||
      !read_integer(env, arguments[4], "openShardCut: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle, [&](Member& member) {
    return member.open_shard(static_cast<ShardId>(options.shard), options.persistent,
                             options.memory_max, token, position);
  });
}

napi_value set_shard_rules(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "setShardRules");
  const Options options(env, arguments[1], "setShardRules: rules");
  uint64_t shard, multicast, block_size, token;
  ShardRules rules;
  if (handle == nullptr || !options.check() || !options.integer("shard", UINT32_MAX, shard) ||
      !options.boolean("raw", rules.raw) ||
      !options.integer("multicast", kMulticastAlgorithms - 1, multicast) ||
      !options.integer("blockSize", kBlockSizeMax, block_size) ||
      !read_integer(env, arguments[2], "setShardRules: token", kSafeIntegerMax, token))
    return nullptr;
  rules.multicast = static_cast<MulticastAlgorithm>(multicast);
  rules.block_size = static_cast<uint32_t>(block_size);
  return run(env, handle, [&](Member& member) {
    return member.set_rules(static_cast<ShardId>(shard), rules, token);
  });
}

napi_value trace_blocks(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  ShardCall call;
  if (!read_shard_call(env, arguments.values, 2, "traceBlocks", call)) return nullptr;
  return run_call(env, call, &Member::trace_blocks);
}

napi_value shard_state(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  ShardCall call;
  if (!read_shard_call(env, arguments.values, 2, "shardState", call)) return nullptr;
  return run_call(env, call, &Member::shard_state);
}

napi_value read_log(napi_env env, napi_callback_info info) {
  const Arguments<9> arguments(env, info);
  ShardCall call;
  LogPosition after;
  Store::SessionsRead sessions;
  uint64_t size_max;
  if (!read_shard_call(env, arguments.values, 8, "readLog", call) ||
      !read_position(env, arguments.values, 2, "readLog", after) ||
      !read_position(env, arguments.values, 4, "readLog: sessions", sessions.position) ||
      !read_integer(env, arguments[6], "readLog: entries", kSafeIntegerMax, sessions.entries) ||
      !read_integer(env, arguments[7], "readLog: maxBytes", kSafeIntegerMax, size_max))
    return nullptr;
  return run_call(env, call, &Member::read_log, after, sessions, size_max);
}

napi_value append_log(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  ShardCall call;
  Bytes records;
  if (!read_shard_call(env, arguments.values, 3, "appendLog", call) ||
      !read_bytes(env, arguments[2], "appendLog: records", records))
    return nullptr;
  return run_call(env, call, &Member::append_log, records);
}

napi_value read_piece(napi_env env, napi_callback_info info) {
  const Arguments<7> arguments(env, info);
  ShardCall call;
  LogPosition after;
  uint64_t from, size_max;
  if (!read_shard_call(env, arguments.values, 6, "readPiece", call) ||
      !read_position(env, arguments.values, 2, "readPiece", after) ||
      !read_integer(env, arguments[4], "readPiece: from", kSafeIntegerMax, from) ||
      !read_integer(env, arguments[5], "readPiece: maxBytes", kSafeIntegerMax, size_max))
    return nullptr;
  return run_call(env, call, &Member::read_piece, after, from, size_max);
}

napi_value append_piece(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  ShardCall call;
  uint64_t from;
  Bytes piece;
  if (!read_shard_call(env, arguments.values, 4, "appendPiece", call) ||
      !read_integer(env, arguments[2], "appendPiece: from", kSafeIntegerMax, from) ||
      !read_bytes(env, arguments[3], "appendPiece: piece", piece))
    return nullptr;
  return run_call(env, call, &Member::append_piece, from, piece);
}

napi_value drop_pieces(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "dropPieces");
  uint64_t shard;
  if (handle == nullptr || !read_integer(env, arguments[1], "dropPieces: shard", UINT32_MAX, shard))
    return nullptr;
  Member* member = handle->owned();
  return make_status(
      env, member == nullptr ? Status::kClosed : member->drop_pieces(static_cast<ShardId>(shard)));
}

napi_value cut_back(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  ShardCall call;
  LogPosition position;
  if (!read_shard_call(env, arguments.values, 4, "cutBack", call) ||
      !read_position(env, arguments.values, 2, "cutBack", position))
    return nullptr;
  return run_call(env, call, &Member::cut_back, position);
}

bool read_epoch(const Options& options, EpochOptions& out) {
  uint64_t shard, epoch, ring_size;
  if (!options.check() || !options.integer("shard", UINT32_MAX, shard) ||
      !options.integer("epoch", UINT32_MAX, epoch) ||
      !options.integers("members", UINT32_MAX, out.members) ||
      !options.integers("senders", UINT32_MAX, out.senders) ||
      !options.integer("ringSize", kSafeIntegerMax, ring_size) ||
      !options.bound("dispatchLagMax", UINT64_MAX, out.dispatch_lag_max))
    return false;
  out.shard = static_cast<ShardId>(shard);
  out.epoch = static_cast<Epoch>(epoch);
  out.ring_size = ring_size;
  return true;
}

napi_value prepare_epoch(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "prepareEpoch");
  EpochOptions options;
  uint64_t token;
  if (handle == nullptr || !read_epoch({env, arguments[1], "prepareEpoch: options"}, options) ||
      !read_integer(env, arguments[2], "prepareEpoch: token", kSafeIntegerMax, token))
    return nullptr;
  return run(env, handle,
             [&](Member& member) { return member.prepare_epoch(std::move(options), token); });
}

napi_value start_epoch(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  ShardCall call;
  uint64_t epoch;
  if (!read_shard_call(env, arguments.values, 3, "startEpoch", call) ||
      !read_integer(env, arguments[2], "startEpoch: epoch", UINT32_MAX, epoch))
    return nullptr;
  return run_call(env, call, &Member::start_epoch, static_cast<Epoch>(epoch));
}

napi_value close_shard(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  ShardCall call;
  if (!read_shard_call(env, arguments.values, 2, "closeShard", call)) return nullptr;
  return run_call(env, call, &Member::close_shard);
}

napi_value stop_epoch(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  ShardCall call;
  if (!read_shard_call(env, arguments.values, 2, "stopEpoch", call)) return nullptr;
  return run_call(env, call, &Member::stop_epoch);
}

}  // namespace

void init_shard(napi_env env, napi_value exports) {
  add_function(env, exports, "openShard", open_shard);
  add_function(env, exports, "openShardCut", open_shard_cut);
  add_function(env, exports, "setShardRules", set_shard_rules);
  add_function(env, exports, "traceBlocks", trace_blocks);
  add_function(env, exports, "closeShard", close_shard);
  add_function(env, exports, "shardState", shard_state);
  add_function(env, exports, "readLog", read_log);
  add_function(env, exports, "appendLog", append_log);
  add_function(env, exports, "readPiece", read_piece);
  add_function(env, exports, "appendPiece", append_piece);
  add_function(env, exports, "dropPieces", drop_pieces);
  add_function(env, exports, "cutBack", cut_back);
  add_function(env, exports, "prepareEpoch", prepare_epoch);
  add_function(env, exports, "startEpoch", start_epoch);
  add_function(env, exports, "stopEpoch", stop_epoch);
}

}  // namespace freshet::binding
