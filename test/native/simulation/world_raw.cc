#include "test/native/simulation/world_raw.h"

#include <algorithm>
#include <cstring>

#include "test/native/simulation/world.h"

namespace freshet::test {
namespace {

constexpr Nanos kRawMilli = 1'000'000;
constexpr PoolId kTriggerPool = 1;

}  // namespace

void WorldRaw::begin() {
  for (const WorldShard& shard : world_.config.shards)
    if (shard.raw) shards_.push_back(shard.shard);
  if (!shards_.empty()) send_later();
}

// Now and then, or several at once.
void WorldRaw::send_later() {
  const Nanos most = (world_.random.chance(40) ? 1 : 120) * kRawMilli;
  world_.events.after(world_.random.between(0, most), [this] {
    if (ended_) return;
    const ShardId shard = shards_[world_.random.below(shards_.size())];
    send(shard, world_.at(static_cast<NodeId>(1 + world_.random.below(world_.config.nodes))));
    send_later();
  });
}

void WorldRaw::send(ShardId shard, WorldNode& node) {
  ShardHost* host = node.host(shard);
  if (host == nullptr || !host->is_running() || node.paused()) return;
  const Token token = next_token_++;
  const Message message{shard, node.node(), node.life(), token, !has_pool_[shard]};
  if (submit(message, node)) open_[token] = message;
}

bool WorldRaw::submit(const Message& message, WorldNode& node) {
  Change change;
  PoolRules rules;
  rules.pool = kTriggerPool;
  rules.trigger_only = 1;
  rules.history = 0;
  const std::string key = message.makes_pool ? "pool/" + std::to_string(kTriggerPool)
                                             : "node/" + std::to_string(message.sender);
  change.key = std::as_bytes(std::span(key));
  if (message.makes_pool) {
    change.kind = RecordKind::kControl;
    change.value = std::as_bytes(std::span(&rules, 1));
  } else {
    change.kind = RecordKind::kTrigger;
    change.pool = kTriggerPool;
    change.meta = std::as_bytes(std::span(&message.number, 1));
  }
  return is_ok(node.member()->submit(message.shard, change, Ack::kDelivered, message.number));
}

bool WorldRaw::are_all_answered() const {
  return std::ranges::none_of(open_, [&](const auto& item) {
    const WorldNode& sender = world_.at(item.second.sender);
    return sender.member() != nullptr && sender.life() == item.second.life;
  });
}

void WorldRaw::on_completion(const Row& row) {
  const auto found = open_.find(static_cast<Token>(row[1]));
  if (found == open_.end())
    return world_.ledger.violation("a raw message is answered that was not sent, or was before");
  const Message message = found->second;
  const auto status = static_cast<Status>(row[2]);
  open_.erase(found);
  if (message.makes_pool) {
    has_pool_[message.shard] = is_ok(status);
    pool_before_[message.shard] = next_token_;
  } else if (is_ok(status)) {
    answered_++;
    answers_.push_back({message, static_cast<Epoch>(row[3])});
    if (row[4] != 0) world_.ledger.violation("a raw message is answered with a version");
  } else if (status == Status::kUnknownPool) {
    has_pool_[message.shard] = false;
  }
}

void WorldRaw::look_at(WorldNode& node) {
  if (shards_.empty()) return;
  note_suspects(node);
  for (const ShardId shard : shards_) look_at(node, shard);
  check_answered();
}

void WorldRaw::note_suspects(const WorldNode& node) {
  const Membership& membership = *node.membership();
  for (const ViewMember& member : membership.view().members)
    if (has_seat(membership.suspects(), member.seat))
      suspected_[member.id.node] = world_.events.now();
}

void WorldRaw::look_at(WorldNode& node, ShardId shard) {
  ShardHost* host = node.host(shard);
  if (host == nullptr || host->replica() == nullptr || !host->is_running()) return;
  Receiver& receiver = receivers_[{node.node(), shard}];
  const uint64_t generation = host->view().store_generation();
  const Epoch epoch = host->epoch();
  if (receiver.life != node.life()) {
    receiver = {};
    receiver.life = node.life();
  }
  if (receiver.generation != generation) {
    receiver.generation = generation;
    receiver.checked = 0;
  }
  receiver.began.emplace(epoch, world_.events.now());
  const Store& store = *host->store();
  while (receiver.checked < store.newest_version()) {
    const Found found = store.get_version(++receiver.checked);
    if (found.record != nullptr) take(node, shard, receiver, RecordView(found.record));
  }
}

void WorldRaw::take(WorldNode& node, ShardId shard, Receiver& receiver, const RecordView& record) {
  uint64_t number = 0;
  if (record.header().kind != RecordKind::kTrigger || record.meta().size() != sizeof number) return;
  std::memcpy(&number, record.meta().data(), sizeof number);
  const auto sender = static_cast<NodeId>(std::stoul(std::string(record.key().substr(5))));
  const std::string what = "raw message " + std::to_string(number - kFirstToken) + " of node " +
                           std::to_string(sender) + " in shard " + std::to_string(shard) +
                           " comes ";
  const std::string to = " to node " + std::to_string(node.node());
  delivered_++;
  if (!receiver.seen.insert(number).second) {
    world_.ledger.violation(what + "twice" + to);
  } else if (number < receiver.last[sender]) {
    world_.ledger.violation(what + "out of its order" + to);
  }
  receiver.last[sender] = std::max(receiver.last[sender], number);
}

// At whoever was in the epoch, is in it still or went on from it.
void WorldRaw::check_answered() {
  for (const Answered& answer : answers_) {
    const Message& message = answer.message;
    // Sent while a restart's blank stores were told of the pool, each in its time.
    if (!has_pool_[message.shard] || message.number < pool_before_[message.shard]) continue;
    for (NodeId node = 1; node <= world_.config.nodes; node++) {
      const auto found = receivers_.find({node, message.shard});
      if (found == receivers_.end() || found->second.life != world_.at(node).life()) continue;
      const Receiver& receiver = found->second;
      const auto began = receiver.began.find(answer.epoch);
      if (began == receiver.began.end() || receiver.seen.contains(message.number)) continue;
      const auto suspected = suspected_.find(node);
      if (suspected != suspected_.end() && suspected->second >= began->second) continue;
      world_.ledger.violation("raw message " + std::to_string(message.number - kFirstToken) +
                              " of node " + std::to_string(message.sender) + " in shard " +
                              std::to_string(message.shard) + " was answered and is not at node " +
                              std::to_string(node));
    }
  }
  answers_.clear();
}

}  // namespace freshet::test
