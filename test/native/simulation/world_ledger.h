// What members of a World delivered, installed and answered, and whether that may be: one order of
// the records of a shard and one history at the start of each epoch, one sequence of views, nothing
// acknowledged lost, nothing applied twice.
//
// A total restart may undo what was delivered and not persisted: the history is cut back then, and
// the shard enters another **era**. Nothing else may take back anything.
#ifndef FRESHET_TEST_NATIVE_SIMULATION_WORLD_LEDGER_H_
#define FRESHET_TEST_NATIVE_SIMULATION_WORLD_LEDGER_H_

#include <array>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "native/core/outputs.h"
#include "native/core/record.h"
#include "native/core/store/store.h"
#include "native/core/view/view.h"

namespace freshet::test {

class World;
class WorldNode;

class WorldLedger {
 public:
  explicit WorldLedger(World& world) : world_(world) {}

  // After each pass of a member: what it installed, began and delivered in it.
  void look_at(WorldNode& node);
  // A record on a disk speaks of this view.
  void note_record(Bytes record);
  // At rest: the member has all of the shard, as the others.
  void check_end(WorldNode& node, ShardId shard);

  // A put of `token` was answered with this version; `persisted`: with the promise that it is on
  // every disk.
  void acknowledged(ShardId shard, const Completion& completion, Token token, bool persisted);
  // What a linearizable read that begins now has to show at least, and in which era.
  struct Floor {
    uint32_t era;
    Version version;
  };
  Floor floor(ShardId shard);
  void read(ShardId shard, Floor floor, Version value, NodeId node);
  // Of a persistent shard, `linearizable` or `stable`: no total restart may undo it.
  void shown(ShardId shard, Version version, Token token, NodeId node);
  uint32_t era(ShardId shard) { return shards_[shard].era; }
  Version newest(ShardId shard) { return shards_[shard].history.size(); }
  // Of the version in the history as it is now; 0: it has none such.
  Epoch epoch_of(ShardId shard, Version version);
  Micros time_of(ShardId shard, Version version);

  void violation(const std::string& text);
  std::vector<std::string> violations;
  uint64_t deliveries = 0;
  uint64_t views = 0;
  uint64_t restarts = 0;
  uint64_t undone = 0;  // versions that total restarts took back

 private:
  struct Entry {
    uint32_t crc;
    Epoch epoch;
    Micros time;
    Token token;
  };
  struct Shard {
    std::vector<Entry> history;                     // by version, from 1
    std::unordered_set<Token> applied;              // those of the history
    std::set<std::pair<Version, uint32_t>> undone;  // crc of what a later history is without
    std::map<Epoch, bool> loose;            // epochs of installed views; may they begin with less?
    std::map<Epoch, Version> begins;        // history before the epoch
    std::map<Epoch, Version> acknowledged;  // newest by epoch, as delivered
    Version persisted = 0;                  // newest acknowledged as persisted
    Version shown = 0;                      // by linearizable reads, and acknowledged
    uint32_t era = 0;
    uint64_t digest = 0;  // at the end
  };
  // What was seen of a shard at a member.
  struct Seen {
    uint64_t life = 0;
    uint64_t generation = 0;
    Epoch epoch = 0;
    Version checked = 0;
  };
  struct SeenView {
    uint64_t life = 0;
    uint64_t incarnation = 0;
    uint32_t number = 0;
  };

  void check_view(WorldNode& node);
  void check_installed(const View& view, const std::string& where);
  bool descends(const View& view, uint32_t from) const;
  void know(const View& view);
  void check_shard(WorldNode& node, ShardId id, Seen& seen);
  void check_begin(WorldNode& node, ShardId id, Epoch epoch, const Store& store);
  void cut_back(Shard& shard, ShardId id, Epoch epoch, Version version);
  void check_history(WorldNode& node, ShardId id, Seen& seen, const Store& store);
  void check_late(const Shard& shard, const Entry& entry, Version version, const std::string& what);

  World& world_;
  std::map<ShardId, Shard> shards_;
  // Of each node, by the place of the shard: those of the layout, then those that came.
  std::map<NodeId, std::vector<Seen>> seen_;
  std::map<NodeId, SeenView> seen_views_;
  std::map<uint32_t, View> installed_;           // by number
  std::map<uint32_t, std::vector<View>> known_;  // proposed or on a disk, too
};

}  // namespace freshet::test

#endif  // FRESHET_TEST_NATIVE_SIMULATION_WORLD_LEDGER_H_
