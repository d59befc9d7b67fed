#include "test/native/support/cluster.h"

#include <algorithm>
#include <cstring>

#include "native/core/shard_table.h"

namespace freshet::test {
namespace {

constexpr PoolId kPool = 1;
constexpr size_t kKeys = 12;
constexpr size_t kSessions = 3;
constexpr size_t kBacklogMax = 20'000;
constexpr uint64_t kLeavingPasses = 6;
constexpr uint64_t kTurnsMax = 3'000'000;
constexpr Micros kStartTime = 1'700'000'000'000'000;

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

Cluster::Cluster(ClusterConfig config)
    : config_(config),
      random_(config.seed * 2 + 1),
      network_({config.seed, 5'000, 200'000, 1'000'000, config.tear_percent}) {
  build();
}

Cluster::~Cluster() = default;

void Cluster::build() {
  for (size_t m = 0; m < config_.members; m++) {
    auto member = std::make_unique<Member>();
    member->node = static_cast<NodeId>(m + 1);
    member->transport = network_.join(member->node);
    member->clock_offset = random_.between(-3000, 3000);
    member->pace = random_.chance(config_.slow_percent) ? 2'000'000 : 30'000;
    members_.push_back(std::move(member));
  }
  for (size_t shard = 0; shard < config_.shards; shard++) {
    std::vector<Rank> senders;
    for (Rank rank = 0; rank < config_.members; rank++) {
      if (config_.all_send || random_.chance(70)) senders.push_back(rank);
    }
    if (senders.empty()) senders.push_back(static_cast<Rank>(random_.below(config_.members)));
    for (auto& member : members_) add_replica(*member, shard, senders);
  }
  for (auto& member : members_) {
    for (auto& other : members_) {
      if (other != member) (void)member->transport->add_peer({other->node, "", 0});
    }
  }
  // Connections stand before anyone starts.
  network_.advance_to(100'000'000);
  std::vector<PeerEvent> events;
  for (int round = 0; round < 2; round++) {
    for (auto& member : members_) member->transport->poll(0, events);
  }
}

void Cluster::add_replica(Member& member, size_t shard, const std::vector<Rank>& senders) {
  ShardConfig config;
  config.shard = static_cast<ShardId>(shard + 1);
  config.epoch = 1;
  for (const auto& item : members_) config.members.push_back(item->node);
  config.senders = senders;
  config.me = member.node;
  config.ring_size = config_.ring_size;
  config.persistent = config_.persistent;
  config.multicast = config_.multicast;
  config.block_size = config_.block_size;
  Replica replica;
  replica.senders = senders;
  replica.store = std::make_unique<Store>(StoreConfig{config.shard, config_.persistent});
  replica.replica = std::make_unique<ShardReplica>(config, *replica.store, member.clock);
  replica.replica->begin();
  replica.regions = replica.replica->regions();
  for (const GrantedRegion& region : replica.regions)
    (void)member.transport->grant(region.writer, region.id, region.memory);
  member.replicas.push_back(std::move(replica));
}

ClusterResult Cluster::run() {
  for (size_t m = 0; m < members_.size(); m++)
    turns_.push({network_.now() + random_.between(0, 50'000), order_++, m});
  for (uint64_t count = 0; !quiet(); count++) {
    if (count > kTurnsMax) {
      violation("liveness: still busy after the last turn");
      break;
    }
    const Turn next = turns_.top();
    turns_.pop();
    network_.advance_to(std::max(next.at, network_.now()));
    turn(next.member);
    const Nanos pace = members_[next.member]->pace;
    turns_.push({network_.now() + random_.between(pace / 4, pace * 2), order_++, next.member});
    if (result_.violations.size() > 20) break;
  }
  check_answers();
  for (size_t shard = 0; shard < config_.shards; shard++) {
    check_ends(shard);
    check_histories(shard);
    check_records(shard);
    check_rows(shard);
  }
  result_.trace = network_.trace();
  return result_;
}

bool Cluster::quiet() const {
  if (operations_.size() < config_.operations || cuts_open_ > 0) return false;
  for (const auto& member : members_) {
    if (member->busy || network_.next_arrival(member->node) != INT64_MAX) return false;
    for (const Replica& replica : member->replicas) {
      if (!replica.syncs.empty()) return false;
    }
  }
  return true;
}

void Cluster::turn(size_t m) {
  Member& member = *members_[m];
  std::vector<PeerEvent> events;
  int work = member.transport->poll(0, events);
  cut_some();
  submit_some(m);
  wait_some(m);
  for (const auto& other : members_) {
    const bool congested = member.transport->backlog(other->node) > kBacklogMax;
    for (Replica& replica : member.replicas) replica.replica->set_congested(other->node, congested);
    if (congested) work++;
  }
  for (size_t shard = 0; shard < config_.shards; shard++) work += step_replica(m, shard);
  member.busy = work > 0;
}

int Cluster::step_replica(size_t m, size_t shard) {
  Member& member = *members_[m];
  Replica& replica = member.replicas[shard];
  harm(m, replica);
  int work = sync(replica) + end_grants(replica);
  member.out.clear();
  const Micros wall = kStartTime + network_.now() / 1000 + member.clock_offset;
  work += replica.replica->step(wall, member.out);
  apply_outputs(member, replica);
  LogBatch batch;
  const Sequence delivered = replica.replica->frontiers().delivered.load();
  if (config_.persistent && replica.store->close_batch(delivered, batch)) {
    const Nanos earliest = replica.syncs.empty() ? 0 : replica.syncs.back().at;
    const Nanos at = network_.now() + random_.between(50'000, 3'000'000);
    replica.syncs.push_back({std::max(earliest, at), batch, replica.store->newest_version()});
    work++;
    if (config_.canary == Canary::kEarlyAck) replica.replica->on_synced(delivered);
  }
  // In a member the heartbeat does this; here, whenever there is nothing else to do.
  if (work == 0 && replica.replica->show_delivered()) work++;
  check_frontiers(m, shard);
  return work;
}

int Cluster::end_grants(Replica& replica) {
  const int leaving = static_cast<int>(replica.leaving.size());
  std::erase_if(replica.leaving, [&](Leaving& item) {
    if (item.passes-- > 0) return false;
    replica.replica->on_revoked(item.revoke.writer, item.revoke.region);
    return true;
  });
  return leaving;
}

int Cluster::sync(Replica& replica) {
  int count = 0;
  while (!replica.syncs.empty() && replica.syncs.front().at <= network_.now()) {
    const LogBatch batch = replica.syncs.front().batch;
    replica.store->on_batch_synced(batch);
    replica.synced_version = replica.syncs.front().version;
    replica.replica->on_synced(batch.last_sequence);
    replica.syncs.erase(replica.syncs.begin());
    count++;
  }
  return count;
}

void Cluster::apply_outputs(Member& member, Replica& replica) {
  for (const GrantedRegion& region : member.out.grants)
    (void)member.transport->grant(region.writer, region.id, region.memory);
  for (const RegionWrite& write : member.out.writes) {
    if (config_.canary == Canary::kLostWrite && write.region.kind == RegionKind::kRing &&
        canary_countdown_-- == 1)
      continue;
    if (config_.canary == Canary::kLostBlock && write.region.kind == RegionKind::kBlocks &&
        canary_countdown_-- == 1)
      continue;
    member.transport->write(write.peer, write.region, write.offset, write.bytes, write.stable);
  }
  for (const RegionRevoke& revoke : member.out.revokes) {
    member.transport->revoke(revoke.writer, revoke.region);
    replica.leaving.push_back({revoke, random_.below(kLeavingPasses)});
  }
  for (const Completion& completion : member.out.completions) {
    if (config_.canary == Canary::kForgetAnswer && canary_countdown_-- == 1) continue;
    check_completion(completion, replica);
  }
  for (const Token token : member.out.released) {
    Operation& operation = *operations_[token - 1];
    if (operation.releases++ > 0) violation("released twice");
    // What is released may be overwritten at once.
    std::fill(operation.lent.begin(), operation.lent.end(), std::byte{0xEE});
    operation.lent.clear();
    operation.lent.shrink_to_fit();
  }
}

void Cluster::submit_some(size_t m) {
  if (operations_.size() >= config_.operations || random_.chance(50)) return;
  const uint64_t burst = random_.chance(10) ? 30 : 3;
  for (uint64_t i = random_.below(burst) + 1; i > 0; i--) {
    if (operations_.size() < config_.operations) submit_one(m);
  }
}

void Cluster::submit_one(size_t m) {
  auto made = std::make_unique<Operation>(random_.chance(10) ? make_retry(m) : make_operation(m));
  Operation& operation = *made;
  const Token token = operations_.size() + 1;
  uint64_t name[2] = {token, m};
  operation.meta.resize(sizeof name);
  std::memcpy(operation.meta.data(), name, sizeof name);
  operation.lent = operation.value;
  operation.large = operation.value.size() > config_.ring_size / kRingInlineDivisor;
  operations_.push_back(std::move(made));

  Change change;
  change.kind = operation.kind;
  change.pool = kPool;
  change.key = bytes_of(operation.key);
  change.meta = operation.meta;
  change.value = operation.lent;
  change.condition = operation.condition;
  change.session = operation.session;
  const Status status =
      members_[m]->replicas[operation.shard].replica->submit(change, operation.ack, token);
  operation.accepted = status == Status::kOk;
  if (status == Status::kOverloaded) result_.overloaded++;
  if (operation.accepted) {
    if (operation.large) result_.large++;
  } else if (status != Status::kOverloaded && status != Status::kNotAMember) {
    violation(std::string("submit: ") + status_name(status));
  }
}

Cluster::Operation Cluster::make_operation(size_t m) {
  Operation operation;
  operation.member = m;
  operation.shard = random_.below(config_.shards);
  if (!rules_sent_.contains(operation.shard)) return make_rules(m, operation.shard);
  operation.kind = random_.chance(85)   ? RecordKind::kPut
                   : random_.chance(60) ? RecordKind::kRemove
                                        : RecordKind::kTrigger;
  operation.ack = config_.persistent && random_.chance(30) ? Ack::kPersisted
                  : random_.chance(80)                     ? Ack::kDelivered
                                                           : Ack::kNone;
  operation.key = "cows/" + std::to_string(random_.below(kKeys));
  if (operation.kind == RecordKind::kRemove) return operation;
  const bool large = random_.chance(config_.large_percent);
  const size_t size = large ? config_.ring_size / 4 + random_.below(4 * config_.ring_size)
                            : random_.below(config_.value_max + 1);
  operation.value.resize(size);
  uint64_t state = random_.next();
  for (std::byte& byte : operation.value) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    byte = static_cast<std::byte>(state >> 56);
  }
  if (random_.chance(15)) {
    const Found found = members_[m]->replicas[operation.shard].store->get(operation.key, {});
    operation.condition.version_of_key =
        found.status == Status::kOk && random_.chance(80) ? found.version : 0;
  }
  if (random_.chance(15)) {
    const uint64_t session = random_.below(kSessions) + 1;
    operation.session = {session, ++session_next_[session], 1};
  }
  return operation;
}

// The pool's rules come first: everything is kept, so that the checkers see all versions.
Cluster::Operation Cluster::make_rules(size_t m, size_t shard) {
  const auto& senders = members_[m]->replicas[shard].senders;
  Operation operation;
  operation.member = m;
  operation.shard = shard;
  operation.kind = RecordKind::kControl;
  operation.ack = Ack::kDelivered;
  operation.key = "pool/" + std::to_string(kPool);
  PoolRules rules;
  rules.pool = kPool;
  rules.history = 0;
  const Bytes bytes = std::as_bytes(std::span(&rules, 1));
  operation.value.assign(bytes.begin(), bytes.end());
  if (std::find(senders.begin(), senders.end(), m) != senders.end()) rules_sent_.insert(shard);
  return operation;
}

// The same request again, by another client at another member.
Cluster::Operation Cluster::make_retry(size_t m) {
  for (auto item = operations_.rbegin(); item != operations_.rend(); ++item) {
    if ((*item)->session.session == 0) continue;
    Operation operation = **item;
    operation.member = m;
    operation.ack = Ack::kDelivered;
    operation.accepted = false;
    operation.answers = 0;
    operation.releases = 0;
    return operation;
  }
  return make_operation(m);
}

void Cluster::wait_some(size_t m) {
  if (!random_.chance(20)) return;
  const size_t shard = random_.below(config_.shards);
  Replica& replica = members_[m]->replicas[shard];
  const Token token = kWaitBit | (waits_.size() + 1);
  const bool persisted = random_.chance(50);
  waits_[token] = {0, shard, replica.replica->frontiers().changes.load(), persisted,
                   acknowledged_[shard]};
  replica.replica->wait_current(token, persisted);
}

void Cluster::cut_some() {
  for (Cut& cut : cuts_) {
    if (cut.heal_at == 0 || cut.heal_at > network_.now()) continue;
    network_.heal(cut.from, cut.to);
    cut.heal_at = 0;
    cuts_open_--;
  }
  if (cuts_.size() >= config_.cuts || members_.size() < 2 || !random_.chance(1)) return;
  const auto from = static_cast<NodeId>(random_.below(members_.size()) + 1);
  const auto to = static_cast<NodeId>(random_.below(members_.size()) + 1);
  if (from == to) return;
  network_.cut(from, to);
  cuts_.push_back({from, to, network_.now() + random_.between(1'000'000, 20'000'000)});
  cuts_open_++;
}

// What the canaries do to a member between its poll and its pass.
void Cluster::harm(size_t m, Replica& replica) {
  if (members_.size() < 2) return;
  if (config_.canary == Canary::kDeliverEarly && m == 0) {
    const RowLayout layout{replica.senders.size()};
    for (const GrantedRegion& region : replica.regions) {
      if (region.id.kind != RegionKind::kShardRow || region.writer != members_.size()) continue;
      auto* cell = reinterpret_cast<uint64_t*>(region.memory.data()) + layout.received_seq();
      const auto received = static_cast<uint64_t>(replica.replica->frontiers().received.load() + 1);
      replica.forged = std::max({replica.forged, *cell, received});
      *cell = replica.forged;
    }
  }
  if (config_.canary == Canary::kWrongValue && m == 0) {
    for (const GrantedRegion& region : replica.regions) {
      if (region.id.kind == RegionKind::kRing)
        region.memory[random_.below(region.memory.size())] ^= std::byte{1};
    }
  }
}

void Cluster::violation(const std::string& text) { result_.violations.push_back(text); }

}  // namespace freshet::test
