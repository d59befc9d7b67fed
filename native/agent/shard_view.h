// What threads other than the agent's may know of a shard: its store, and how far its epoch is.
//
// Threads: written by the agent, read by any. The views of a member are found without a lock and
// live as long as the member.
// Invariants
//  1. `changes` of an epoch is mirrored before the transport can show it to a peer.
//  2. A store that was replaced lives on until its last reader has let go of it.
#ifndef FRESHET_AGENT_SHARD_VIEW_H_
#define FRESHET_AGENT_SHARD_VIEW_H_

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "native/core/shard_replica.h"
#include "native/core/store/store.h"

namespace freshet {

struct EpochView {
  Epoch epoch = 0;
  Frontiers frontiers;
};

class ShardView {
 public:
  ShardView(ShardId id, bool persistent) : id_(id), persistent_(persistent) {}

  ShardId id() const { return id_; }
  bool persistent() const { return persistent_; }
  // Null until the first epoch started.
  const EpochView* epoch() const { return epoch_.load(std::memory_order_acquire); }
  // Up to there every member has it, on disk where the shard is persistent. None until the first
  // epoch started: what the log alone holds may be cut by the restart.
  std::optional<Version> stable_version() const;
  // Null until the shard is open.
  std::shared_ptr<Store> store() const;
  uint64_t store_generation() const { return generation_.load(std::memory_order_acquire); }

  // Agent.
  void set_store(std::shared_ptr<Store> store);
  // Not seen before it shows what the shard has: a reader would find the shard empty.
  void begin_epoch(Epoch epoch, const Frontiers& frontiers);
  void mirror(const Frontiers& frontiers);

 private:
  const ShardId id_;
  const bool persistent_;
  std::atomic<EpochView*> epoch_{nullptr};
  std::vector<std::unique_ptr<EpochView>> epochs_;  // all of them: a reader may hold any
  std::atomic<uint64_t> generation_{0};
  mutable std::mutex mutex_;  // guards store_
  std::shared_ptr<Store> store_;
};

// All views of a member. The agent adds, any thread finds.
class ShardDirectory {
 public:
  ShardView* find(ShardId id) const;
  // Null: kShardsMax are there already.
  ShardView* add(ShardId id, bool persistent);

 private:
  static constexpr size_t kSlots = 2 * kShardsMax;
  static size_t slot_of(ShardId id) { return (id * 0x9E3779B1u) % kSlots; }

  std::array<std::atomic<ShardView*>, kSlots> slots_ = {};
  std::vector<std::unique_ptr<ShardView>> views_;
};

// One thread's readers, a store each, made when first needed.
class ShardReaders {
 public:
  struct Access {
    Store* store = nullptr;
    Store::Reader* reader = nullptr;  // null: kReadersMax threads read this store already
  };
  // Null store: the shard is not open.
  Access access(const ShardView& view);

 private:
  struct Entry {
    uint64_t generation = 0;
    std::shared_ptr<Store> store;
    std::unique_ptr<Store::Reader> reader;
  };
  std::unordered_map<ShardId, Entry> entries_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SHARD_VIEW_H_
