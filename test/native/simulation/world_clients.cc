#include "test/native/simulation/world_clients.h"

#include <algorithm>

#include "test/native/simulation/world.h"
#include "test/native/simulation/world_values.h"

namespace freshet::test {
namespace {

constexpr Nanos kMilli = 1'000'000;
constexpr uint32_t kKeys = 12;  // of a shard
constexpr Nanos kPatience = 3'000 * kMilli;
constexpr Nanos kFloodMax = 1'000 * kMilli;
constexpr int64_t kByLoopPercent = 20;  // of what those that ask loops at all ask for
constexpr int64_t kExtraPercent = 30;   // of what is asked for while there are such shards
constexpr int64_t kFloods = 25;         // in the time of a world
constexpr int64_t kFloodPercent = 90;   // of what is asked for

}  // namespace

bool WorldClients::may_put(ShardHost& host, NodeId node) {
  if (!host.is_running()) return false;
  const auto& epoch = host.replica()->config();
  return std::ranges::any_of(epoch.senders, [&](Rank rank) { return epoch.members[rank] == node; });
}

// So that they do what is asked for in the time that is given, if nothing is in their way.
WorldClients::WorldClients(World& world)
    : world_(world),
      loop_random_(world.config.seed ^ 0x5EEDull << 32),
      floods_percent_(world.config.script.empty() ? kFloodPercent : 0),
      thinks_(2 * world.config.time * world.config.clients * 100 / (100 - floods_percent_) /
              static_cast<Nanos>(world.config.operations)),
      clients_(world.config.clients),
      extra_random_(world.config.seed ^ 0xE77Aull << 32) {
  for (const WorldShard& shard : world.config.shards) {
    if (shard.raw) continue;
    shards_[shard.shard].persistent = shard.persistent;
    if (!world.config.catalog || shard.shard != WorldCatalog::kShard) ids_.push_back(shard.shard);
    last_answers_[shard.shard] = 0;
  }
  for (size_t client = 0; client < clients_.size(); client += 2)
    clients_[client].session = kFirstToken + client + 1;
  for (size_t client = 0; client < clients_.size(); client++)
    clients_[client].asks_loops = client % 4 < 2;
}

void WorldClients::begin() {
  for (size_t client = 0; client < clients_.size(); client++) act(client);
  if (floods_percent_ > 0) flood_later();
}

void WorldClients::flood_later() {
  const Nanos delay = world_.random.between(0, 2 * world_.config.time / kFloods);
  world_.events.after(delay, [this] {
    if (ended_) return;
    flood(world_.config.operations / static_cast<uint64_t>(kFloods) + 1);
    flood_later();
  });
}

void WorldClients::flood(uint64_t operations) {
  flood_left_ = operations;
  flood_until_ = world_.events.now() + kFloodMax;
  for (size_t client = 0; client < clients_.size(); client++)
    if (clients_[client].now.token == 0) act(client);
}

void WorldClients::on_layout(uint32_t view, const std::vector<LayoutShard>& shards) {
  if (view <= layout_view_) return;
  layout_view_ = view;
  for (const auto& [shard, persistent] : shards) {
    if (shards_.contains(shard)) continue;
    shards_[shard].persistent = persistent;
    came_.push_back(shard);
    extras_.push_back(shard);
  }
  std::erase_if(extras_, [&](ShardId shard) {
    const bool stays = std::ranges::find(shards, shard, &LayoutShard::shard) != shards.end();
    if (!stays) leave(shard);
    return !stays;
  });
}

void WorldClients::leave(ShardId shard) {
  for (size_t nth = 0; nth < clients_.size(); nth++) {
    if (clients_[nth].now.token == 0 || clients_[nth].now.shard != shard) continue;
    give_up(clients_[nth]);
    act(nth);
  }
}

bool WorldClients::are_all_answered() const {
  return are_loops_done() &&
         std::ranges::all_of(clients_, [](const Client& client) { return client.now.token == 0; });
}

// Thinks for a while, or is at it again at once.
void WorldClients::act(size_t nth) {
  const bool floods = flood_left_ > 0 && world_.events.now() < flood_until_;
  act_after(nth, world_.random.between(0, floods ? kMilli : thinks_));
}

void WorldClients::act_after(size_t nth, Nanos delay) {
  world_.events.after(delay, [this, nth, turn = ++clients_[nth].turn] {
    Client& client = clients_[nth];
    if (client.turn != turn || client.now.token != 0 || ended_) return;
    if (client.node == 0 || world_.random.chance(10))
      client.node = static_cast<NodeId>(1 + world_.random.below(world_.config.nodes));
    WorldNode& node = world_.at(client.node);
    const bool here = node.member() != nullptr && !node.paused();
    if (here && submit(client, node)) return await(nth);
    client.node = 0;
    act_after(nth, world_.random.between(kMilli, 60 * kMilli));
  });
}

void WorldClients::await(size_t nth) {
  const Token token = clients_[nth].now.token;
  waiting_[token] = nth;
  world_.events.after(kPatience, [this, nth, token] {
    Client& client = clients_[nth];
    if (client.now.token != token || !waiting_.contains(token)) return;
    if (client.now.stamp.session != 0) return retry_later(nth);
    give_up(client);
    act(nth);
  });
}

void WorldClients::retry_later(size_t nth) {
  const Token token = clients_[nth].now.token;
  waiting_.erase(token);
  world_.events.after(world_.random.between(kMilli, 100 * kMilli), [this, nth, token] {
    if (clients_[nth].now.token == token) retry(nth);
  });
}

void WorldClients::retry(size_t nth) {
  Client& client = clients_[nth];
  client.node = static_cast<NodeId>(1 + world_.random.below(world_.config.nodes));
  WorldNode& node = world_.at(client.node);
  const bool by_loop = client.asks_loops && loop_random_.chance(kByLoopPercent);
  ShardHost* host = node.member() == nullptr ? nullptr : node.host(client.now.shard);
  const bool may = host != nullptr && may_put(*host, client.node);
  if (node.member() == nullptr || node.paused() || !(by_loop || may)) return retry_later(nth);
  client.now.token = next_token_++;
  client.now.node = client.node;
  client.now.life = node.life();
  if (by_loop) {
    put_by_loop(node, client.now);
  } else if (!is_ok(send(node, client.now))) {
    return retry_later(nth);
  }
  retries_++;
  await(nth);
}

// What it asked for may happen all the same.
void WorldClients::give_up(Client& client) {
  client.now.seen.returned = kNeverReturned;
  record(client.now);
  waiting_.erase(client.now.token);
  client.now = {};
  client.node = 0;
}

WorldClients::Operation WorldClients::operation_at(WorldNode& node, ShardId shard) {
  Operation operation;
  operation.token = next_token_++;
  operation.shard = shard;
  operation.key = static_cast<uint32_t>(world_.random.below(kKeys));
  operation.node = node.node();
  operation.life = node.life();
  operation.floor = world_.ledger.floor(shard);
  operation.seen.invoked = world_.events.now();
  return operation;
}

bool WorldClients::submit(Client& client, WorldNode& node) {
  ShardId shard = ids_[world_.random.below(ids_.size())];
  if (!extras_.empty() && extra_random_.chance(kExtraPercent))
    shard = extras_[extra_random_.below(extras_.size())];
  if (client.asks_loops && loop_random_.chance(kByLoopPercent))
    return submit_by_loop(client, node, shard);
  ShardHost* host = node.host(shard);
  if (host == nullptr || !host->is_running()) return false;
  Operation operation = operation_at(node, shard);
  const bool reads = !may_put(*host, node.node()) || world_.random.chance(40);
  const bool lacks_pool = shards_[shard].lacks_pool;
  const bool ok = reads        ? read(node, operation)
                  : lacks_pool ? make_pool(node, operation)
                               : put(client, node, operation);
  if (ok) client.now = operation;
  return ok;
}

// The rules of the pool: as a rule every version stays readable.
bool WorldClients::make_pool(WorldNode& node, Operation& operation) {
  operation.makes_pool = true;
  PoolRules rules;
  rules.pool = kPool;
  rules.history = world_.config.history;
  const std::string key = "pool/" + std::to_string(kPool);
  Change change;
  change.kind = RecordKind::kControl;
  change.key = std::as_bytes(std::span(key));
  change.value = std::as_bytes(std::span(&rules, 1));
  return is_ok(node.member()->submit(operation.shard, change, Ack::kDelivered, operation.token));
}

bool WorldClients::put(Client& client, WorldNode& node, Operation& operation) {
  begin_put(client, operation);
  return is_ok(send(node, operation));
}

void WorldClients::begin_put(Client& client, Operation& operation) {
  const bool persistent = is_persistent(operation.shard);
  operation.persisted = persistent && world_.random.chance(70);
  operation.seen.kind = Kind::kWrite;
  operation.seen.value = operation.token;
  const auto known = client.known.find(place_of(operation.shard, operation.key));
  if (known != client.known.end() && world_.random.chance(25)) {
    operation.seen.kind = Kind::kSwap;
    operation.seen.expected = known->second.value;
    operation.expected = known->second.version;
    if (world_.random.chance(50)) operation.expected_epoch = known->second.epoch;
  }
  if (client.session != 0) {
    const uint64_t request = ++client.requests;
    operation.stamp = {client.session, request, request};
  }
}

Status WorldClients::put_apart(ShardId shard, WorldNode& node, Token token) {
  Operation operation;
  operation.token = token;
  operation.shard = shard;
  operation.key = kKeys;
  operation.seen.value = token;
  return send(node, operation);
}

Status WorldClients::send(WorldNode& node, const Operation& operation) {
  const std::string key = name_of(operation.key);
  std::vector<std::byte> value = make_value(operation.seen.value, operation.key);
  Change change;
  change.pool = kPool;
  change.key = std::as_bytes(std::span(key));
  change.meta = std::as_bytes(std::span(&operation.seen.value, 1));
  change.value =
      value.size() > kBorrowThreshold ? lend(node, operation.token, std::move(value)) : value;
  if (operation.expected != 0) change.condition.version_of_key = operation.expected;
  if (operation.expected_epoch != 0) change.condition.epoch = operation.expected_epoch;
  change.session = operation.stamp;
  const Ack ack = operation.persisted ? Ack::kPersisted : Ack::kDelivered;
  const Status status = node.member()->submit(operation.shard, change, ack, operation.token);
  const auto lent = lent_.find(operation.token);
  if (lent != lent_.end() && world_.config.reuses_values) lent->second.value.back() ^= std::byte{1};
  return status;
}

// Kept until the member lets go of it, or ends.
const std::vector<std::byte>& WorldClients::lend(WorldNode& node, Token token,
                                                 std::vector<std::byte> value) {
  std::erase_if(lent_, [&](const auto& item) {
    const Lent& lent = item.second;
    return world_.at(lent.node).life() != lent.life;
  });
  return (lent_[token] = {node.node(), node.life(), std::move(value)}).value;
}

bool WorldClients::read(WorldNode& node, Operation& operation) {
  operation.seen.kind = Kind::kRead;
  operation.persisted = is_persistent(operation.shard);
  operation.generation = node.member()->find_shard(operation.shard)->store_generation();
  return is_ok(node.member()->wait_current(operation.shard, operation.persisted, operation.token));
}

void WorldClients::tell_wrong_bytes(const Operation& operation, Version version) {
  world_.ledger.violation("shard " + std::to_string(operation.shard) + ", version " +
                          std::to_string(version) + " at node " + std::to_string(operation.node) +
                          ": " + name_of(operation.key) + " has bytes that nobody put");
}

void WorldClients::on_completion(WorldNode& node, const Row& row) {
  const auto token = static_cast<Token>(row[1]);
  const auto status = static_cast<Status>(row[2]);
  const Completion completion{token,
                              status,
                              static_cast<Epoch>(row[3]),
                              static_cast<Version>(row[4]),
                              static_cast<Micros>(row[5]),
                              static_cast<Version>(row[6])};
  if (world_.config.trace)
    world_.note("token " + std::to_string(token - kFirstToken) + " at node " +
                std::to_string(node.node()) + ": status " + std::to_string(row[2]));
  const auto found = waiting_.find(token);
  if (found == waiting_.end()) return;  // it was given up
  take_put(found->second, completion);
}

void WorldClients::take_put(size_t nth, const Completion& completion) {
  const auto [token, status] = std::pair(completion.token, completion.status);
  waiting_.erase(token);
  Client& client = clients_[nth];
  Operation operation = client.now;
  const bool answers =
      status == Status::kOk || status == Status::kConditionFailed || status == Status::kUnknownPool;
  if (operation.stamp.session != 0 && !answers) {
    if (status == Status::kSessionExpired)
      world_.ledger.violation("shard " + std::to_string(operation.shard) +
                              " says that an unanswered request of a session is too old");
    return retry_later(nth);
  }
  client.now = {};
  operation.seen.returned = world_.events.now();
  if (operation.makes_pool) {
    shards_[operation.shard].lacks_pool = !is_ok(status);
    return after_answer(nth, is_ok(status));
  }
  if (status == Status::kUnknownPool) shards_[operation.shard].lacks_pool = true;
  if (operation.seen.kind == Kind::kRead) {
    if (!is_ok(status)) return after_answer(nth, false);
    // Some are slow to look.
    if (world_.random.chance(70)) return finish_read(nth, operation);
    const Nanos delay = world_.random.between(0, 300 * kMilli);
    waiting_[token] = nth;
    client.now = operation;
    world_.at(operation.node).later(delay, [=, this] {
      if (clients_[nth].now.token != token) return;
      waiting_.erase(token);
      clients_[nth].now = {};
      finish_read(nth, operation);
    });
    return;
  }
  if (status == Status::kOk) {
    // The completion came behind the delivery: it is in the ledger.
    acks_.push_back({operation.shard, completion, operation.seen.value, operation.persisted});
    if (operation.floor.era == shards_[operation.shard].era)
      client.known[place_of(operation.shard, operation.key)] = {
          operation.seen.value, completion.version, completion.epoch};
    record(operation);
    return after_answer(nth, true);
  }
  if (status == Status::kConditionFailed && operation.seen.kind == Kind::kSwap) {
    operation.seen.kind = Kind::kSwapFail;
    client.known.erase(place_of(operation.shard, operation.key));
    if (!is_persistent(operation.shard)) record(operation);
    return after_answer(nth, true);
  }
  // Refused before it was ordered, or its outcome is not known.
  operation.seen.returned = kNeverReturned;
  record(operation);
  after_answer(nth, false);
}

// From memory, at once, as on the calling thread of the event loop.
void WorldClients::finish_read(size_t nth, const Operation& given) {
  Operation operation = given;
  WorldNode& node = world_.at(operation.node);
  const ShardView* view = node.member()->find_shard(operation.shard);
  if (view == nullptr) return after_answer(nth, false);
  const EpochView* epoch = view->epoch();
  const std::shared_ptr<Store> store = view->store();
  const bool is_same = view->store_generation() == operation.generation;
  if (epoch == nullptr || store == nullptr || !is_same) return after_answer(nth, false);
  const Frontiers& frontiers = epoch->frontiers;
  ReadPoint point;
  if (operation.persisted) point.newest_max = frontiers.persisted_version.load();
  const Found found = store->get(name_of(operation.key), point);
  const bool absent = found.status == Status::kNotFound || found.removed;
  if (!absent && found.record == nullptr) return after_answer(nth, false);
  if (!absent) {
    const RecordView record(found.record);
    if (!read_value(record.value(), operation.key, operation.seen.value))
      return tell_wrong_bytes(operation, found.version);
    clients_[nth].known[place_of(operation.shard, operation.key)] = {
        operation.seen.value, found.version, record.header().epoch};
  }
  operation.seen.returned = world_.events.now();
  const Version shown =
      operation.persisted ? frontiers.persisted_version.load() : frontiers.delivered_version.load();
  reads_++;
  shown_.push_back({operation.shard, operation.floor, shown, operation.node});
  record(operation);
  after_answer(nth, true);
}

void WorldClients::after_answer(size_t nth, bool ok) {
  if (flood_left_ > 0) flood_left_--;
  if (ok) {
    answered_++;
    return act(nth);
  }
  clients_[nth].node = 0;
  act_after(nth, world_.random.between(kMilli, 100 * kMilli));
}

std::string WorldClients::describe() const {
  std::string text;
  for (const Client& client : clients_) {
    if (client.now.token == 0) continue;
    text += "unanswered: shard " + std::to_string(client.now.shard) + " at node " +
            std::to_string(client.now.node) + "\n";
  }
  return text;
}

}  // namespace freshet::test
