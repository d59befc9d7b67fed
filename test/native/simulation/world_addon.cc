// The world for JavaScript: the functions of native/binding, whose members are those of a simulated
// world, and those that step it. Mirrored by test/simulation/world-addon.ts; never shipped.
#include <malloc.h>
#include <sys/prctl.h>

#include <cinttypes>
#include <cstdio>
#include <memory>

#include "native/binding/handle.h"
#include "test/native/simulation/world.h"
#include "test/native/simulation/world_functions.h"
#include "test/native/simulation/world_values.h"

namespace freshet::binding {

namespace {

using test::LoopEvent;
using test::World;
using test::WorldConfig;
using test::WorldNode;
using test::WorldShard;

constexpr uint64_t kSettings = 21;
constexpr uint64_t kShardWidth = 4;
constexpr uint64_t kActWidth = 5;

// One at a time.
std::unique_ptr<World>& world() {
  static std::unique_ptr<World> only;
  return only;
}

bool read_node(napi_env env, napi_value value, WorldNode*& out) {
  uint64_t node;
  if (!read_integer(env, value, "node", world()->config.nodes, node)) return false;
  out = &world()->at(static_cast<NodeId>(node));
  return true;
}

WorldConfig config_of(std::span<const double> given) {
  const auto whole = [&](size_t at) { return static_cast<uint64_t>(given[at]); };
  WorldConfig config;
  config.seed = whole(0);
  config.nodes = static_cast<NodeId>(given[1]);
  config.operations = whole(2);
  config.time = static_cast<Nanos>(given[3]) * 1'000'000;
  config.faults = whole(4);
  config.clients = static_cast<uint32_t>(given[5]);
  config.slow_percent = static_cast<uint32_t>(given[6]);
  config.tear_percent = static_cast<uint32_t>(given[7]);
  config.fault = static_cast<test::WorldFault>(given[8]);
  config.step = static_cast<test::WorldStep>(given[9]);
  config.stride = whole(10);
  config.lying_disks = given[11] != 0;
  config.forgets_wakes = given[12] != 0;
  config.trace = given[13] != 0;
  config.moves = whole(16);
  config.layouts = whole(17);
  config.reuses_values = given[18] != 0;
  config.history = static_cast<uint32_t>(given[19]);
  config.catalog = given[20] != 0;
  // Every other seed's members hold back when little is on its way.
  if (config.seed % 2 == 0) config.congested = 2'048;
  for (size_t i = 0; i < whole(14); i++) {
    const size_t at = kSettings + i * kShardWidth;
    WorldShard shard;
    shard.shard = static_cast<ShardId>(given[at]);
    shard.persistent = given[at + 1] == 1;
    shard.raw = given[at + 1] == 2;
    shard.copies = whole(at + 3);
    for (NodeId node = 1; node <= config.nodes; node++)
      if ((whole(at + 2) >> node & 1) != 0) shard.members.push_back(node);
    config.shards.push_back(shard);
  }
  for (size_t i = 0; i < whole(15); i++) {
    const auto act = given.subspan(kSettings + whole(14) * kShardWidth + i * kActWidth, kActWidth);
    config.script.push_back({static_cast<test::WorldAct::Kind>(act[0]),
                             static_cast<Nanos>(act[1] * 1e6), static_cast<NodeId>(act[2]),
                             static_cast<Nanos>(act[3] * 1e6), act[4] >= 0,
                             static_cast<test::WorldStep>(std::max(act[4], 0.0))});
  }
  return config;
}

napi_value begin_world(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  std::span<double> given;
  if (!read_float64s(env, arguments[0], "beginWorld: settings", kSettings, given)) return nullptr;
  world().reset();
  world() = std::make_unique<World>(config_of(given));
  return nullptr;
}

napi_value end_world(napi_env, napi_callback_info) {
  world().reset();
  return nullptr;
}

napi_value run_world(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  std::span<double> out;
  if (!read_float64s(env, arguments[0], "runWorld: event", 3, out)) return nullptr;
  const LoopEvent event = world()->run();
  out[0] = event.node;
  out[1] = static_cast<double>(event.id);
  out[2] = static_cast<double>(event.value);
  return make_number(env, static_cast<double>(event.kind));
}

napi_value open_member(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Options options(env, arguments[0], "openMember: options");
  uint64_t node;
  if (!options.integer("nodeId", world()->config.nodes, node)) return nullptr;
  std::shared_ptr<Member> member;
  const Status status = world()->at(static_cast<NodeId>(node)).open(member);
  if (!is_ok(status)) return throw_status(env, status, "the member could not be started");
  return Handle::make(
      env, std::make_unique<Handle>(env, std::move(member), static_cast<uint32_t>(node), true));
}

napi_value drain(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = Handle::read(env, arguments[0], "drain");
  std::span<double> rows;
  if (handle == nullptr || !read_float64s(env, arguments[1], "drain: rows", kRowWidth, rows))
    return nullptr;
  if (handle->owned() == nullptr) return make_status(env, Status::kClosed);
  return make_number(env, static_cast<double>(world()->at(handle->key()).drain(rows)));
}

napi_value time_of(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  WorldNode* node;
  if (!read_node(env, arguments[0], node)) return nullptr;
  return make_number(env, static_cast<double>(node->boot_now()) / 1e6);
}

napi_value wall_of(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  WorldNode* node;
  if (!read_node(env, arguments[0], node)) return nullptr;
  return make_number(env, static_cast<double>(node->wall_now()));
}

napi_value after(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  WorldNode* node;
  double delay;
  uint64_t id;
  if (!read_node(env, arguments[0], node) ||
      napi_get_value_double(env, arguments[1], &delay) != napi_ok ||
      !read_integer(env, arguments[2], "after: id", kSafeIntegerMax, id))
    return nullptr;
  node->after(static_cast<Nanos>(delay * 1e6), id);
  return nullptr;
}

napi_value read_file(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  WorldNode* node;
  std::string name;
  uint64_t id;
  if (!read_node(env, arguments[0], node) ||
      !read_string(env, arguments[1], "readFile: name", name) ||
      !read_integer(env, arguments[2], "readFile: id", kSafeIntegerMax, id))
    return nullptr;
  node->read_file(id);
  const auto content = node->content(name);
  return content ? make_buffer(env, Bytes(*content)) : make_null(env);
}

napi_value replace_file(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  WorldNode* node;
  std::string name;
  Bytes bytes;
  uint64_t id;
  if (!read_node(env, arguments[0], node) ||
      !read_string(env, arguments[1], "replaceFile: name", name) ||
      !read_bytes(env, arguments[2], "replaceFile: bytes", bytes) ||
      !read_integer(env, arguments[3], "replaceFile: id", kSafeIntegerMax, id))
    return nullptr;
  if (name == kViewRecordName) world()->ledger.note_record(bytes);
  node->replace_file(name, {bytes.begin(), bytes.end()}, id);
  return nullptr;
}

napi_value tell_read(napi_env env, napi_callback_info info) {
  const Arguments<6> arguments(env, info);
  WorldNode* node;
  uint64_t id, kind, version, epoch;
  test::LoopAnswer answer;
  if (!read_node(env, arguments[0], node) ||
      !read_integer(env, arguments[1], "tellRead: id", kSafeIntegerMax, id) ||
      !read_integer(env, arguments[2], "tellRead: kind", 2, kind) ||
      !read_integer(env, arguments[3], "tellRead: version", kSafeIntegerMax, version) ||
      !read_integer(env, arguments[4], "tellRead: epoch", UINT32_MAX, epoch) ||
      !read_bytes_or_null(env, arguments[5], "tellRead: value", answer.value))
    return nullptr;
  answer.kind = static_cast<test::LoopAnswer::Kind>(kind);
  answer.version = version;
  answer.epoch = static_cast<Epoch>(epoch);
  world()->clients.on_read(*node, id, answer);
  return nullptr;
}

// By number: putColumns of world-addon.ts.
napi_value put_of(napi_env env, napi_callback_info info) {
  constexpr size_t kColumns = 10;
  const Arguments<2> arguments(env, info);
  uint64_t id;
  std::span<double> into;
  if (!read_integer(env, arguments[0], "putOf: id", kSafeIntegerMax, id) ||
      !read_float64s(env, arguments[1], "putOf: into", kColumns, into))
    return nullptr;
  const test::WorldClients::LoopPut put = world()->clients.put_of(id);
  const uint64_t columns[kColumns] = {
      put.shard,         put.key,           put.value,
      put.persisted,     put.expected,      put.expected_epoch,
      put.stamp.session, put.stamp.request, put.stamp.lowest_unanswered,
      put.pool};
  for (size_t i = 0; i < kColumns; i++) into[i] = static_cast<double>(columns[i]);
  return make_buffer(env, put.bytes);
}

napi_value tell_put(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  WorldNode* node;
  uint64_t id, status;
  std::span<double> become;  // version, epoch, time, previous version of the key
  if (!read_node(env, arguments[0], node) ||
      !read_integer(env, arguments[1], "tellPut: id", kSafeIntegerMax, id) ||
      !read_integer(env, arguments[2], "tellPut: status", kSafeIntegerMax, status) ||
      !read_float64s(env, arguments[3], "tellPut: become", 4, become))
    return nullptr;
  world()->clients.on_put(*node, {id, static_cast<Status>(status), static_cast<Epoch>(become[1]),
                                  static_cast<Version>(become[0]), static_cast<Micros>(become[2]),
                                  static_cast<Version>(become[3])});
  return nullptr;
}

napi_value tell_step(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  WorldNode* node;
  uint64_t step;
  if (!read_node(env, arguments[0], node) ||
      !read_integer(env, arguments[1], "tellStep: step", test::kWorldSteps - 1, step))
    return nullptr;
  node->told_step = static_cast<test::WorldStep>(step);
  world()->faults.on_pass(*node);
  world()->script.on_pass(*node);
  return nullptr;
}

napi_value fail(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  WorldNode* node;
  std::string why;
  if (!read_node(env, arguments[0], node) || !read_string(env, arguments[1], "fail: why", why))
    return nullptr;
  world()->on_failed(node->node(), why);
  return nullptr;
}

// What event loops find wrong; judged as what the world finds itself.
napi_value tell_violation(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  std::string text;
  if (read_string(env, arguments[0], "tellViolation: text", text)) world()->ledger.violation(text);
  return nullptr;
}

// The newest version of a shard that anybody has.
napi_value newest_of(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint64_t shard;
  if (!read_integer(env, arguments[0], "newestOf: shard", UINT32_MAX, shard)) return nullptr;
  return make_number(env, static_cast<double>(world()->ledger.newest(static_cast<ShardId>(shard))));
}

// The epoch of a version in the history of a shard as it is now.
napi_value epoch_of(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  uint64_t shard, version;
  if (!read_integer(env, arguments[0], "epochOf: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[1], "epochOf: version", kSafeIntegerMax, version))
    return nullptr;
  return make_number(env, world()->ledger.epoch_of(static_cast<ShardId>(shard), version));
}

// The shards of the layout of a view that a member has: number, and whether it is persistent.
napi_value tell_layout(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  uint64_t view;
  std::span<double> given;
  if (!read_integer(env, arguments[0], "tellLayout: view", UINT32_MAX, view) ||
      !read_float64s(env, arguments[1], "tellLayout: shards", 0, given))
    return nullptr;
  std::vector<test::WorldClients::LayoutShard> shards;
  for (size_t at = 0; at + 1 < given.size(); at += 2)
    shards.push_back({static_cast<ShardId>(given[at]), given[at + 1] != 0});
  world()->clients.on_layout(static_cast<uint32_t>(view), shards);
  return nullptr;
}

// What a linearizable read that begins now has to show: the version, and the history's era.
napi_value shown_of(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  uint64_t shard;
  std::span<double> into;
  if (!read_integer(env, arguments[0], "shownOf: shard", UINT32_MAX, shard) ||
      !read_float64s(env, arguments[1], "shownOf: into", 2, into))
    return nullptr;
  const test::WorldLedger::Floor floor = world()->ledger.floor(static_cast<ShardId>(shard));
  into[0] = static_cast<double>(floor.version);
  into[1] = floor.era;
  return nullptr;
}

// By number: pastColumns of world-addon.ts.
napi_value past_of(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  uint64_t shard, version;
  std::span<double> into;
  if (!read_integer(env, arguments[0], "pastOf: shard", UINT32_MAX, shard) ||
      !read_integer(env, arguments[1], "pastOf: version", kSafeIntegerMax, version) ||
      !read_float64s(env, arguments[2], "pastOf: into", 4, into))
    return nullptr;
  const auto id = static_cast<ShardId>(shard);
  const test::WorldClients::Delivered* delivered = world()->clients.delivered(id, version);
  if (delivered == nullptr) return make_boolean(env, false);
  into[0] = world()->ledger.epoch_of(id, version);
  into[1] = static_cast<double>(world()->ledger.time_of(id, version));
  into[2] = delivered->key;
  into[3] = static_cast<double>(delivered->value);
  return make_boolean(env, true);
}

// What a version of the catalog's shard is: its epoch, 1 if it removes, the length of its key, the
// key, the value; null: there is none.
napi_value entry_of(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint64_t version;
  if (!read_integer(env, arguments[0], "entryOf: version", kSafeIntegerMax, version))
    return nullptr;
  const auto& entries = world()->catalog.entries();
  if (version == 0 || version > entries.size()) return make_null(env);
  const test::WorldCatalog::Entry& entry = entries[version - 1];
  const uint32_t head[] = {entry.epoch, entry.removes, static_cast<uint32_t>(entry.key.size())};
  const Bytes parts[] = {std::as_bytes(std::span(head)), std::as_bytes(std::span(entry.key)),
                         Bytes(entry.value)};
  std::vector<std::byte> bytes;
  for (const Bytes part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return make_buffer(env, bytes);
}

// A call for the catalog is answered.
napi_value tell_catalog(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint64_t id;
  if (read_integer(env, arguments[0], "tellCatalog: id", kSafeIntegerMax, id))
    world()->catalog.on_answer(id);
  return nullptr;
}

// What was put with these bytes under the key; 0: nobody put them.
napi_value value_of(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Bytes bytes;
  uint64_t key;
  Token token = 0;
  if (!read_bytes(env, arguments[0], "valueOf: bytes", bytes) ||
      !read_integer(env, arguments[1], "valueOf: key", UINT32_MAX, key))
    return nullptr;
  const bool is_one = test::read_value(bytes, static_cast<uint32_t>(key), token);
  return make_number(env, is_one ? static_cast<double>(token) : 0);
}

napi_value note(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  std::string text;
  if (read_string(env, arguments[0], "note: text", text)) world()->note(text);
  return nullptr;
}

void set_text(napi_env env, napi_value object, const char* name, const std::string& text) {
  napi_value value;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  napi_set_named_property(env, object, name, value);
}

napi_value result_of(napi_env env, napi_callback_info) {
  const World& from = *world();
  napi_value result;
  napi_create_object(env, &result);
  std::string text;
  for (const std::string& item : from.ledger.violations) text += item + "\n";
  set_text(env, result, "violations", text);
  char trace[17];
  std::snprintf(trace, sizeof trace, "%016" PRIx64, from.trace());
  set_text(env, result, "trace", trace);
  const auto number = [&](const char* name, auto value) {
    napi_set_named_property(env, result, name, make_number(env, static_cast<double>(value)));
  };
  number("operations", from.clients.answered());
  number("answeredInExtras", from.clients.answered_in_extras());
  number("checked", from.clients.checked());
  number("reads", from.clients.reads());
  number("retries", from.clients.retries());
  number("deliveries", from.ledger.deliveries);
  number("views", from.ledger.views);
  number("restarts", from.ledger.restarts);
  number("undone", from.ledger.undone);
  number("faults", from.faults.count());
  number("passes", from.passes);
  number("rawDelivered", from.raw.delivered());
  number("rawAnswered", from.raw.answered());
  number("timeMs", from.events.now() / 1'000'000);
  number("settledMs", from.settled_after / 1'000'000);
  const auto& table = from.faults.table();
  void* data = nullptr;
  napi_value buffer, counts;
  constexpr size_t kCells = test::kWorldFaults * test::kWorldSteps;
  napi_create_arraybuffer(env, kCells * sizeof(uint32_t), &data, &buffer);
  std::memcpy(data, table.data(), kCells * sizeof(uint32_t));
  napi_create_typedarray(env, napi_uint32_array, kCells, buffer, 0, &counts);
  napi_set_named_property(env, result, "table", counts);
  return result;
}

}  // namespace

void add_world_functions(napi_env env, napi_value exports) {
  // Large blocks of members that end go back to the system: what takes their place is zero without
  // being written.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_TOP_PAD, 16 << 20);
  // Of the blocks that stores map only the beginnings are used: a huge page would be cleared whole.
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  add_functions(env, exports);
  add_function(env, exports, "openMember", open_member);
  add_function(env, exports, "drain", drain);
  add_function(env, exports, "beginWorld", begin_world);
  add_function(env, exports, "runWorld", run_world);
  add_function(env, exports, "endWorld", end_world);
  add_function(env, exports, "timeOf", time_of);
  add_function(env, exports, "wallOf", wall_of);
  add_function(env, exports, "after", after);
  add_function(env, exports, "readFile", read_file);
  add_function(env, exports, "replaceFile", replace_file);
  add_function(env, exports, "tellRead", tell_read);
  add_function(env, exports, "putOf", put_of);
  add_function(env, exports, "tellPut", tell_put);
  add_function(env, exports, "tellStep", tell_step);
  add_function(env, exports, "tellViolation", tell_violation);
  add_function(env, exports, "newestOf", newest_of);
  add_function(env, exports, "epochOf", epoch_of);
  add_function(env, exports, "tellLayout", tell_layout);
  add_function(env, exports, "shownOf", shown_of);
  add_function(env, exports, "pastOf", past_of);
  add_function(env, exports, "valueOf", value_of);
  add_function(env, exports, "entryOf", entry_of);
  add_function(env, exports, "tellCatalog", tell_catalog);
  add_function(env, exports, "fail", fail);
  add_function(env, exports, "note", note);
  add_function(env, exports, "resultOf", result_of);
}

}  // namespace freshet::binding
