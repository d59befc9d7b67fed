// What clients of a World ask the event loops of members for.
#include <algorithm>

#include "test/native/simulation/world.h"
#include "test/native/simulation/world_clients.h"
#include "test/native/simulation/world_values.h"

namespace freshet::test {
namespace {

// Longer than a call is sent again for, wherever it waits meanwhile.
constexpr Nanos kLate = 30'000'000'000;

}  // namespace

// At a member that may hold the shard or not.
bool WorldClients::submit_by_loop(Client& client, WorldNode& node, ShardId shard) {
  Operation operation = operation_at(node, shard);
  operation.persisted = is_persistent(shard);
  if (shards_[shard].lacks_pool || loop_random_.chance(50)) {
    read_by_loop(node, operation);
  } else {
    begin_put(client, operation);
    put_by_loop(node, operation);
  }
  client.now = operation;
  return true;
}

void WorldClients::read_by_loop(WorldNode& node, Operation& operation) {
  operation.seen.kind = Kind::kRead;
  if (loop_random_.chance(50))
    operation.level = loop_random_.chance(60) ? ReadLevel::kStable : ReadLevel::kLocal;
  const auto level = static_cast<uint64_t>(operation.level);
  ask_loop(node, operation,
           {LoopEvent::Kind::kRead, node.node(), operation.token,
            (uint64_t{operation.shard} << 4 | operation.key) << 2 | level});
}

void WorldClients::put_by_loop(WorldNode& node, const Operation& operation) {
  std::erase_if(late_puts_, [&](const Operation& late) {
    return late.seen.invoked + kLate < world_.events.now();
  });
  late_puts_.push_back(operation);
  ask_loop(node, operation, {LoopEvent::Kind::kPut, node.node(), operation.token, 0});
}

// What ended with its process is answered no more.
void WorldClients::ask_loop(WorldNode& node, const Operation& operation, const LoopEvent& event) {
  std::erase_if(at_loops_, [&](const auto& item) {
    return world_.at(item.second.node).life() != item.second.life;
  });
  at_loops_[operation.token] = operation;
  node.ask_loop(event);
}

WorldClients::LoopPut WorldClients::put_of(Token token) {
  const Operation& operation = at_loops_.at(token);
  loop_value_ = make_value(operation.seen.value, operation.key);
  return {.shard = operation.shard,
          .key = operation.key,
          .value = operation.seen.value,
          .persisted = operation.persisted,
          .expected = operation.expected,
          .expected_epoch = operation.expected_epoch,
          .stamp = operation.stamp,
          .pool = kPool,
          .bytes = loop_value_};
}

void WorldClients::on_put(WorldNode& node, const Completion& completion) {
  at_loops_.erase(completion.token);
  if (world_.config.trace)
    world_.note("token " + std::to_string(completion.token - kFirstToken) + " by loop at node " +
                std::to_string(node.node()) + ": status " +
                std::to_string(static_cast<int>(completion.status)));
  const auto found = waiting_.find(completion.token);
  if (found != waiting_.end()) take_put(found->second, completion);
}

void WorldClients::on_read(WorldNode& node, Token token, const LoopAnswer& answer) {
  at_loops_.erase(token);
  const auto found = waiting_.find(token);
  if (found == waiting_.end()) return;  // it was given up
  const size_t nth = found->second;
  waiting_.erase(found);
  Operation operation = std::exchange(clients_[nth].now, {});
  if (answer.kind == LoopAnswer::Kind::kRefused) return after_answer(nth, false);
  operation.seen.returned = world_.events.now();
  if (answer.kind == LoopAnswer::Kind::kFound) {
    uint64_t& value = operation.seen.value;
    if (!read_value(answer.value, operation.key, value))
      return tell_wrong_bytes(operation, answer.version);
    if (operation.level != ReadLevel::kLocal)
      world_.ledger.shown(operation.shard, answer.version, value, node.node());
    const bool is_of_era = operation.floor.era == shards_[operation.shard].era;
    if (operation.level == ReadLevel::kLinearizable && is_of_era)
      clients_[nth].known[place_of(operation.shard, operation.key)] = {value, answer.version,
                                                                       answer.epoch};
  }
  reads_++;
  if (operation.level == ReadLevel::kLinearizable) record(operation);
  after_answer(nth, true);
}

// All calls are answered in the end, also those that their clients have given up, unless their
// process ended.
bool WorldClients::are_loops_done() const {
  return std::ranges::all_of(at_loops_, [&](const auto& item) {
    const Operation& operation = item.second;
    return world_.at(operation.node).life() != operation.life;
  });
}

// A total restart took back the end of the shard's history: what was sent before may come yet, or
// come again.
void WorldClients::record_late_puts(ShardId id) {
  const Shard& shard = shards_[id];
  std::vector<uint64_t> done;
  for (const Delivered& item : shard.delivered) done.push_back(item.value);
  for (const Client& client : clients_) done.push_back(client.now.seen.value);
  for (const Operation& late : late_puts_) {
    if (late.shard != id || std::ranges::find(done, late.seen.value) != done.end()) continue;
    done.push_back(late.seen.value);
    record(late);
  }
}

}  // namespace freshet::test
