// Replicas of one shard in one process, joined by memcpy and stepped by hand: for tests that want
// to say what happens when.
#ifndef FRESHET_TEST_NATIVE_SUPPORT_DIRECT_GROUP_H_
#define FRESHET_TEST_NATIVE_SUPPORT_DIRECT_GROUP_H_

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "native/core/hybrid_clock.h"
#include "native/core/shard_replica.h"
#include "native/core/store/store.h"

namespace freshet::test {

struct DirectConfig {
  size_t members = 3;
  size_t senders = 3;  // the first ranks
  size_t ring_size = kRingSizeMin;
  bool persistent = false;
  bool raw = false;
  Version dispatch_lag_max = UINT64_MAX;
  MulticastAlgorithm multicast = MulticastAlgorithm::kBinomial;
  uint32_t block_size = kBlockSizeDefault;
};

class DirectGroup {
 public:
  static constexpr PoolId kPool = 1;
  static constexpr Token kRulesToken = UINT64_MAX;
  static constexpr Micros kWall = 1'700'000'000'000'000;

  explicit DirectGroup(DirectConfig config) {
    for (size_t m = 0; m < config.members; m++) {
      auto member = std::make_unique<Member>();
      ShardConfig shard;
      shard.shard = 1;
      shard.epoch = 1;
      for (size_t i = 0; i < config.members; i++)
        shard.members.push_back(static_cast<NodeId>(i + 1));
      for (Rank rank = 0; rank < config.senders; rank++) shard.senders.push_back(rank);
      shard.me = static_cast<NodeId>(m + 1);
      shard.ring_size = config.ring_size;
      shard.persistent = config.persistent;
      shard.raw = config.raw;
      shard.dispatch_lag_max = config.dispatch_lag_max;
      shard.multicast = config.multicast;
      shard.block_size = config.block_size;
      member->store = std::make_unique<Store>(StoreConfig{1, config.persistent});
      member->replica = std::make_unique<ShardReplica>(shard, *member->store, member->clock);
      member->replica->begin();
      member->regions = member->replica->regions();
      members_.push_back(std::move(member));
    }
  }

  ShardReplica& replica(size_t m) { return *members_[m]->replica; }
  Store& store(size_t m) { return *members_[m]->store; }
  Outputs& out(size_t m) { return members_[m]->out; }
  size_t size() const { return members_.size(); }
  // The memory that `writer` writes at member m.
  MutableBytes memory(size_t m, RegionKind kind, NodeId writer) {
    for (const GrantedRegion& region : members_[m]->regions) {
      if (region.id.kind == kind && region.writer == writer) return region.memory;
    }
    return {};
  }

  // One pass; its writes arrive at once, its answers are noted.
  int step(size_t m) {
    Member& member = *members_[m];
    member.out.clear();
    const int work = member.replica->step(kWall, member.out);
    for (const GrantedRegion& region : member.out.grants) member.regions.push_back(region);
    for (const RegionWrite& write : member.out.writes) {
      on_write(m, write);
      if (arrives) arrive(m, write);
    }
    for (const BlockSent& sent : member.out.blocks) on_block(sent);
    for (const RegionRevoke& revoke : member.out.revokes) {
      std::erase_if(member.regions, [&](const GrantedRegion& region) {
        return region.writer == revoke.writer && region.id == revoke.region;
      });
      member.replica->on_revoked(revoke.writer, revoke.region);
    }
    writes += member.out.writes.size();
    note(m);
    return work;
  }
  // Passes of all until nobody does anything.
  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (size_t m = 0; m < size(); m++) busy = step(m) > 0 || busy;
    }
  }
  // The disk of m has all that is closed now.
  bool sync(size_t m) {
    LogBatch batch;
    if (!store(m).close_batch(replica(m).frontiers().delivered.load(), batch)) return false;
    store(m).on_batch_synced(batch);
    replica(m).on_synced(batch.last_sequence);
    return true;
  }

  Status put(size_t m, const std::string& key, Bytes value, Token token, Ack ack = Ack::kDelivered,
             Condition condition = {}) {
    Change change;
    change.pool = kPool;
    change.key = std::as_bytes(std::span(key));
    change.value = value;
    change.condition = condition;
    return replica(m).submit(change, ack, token);
  }
  // The pool's rules, delivered everywhere.
  void set_rules(uint32_t history) {
    PoolRules rules;
    rules.pool = kPool;
    rules.history = history;
    Change change;
    change.kind = RecordKind::kControl;
    const std::string key = "pool/1";
    change.key = std::as_bytes(std::span(key));
    change.value = std::as_bytes(std::span(&rules, 1));
    (void)replica(0).submit(change, Ack::kNone, kRulesToken);
    settle();
  }
  // The one answer to `token`; its count in `answered`.
  const Completion& answer(Token token) const { return answers_of_.at(token); }
  int answered(Token token) const {
    const auto found = answered_.find(token);
    return found == answered_.end() ? 0 : found->second;
  }
  void note(size_t m) {
    for (const Completion& completion : out(m).completions) {
      answers.push_back(completion.token);
      if (!quick) {
        answers_of_[completion.token] = completion;
        answered_[completion.token]++;
      }
    }
    for (const Token token : out(m).released) released.push_back(token);
  }
  void arrive(size_t from, const RegionWrite& write) {
    for (const GrantedRegion& region : members_[write.peer - 1]->regions) {
      if (region.id == write.region && region.writer == from + 1)
        std::memcpy(region.memory.data() + write.offset, write.bytes.data(), write.bytes.size());
    }
  }

  std::vector<Token> answers;   // in order
  std::vector<Token> released;  // in order
  uint64_t writes = 0;
  bool quick = false;   // keep no answer but its token
  bool arrives = true;  // writes at once; else somebody else sees to that
  std::function<void(const BlockSent& sent)> on_block = [](const auto&) {};
  // Sees every write before it arrives; by the place of the writer.
  std::function<void(size_t from, const RegionWrite& write)> on_write = [](auto, const auto&) {};

 private:
  struct Member {
    HybridClock clock;
    std::unique_ptr<Store> store;
    std::unique_ptr<ShardReplica> replica;
    std::vector<GrantedRegion> regions;
    Outputs out;
  };

  std::vector<std::unique_ptr<Member>> members_;
  std::map<Token, Completion> answers_of_;
  std::map<Token, int> answered_;
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SUPPORT_DIRECT_GROUP_H_
